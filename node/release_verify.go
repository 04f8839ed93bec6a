package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// round is what all releases of one round are checked against.
type round struct {
	*Holder
	head    Head
	index   uint64
	network lock.Network
	delay   time.Duration // for holders behind the first
	keys    map[keyName]keyResult
	asked   bool  // the other hospitals were asked
	vouched error // nil where enough of them are at this height
}

// keyName is a kind and a generation.
type keyName struct {
	kind       lock.KeyKind
	generation uint64
}

type keyResult struct {
	key *heldKey
	err error
}

// heldKey is one of the network's keys as this holder knows it.
type heldKey struct {
	name      keyName
	hash      [64]byte // gen
	threshold uint64
	epoch     uint64
	holders   []uint64 // of the epoch, those that are confirmed
	public    lock.Point
	secret    lock.Scalar
}

func (h *Holder) newRound(ctx context.Context, head Head, index uint64) (*round, error) {
	network, err := networkID(ctx, h.consortium)
	if err != nil {
		return nil, err
	}
	bounds, err := h.custody.Params(ctx, &custodyv1.QueryParamsRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask for the delay of the later holders: %w", err)
	}
	return &round{
		Holder: h, head: head, index: index, network: network, keys: map[keyName]keyResult{},
		delay: time.Duration(bounds.GetParams().GetRankDelay()) * time.Second,
	}, nil
}

// key returns the key that answers a release.
func (r *round) key(ctx context.Context, release *custodyv1.Release) (*heldKey, error) {
	name := keyName{lock.KeyKind(release.GetKind()), release.GetGeneration()}
	known, ok := r.keys[name]
	if !ok {
		known.key, known.err = r.loadKey(ctx, name)
		r.keys[name] = known
	}
	return known.key, known.err
}

// loadKey reads a key from the chain and this holder's share of it from the disk, and
// checks that they belong together.
func (r *round) loadKey(ctx context.Context, name keyName) (*heldKey, error) {
	kind := custodyv1.KeyKind(name.kind)
	got, err := r.custody.Key(ctx, &custodyv1.QueryKeyRequest{Kind: kind, Generation: name.generation})
	if err != nil {
		return nil, fmt.Errorf("ask for generation %d of key kind %d: %w", name.generation, name.kind, err)
	}
	key := &heldKey{name: name, threshold: got.GetKey().GetThreshold(), epoch: got.GetKey().GetShareEpoch()}
	x, err := lock.ParsePoint(got.GetKey().GetPublicKey())
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if key.hash, err = (lock.Generation{Network: r.network, Kind: name.kind, Number: name.generation, X: x}).Hash(); err != nil {
		return nil, err
	}
	committee, err := r.custody.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: kind, Generation: name.generation, ShareEpoch: key.epoch})
	if err != nil {
		return nil, fmt.Errorf("ask for the holders of epoch %d: %w", key.epoch, err)
	}
	found := false
	for _, h := range committee.GetHolders() {
		if !h.GetConfirmed() {
			continue
		}
		key.holders = append(key.holders, h.GetIndex())
		if h.GetIndex() != r.index {
			continue
		}
		found = true
		if key.public, err = lock.ParsePoint(h.GetPublicShare()); err != nil {
			return nil, fmt.Errorf("public share: %w", err)
		}
	}
	if !found {
		return nil, fmt.Errorf("member %d holds none of epoch %d: %w", r.index, key.epoch, errNoShare)
	}
	return key, r.loadShare(key)
}

// loadShare reads this holder's share of a key and checks it against its public share.
func (r *round) loadShare(key *heldKey) error {
	share, err := r.config.Shares.Share(key.name.kind, key.name.generation, key.epoch)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoShare, err)
	}
	switch {
	case share.Network != r.network:
		return fmt.Errorf("%w: the one at hand is of another network", errNoShare)
	case share.Kind != key.name.kind || share.Generation != key.name.generation || share.Epoch != key.epoch:
		return fmt.Errorf("%w: the one at hand is of kind %d, generation %d, epoch %d", errNoShare, share.Kind, share.Generation, share.Epoch)
	case share.Index != r.index:
		return fmt.Errorf("%w: the one at hand is member %d's, this is member %d", errNoShare, share.Index, r.index)
	case !share.Scalar.Public().Equal(key.public):
		return fmt.Errorf("%w: the one at hand does not fit the public share on the chain", errNoShare)
	}
	key.secret = share.Scalar
	return nil
}

// verify makes sure that a share is due: the unlock is approved in the newest state, its id
// is the hash of what was proposed for these very records, the requester proved to know b,
// and the points to answer are those of the proposal. It returns what is to be answered.
func (r *round) verify(ctx context.Context, key *heldKey, release *custodyv1.Release) (lock.Release, error) {
	if release.GetStatus() != custodyv1.ReleaseStatus_RELEASE_STATUS_PENDING {
		return lock.Release{}, fmt.Errorf("release is %s: %w", release.GetStatus(), errNotDue)
	}
	if key.name.kind == lock.KeyGuardians {
		return r.verifyRecovery(ctx, key, release)
	}
	got, err := r.access.Unlock(ctx, &accessv1.QueryUnlockRequest{Id: release.GetUnlock()})
	if err != nil {
		return lock.Release{}, fmt.Errorf("ask for the unlock: %w", err)
	}
	u := got.GetUnlock()
	if want := kindOf(u); key.name.kind != want {
		return lock.Release{}, fmt.Errorf("key kind %d, want %d: %w", key.name.kind, want, errNotVerified)
	}
	if err := r.checkApproved(u, got.GetStatus()); err != nil {
		return lock.Release{}, err
	}
	requester, err := r.checkRequester(ctx, u)
	if err != nil {
		return lock.Release{}, err
	}
	if err := r.checkConsent(ctx, u, requester); err != nil {
		return lock.Release{}, err
	}
	if err := r.checkEmergency(ctx, u); err != nil {
		return lock.Release{}, err
	}
	p, err := r.proposal(ctx, key, u)
	if err != nil {
		return lock.Release{}, err
	}
	id := p.ID()
	if u.GetId() != release.GetUnlock() || hex.EncodeToString(id[:]) != release.GetUnlock() {
		return lock.Release{}, fmt.Errorf("id is not the hash of the proposal: %w", errNotVerified)
	}
	if err := p.Verify(u.GetProof()); err != nil {
		return lock.Release{}, fmt.Errorf("request: %w: %w", errNotVerified, err)
	}
	if len(release.GetBlinded()) != len(p.Versions) {
		return lock.Release{}, fmt.Errorf("%d points for %d versions: %w", len(release.GetBlinded()), len(p.Versions), errNotVerified)
	}
	request := lock.Release{Network: r.network, Unlock: id, Generation: key.hash}
	for i, v := range p.Versions {
		if !bytes.Equal(release.GetBlinded()[i], v.M.Bytes()) {
			return lock.Release{}, fmt.Errorf("point %d is not that of the proposal: %w", i+1, errNotVerified)
		}
		request.M = append(request.M, v.M)
	}
	return request, nil
}

// checkApproved makes sure that an unlock is approved and not ended. What ended a moment
// ago is no fault.
func (r *round) checkApproved(u *accessv1.Unlock, status accessv1.UnlockStatus) error {
	if status != accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED || u.GetDeniedBy() != "" || u.GetWithdrawnBy() != "" || u.GetExpired() ||
		u.GetExpiresAt() <= r.head.Time.Unix() {
		return fmt.Errorf("unlock is %s, expires at %d: %w", status, u.GetExpiresAt(), errNotDue)
	}
	endorsed := u.GetEmergency() != "" || len(u.GetEndorsements()) >= int(u.GetEndorsementsNeeded())
	if u.GetApproval().GetBy() == "" || !endorsed {
		return fmt.Errorf("approval or endorsements are missing: %w", errNotVerified)
	}
	return nil
}

// checkRequester makes sure that the requester still is who proposed the unlock, and says who that is.
func (r *round) checkRequester(ctx context.Context, u *accessv1.Unlock) (*consortiumv1.Principal, error) {
	got, err := r.consortium.Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: u.GetRequester()})
	if err != nil {
		return nil, fmt.Errorf("ask for the requester: %w", err)
	}
	p := got.GetPrincipal()
	if !p.GetActive() || !mayAsk(p.GetRole(), u) || p.GetHospital() != u.GetHospital() {
		return nil, fmt.Errorf("requester is not active there any more: %w", errNotVerified)
	}
	return p, nil
}

// mayAsk tells whether a role may ask for what an unlock names: a patient for own records, a clinician, and an officer of the
// hospital that owns them.
func mayAsk(role consortiumv1.Role, u *accessv1.Unlock) bool {
	if u.GetHospital() == 0 {
		return role == consortiumv1.Role_ROLE_PATIENT
	}
	ownsIt := u.GetPatient() == "" && u.GetCustodian() == u.GetHospital()
	return role == consortiumv1.Role_ROLE_CLINICIAN || role == consortiumv1.Role_ROLE_OFFICER && ownsIt
}

// proposal is what was proposed, with the locks of the records as the chain keeps them.
func (r *round) proposal(ctx context.Context, key *heldKey, u *accessv1.Unlock) (lock.Proposal, error) {
	requester, err := wallet.ParseAddress(u.GetRequester())
	if err != nil {
		return lock.Proposal{}, fmt.Errorf("requester: %w: %w", errNotVerified, err)
	}
	p := lock.Proposal{
		Network: r.network, Requester: [20]byte(requester), Hospital: u.GetHospital(), Purpose: u.GetPurpose(),
		PolicyVersion: u.GetPolicyVersion(), Expiry: uint64(u.GetExpiresAt()),
	}
	if p.RequestKeyCID, err = lock.ParseRawCID(u.GetRequestKey()); err != nil {
		return lock.Proposal{}, fmt.Errorf("request key: %w: %w", errNotVerified, err)
	}
	if p.B, err = lock.ParseEncapsulation(u.GetB()); err != nil {
		return lock.Proposal{}, fmt.Errorf("point B: %w: %w", errNotVerified, err)
	}
	for i, v := range u.GetVersions() {
		proposed, err := r.version(ctx, key, u, v)
		if err != nil {
			return lock.Proposal{}, fmt.Errorf("version %d of the unlock: %w", i+1, err)
		}
		p.Versions = append(p.Versions, proposed)
	}
	return p, nil
}

// version is one version of a proposal, with the lock that the chain keeps.
func (r *round) version(ctx context.Context, key *heldKey, u *accessv1.Unlock, v *accessv1.UnlockVersion) (lock.ProposedVersion, error) {
	got, err := r.records.Version(ctx, &recordsv1.QueryVersionRequest{Record: v.GetRecord(), Version: v.GetVersion()})
	if err != nil {
		return lock.ProposedVersion{}, fmt.Errorf("ask for it: %w", err)
	}
	stored, header := got.GetVersion(), got.GetVersion().GetHeader()
	if stored.GetRecord() != v.GetRecord() || stored.GetVersion() != v.GetVersion() {
		return lock.ProposedVersion{}, fmt.Errorf("got version %d of %q: %w", stored.GetVersion(), stored.GetRecord(), errNotVerified)
	}
	if stored.GetTombstone() != nil {
		return lock.ProposedVersion{}, fmt.Errorf("version %d of %q was erased: %w", v.GetVersion(), v.GetRecord(), errNotDue)
	}
	if header.GetPatient() != u.GetPatient() || header.GetCustodian() != u.GetCustodian() || !isUnder(stored, key.name) ||
		header.GetLock() != recordsv1.Lock_LOCK_OWNER_AND_NETWORK {
		return lock.ProposedVersion{}, fmt.Errorf("owner, custodian, key or lock differ: %w", errNotVerified)
	}
	proposed := lock.ProposedVersion{Number: v.GetVersion()}
	if proposed.Record, err = lock.ParseCanonicalID(v.GetRecord()); err != nil {
		return lock.ProposedVersion{}, fmt.Errorf("%w: %w", errNotVerified, err)
	}
	if proposed.Context, proposed.U, proposed.C, err = r.locked(ctx, key, proposed.Record, stored); err != nil {
		return lock.ProposedVersion{}, err
	}
	if proposed.M, err = lock.ParsePoint(v.GetM()); err != nil {
		return lock.ProposedVersion{}, fmt.Errorf("point M: %w: %w", errNotVerified, err)
	}
	return proposed, nil
}

// kindOf is the kind of key whose shares an unlock is about.
func kindOf(u *accessv1.Unlock) lock.KeyKind {
	if u.GetBox() {
		return lock.KeyEmergency
	}
	return lock.KeyRecords
}

// isUnder says whether a version, or its emergency box, is locked under a key.
func isUnder(v *recordsv1.Version, key keyName) bool {
	if key.kind == lock.KeyEmergency {
		return v.GetBox() != nil && v.GetBox().GetGeneration() == key.generation
	}
	return v.GetHeader().GetGeneration() == key.generation
}

// locked is what a proposal covers of a version's lock, ctx, U and C, or of the lock of its box: E,
// U_e and the box's hash.
func (r *round) locked(ctx context.Context, key *heldKey, record lock.ID, v *recordsv1.Version) (lockContext [64]byte, u lock.Point, c []byte, err error) {
	if key.name.kind == lock.KeyEmergency {
		return r.lockedBox(ctx, key, record, v)
	}
	if lockContext, err = lockContextOf(r.network, key.hash, record, v); err != nil {
		return lockContext, u, nil, fmt.Errorf("%w: %w", errNotVerified, err)
	}
	if u, err = lock.ParseEncapsulation(v.GetHeader().GetU()); err != nil {
		return lockContext, u, nil, fmt.Errorf("point U: %w: %w", errNotVerified, err)
	}
	return lockContext, u, v.GetHeader().GetC(), nil
}

// lockContextOf is ctx of a version (docs/custody.md, appendix A).
func lockContextOf(network lock.Network, generation [64]byte, record lock.ID, v *recordsv1.Version) ([64]byte, error) {
	c, err := contextOf(network, generation, record, v.GetVersion(), v.GetHeader())
	if err != nil {
		return [64]byte{}, err
	}
	return c.Hash()
}

// contextOf is what does not change under a version's lock.
func contextOf(network lock.Network, generation [64]byte, record lock.ID, version uint64, h *recordsv1.Header) (lock.Context, error) {
	c := lock.Context{
		Network: network, Suite: lock.Suite(h.GetSuite()), Lock: lock.Lock(h.GetLock()), Record: record, Version: version,
		Custodian: h.GetCustodian(), Generation: generation,
	}
	if h.GetOwnerKind() == recordsv1.OwnerKind_OWNER_KIND_HOSPITAL {
		var err error
		c.Owner, err = lock.HospitalOwner(h.GetCustodian())
		return c, err
	}
	patient, err := lock.ParseCanonicalID(h.GetPatient())
	if err != nil {
		return c, err
	}
	c.Owner = lock.PatientOwner(patient)
	return c, nil
}

// parseUnlock reads an unlock's id.
func parseUnlock(text string) ([32]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		return [32]byte{}, fmt.Errorf("unlock %q is no id: %w", text, errNotVerified)
	}
	return [32]byte(b), nil
}
