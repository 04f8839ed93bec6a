package phr

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

const (
	// witnesses is how many hospitals must show an unlock alike before it is approved.
	witnesses = 2
	// OwnReading stands in an approval in place of a hospital's name where the patient asks.
	OwnReading = "own reading"
	// purposeGuardian opens no records.
	purposeGuardian = "GUARDIAN"
)

func capsuleName(unlock string) string { return "capsule/" + unlock }

// Review is an unlock as its owner sees it before approving. Everything in it was read at one height from the nodes of
// two hospitals that show the same, and hashes to the unlock's id.
type Review struct {
	// Unlock is the id in hex.
	Unlock string
	// Requester is the address of who will read, Hospital the name of the requester's hospital, or [OwnReading].
	Requester, Hospital string
	// Purpose is the code of the purpose.
	Purpose string
	// Versions to be opened.
	Versions []Ref
	// Until is when the unlock ends by itself.
	Until time.Time
	// Endorsements are the addresses of the officers who endorsed.
	Endorsements []string
	// Status at the height.
	Status accessv1.UnlockStatus
	// Witnesses are the gateways that it was read from, at Height.
	Witnesses []Door
	Height    int64
	// Independent says that neither of them is the requester's hospital.
	Independent bool

	client    *Client
	doors     []*door
	unlock    *checkedUnlock
	key       lock.PublicKey // rk
	envelopes []*seal.Envelope
}

// Review reads an unlock at one height from the nodes of two hospitals, neither of them the requester's where two others
// answer, and checks all that can be checked without the owner's keys: both show the same; its hash, recomputed from the
// very fields of the Review; the request key and each envelope against their CIDs; locks, purpose, expiry, network, and
// that the requester is that member of staff now.
//
// Errors are ErrDisagree, ErrProposal, ErrBlock, ErrUnreachable where no two hospitals answer, ErrNotApproved where
// endorsements are missing, and ErrEnded.
func (c *Client) Review(ctx context.Context, unlock string) (*Review, error) {
	first, err := c.arrived(ctx, unlock)
	if err != nil {
		return nil, err
	}
	doors, independent, err := c.witnesses(ctx, first.GetHospital())
	if err != nil {
		return nil, err
	}
	r := &Review{Unlock: unlock, Independent: independent, client: c, doors: doors}
	if r.Height, err = meet(ctx, doors, c.height()); err != nil {
		return nil, err
	}
	for _, d := range doors {
		r.Witnesses = append(r.Witnesses, d.describe())
	}
	shown, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	r.unlock = shown.unlock
	if err := r.check(shown); err != nil {
		return nil, err
	}
	r.Requester, r.Purpose, r.Status = r.unlock.GetRequester(), r.unlock.GetPurpose(), r.unlock.Status
	r.Until = time.Unix(r.unlock.GetExpiresAt(), 0).UTC()
	for _, v := range r.unlock.versions {
		r.Versions = append(r.Versions, v.ref)
	}
	for _, e := range r.unlock.GetEndorsements() {
		r.Endorsements = append(r.Endorsements, e.GetOfficer())
	}
	if r.Hospital = OwnReading; r.unlock.GetHospital() != 0 {
		r.Hospital = shown.member.GetName()
	}
	if err := r.standing(); err != nil {
		return nil, err
	}
	return r, r.blocks(ctx)
}

// witnesses picks two gateways that answer, if possible of hospitals other than the requester's.
func (c *Client) witnesses(ctx context.Context, requester uint64) (chosen []*door, independent bool, err error) {
	if err := c.learn(ctx); err != nil {
		return nil, false, err
	}
	var others, own []*door
	for _, d := range c.order() {
		if d.hospital() == requester && requester != 0 {
			own = append(own, d)
		} else {
			others = append(others, d)
		}
	}
	used := map[uint64]bool{}
	var away error
	for _, d := range append(others, own...) {
		if used[d.hospital()] {
			continue
		}
		err := c.attempt(ctx, d, false, func(ctx context.Context, d *door) error {
			if _, err := d.chain(ctx); err != nil {
				return err
			}
			_, err := d.login(ctx, false)
			return err
		})
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		if err != nil {
			away = errors.Join(away, err)
			continue
		}
		used[d.hospital()] = true
		if chosen = append(chosen, d); len(chosen) == witnesses {
			return chosen, !used[requester], nil
		}
	}
	return nil, false, fmt.Errorf("an approval is checked at %d hospitals, %d answer: %w: %w", witnesses, len(chosen), away, ErrUnreachable)
}

// meet brings the nodes behind doors to one height, at least that, and returns it.
func meet(ctx context.Context, doors []*door, height int64) (int64, error) {
	for _, d := range doors {
		answer, err := d.chain(ctx)
		if err != nil {
			return 0, err
		}
		height = max(height, answer.Height)
	}
	for _, d := range doors {
		waiting, stop := context.WithTimeout(ctx, attemptTime)
		err := d.catchUp(waiting, height)
		stop()
		if err != nil {
			return 0, fmt.Errorf("gateway %s does not come to block %d: %w: %w", d.base, height, err, ErrUnreachable)
		}
	}
	return height, nil
}

// view is what one hospital shows of an unlock.
type view struct {
	unlock    *checkedUnlock
	requester *consortiumv1.Principal
	member    *consortiumv1.Member // the requester's; nil for an own reading
	network   []byte
}

// look reads the unlock at both hospitals and compares what they show.
func (r *Review) look(ctx context.Context) (*view, error) {
	var first *view
	for _, d := range r.doors {
		seen, err := r.client.look(atHeight(ctx, r.Height), d, r.Unlock)
		if err != nil {
			return nil, fmt.Errorf("as %s shows it: %w", d.describe().Name, err)
		}
		if first == nil {
			first = seen
			continue
		}
		if what := first.differs(seen); what != "" {
			return nil, fmt.Errorf("%s and %s show another %s: %w", r.Witnesses[0].Name, r.Witnesses[1].Name, what, ErrDisagree)
		}
	}
	return first, nil
}

func (c *Client) look(ctx context.Context, conn grpc.ClientConnInterface, unlock string) (*view, error) {
	var v view
	var err error
	if v.unlock, err = c.checkUnlock(ctx, conn, unlock); err != nil {
		return nil, err
	}
	q := consortiumv1.NewQueryClient(conn)
	requester, err := q.Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: v.unlock.GetRequester()})
	if err != nil {
		return nil, err
	}
	v.requester = requester.GetPrincipal()
	if number := v.unlock.GetHospital(); number != 0 {
		member, err := q.Member(ctx, &consortiumv1.QueryMemberRequest{Number: number})
		if err != nil {
			return nil, err
		}
		v.member = member.GetMember()
	}
	params, err := q.Params(ctx, &consortiumv1.QueryParamsRequest{})
	if err != nil {
		return nil, err
	}
	v.network = params.GetNetworkId()
	return &v, nil
}

// differs names the first thing in which two views differ.
func (v *view) differs(other *view) string {
	switch {
	case v.unlock.Status != other.unlock.Status || !proto.Equal(v.unlock.Unlock.Unlock, other.unlock.Unlock.Unlock):
		return "unlock"
	case !proto.Equal(v.requester, other.requester):
		return "requester"
	case !proto.Equal(v.member, other.member):
		return "hospital"
	case !proto.Equal(v.unlock.key, other.unlock.key):
		return "key of the network"
	case string(v.network) != string(other.network):
		return "network"
	}
	for i := range v.unlock.versions {
		if !proto.Equal(v.unlock.versions[i].stored, other.unlock.versions[i].stored) {
			return "version " + v.unlock.versions[i].ref.String()
		}
	}
	return ""
}

// mayAsk tells whether the requester is a clinician, or an officer of the hospital that owns the versions.
func (v *view) mayAsk() bool {
	ownsIt := v.unlock.GetPatient() == "" && v.unlock.GetCustodian() == v.unlock.GetHospital()
	role := v.requester.GetRole()
	return role == consortiumv1.Role_ROLE_CLINICIAN || role == consortiumv1.Role_ROLE_OFFICER && ownsIt
}

// check applies the rules that an owner insists on, beyond the hash. The error is ErrProposal.
func (r *Review) check(v *view) error {
	u := v.unlock
	var fault string
	switch lifetime := time.Duration(u.GetExpiresAt()-u.GetProposedAt()) * time.Second; {
	case string(v.network) != string(r.client.network[:]):
		fault = "it is of another network"
	case u.GetPurpose() == purposeGuardian:
		fault = "its purpose opens no records"
	case lifetime <= 0 || lifetime > MaxLifetime:
		fault = "it lives longer than 14 days"
	case u.GetHospital() == 0 && (v.requester.GetPatient() == "" || v.requester.GetPatient() != u.GetPatient() || u.GetRequester() != r.client.Address()):
		fault = "it is no reading of one's own"
	case u.GetHospital() != 0 && (!v.mayAsk() || v.requester.GetHospital() != u.GetHospital()):
		fault = "the requester is no clinician of that hospital"
	case v.requester.GetAddress() != u.GetRequester() || !v.requester.GetActive():
		fault = "the requester may not act now"
	case u.GetHospital() != 0 && (v.member.GetNumber() != u.GetHospital() || v.member.GetName() == OwnReading || v.member.GetName() == ""):
		fault = "the requester's hospital has no name of its own"
	}
	for _, version := range u.versions {
		if version.header.Context.Lock != lock.LockBoth {
			fault = fmt.Sprintf("version %s is not under the owner's lock", version.ref)
		}
	}
	if fault != "" {
		return fmt.Errorf("%s: %w", fault, ErrProposal)
	}
	return nil
}

// standing tells whether an approval is due, or was given here and waits for its capsule.
func (r *Review) standing() error {
	switch r.Status {
	case accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED:
		return nil
	case accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED:
		return fmt.Errorf("it waits for endorsements by the custodian, %d of %d: %w", len(r.Endorsements), r.unlock.GetEndorsementsNeeded(), ErrNotApproved)
	case accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED:
		if consent := r.unlock.GetApproval().GetConsent(); consent != 0 {
			return fmt.Errorf("consent %d stood in for your approval: %w", consent, ErrConsented)
		}
		if r.unlock.GetApproval().GetBy() == r.client.Address() {
			return nil
		}
		return fmt.Errorf("it was approved by another account: %w", ErrProposal)
	}
	return fmt.Errorf("it is %s: %w", r.Status, ErrEnded)
}

// blocks reads the request key and the envelopes, and checks them against their CIDs and the versions' locks.
func (r *Review) blocks(ctx context.Context) error {
	block, err := r.client.unlockBlock(ctx, r.Unlock, r.unlock.proposal.RequestKeyCID)
	if err != nil {
		return fmt.Errorf("request key: %w", err)
	}
	if r.key, err = lock.ParsePublicKey(block); err != nil {
		return fmt.Errorf("request key: %w: %w", err, ErrProposal)
	}
	for _, v := range r.unlock.versions {
		block, err := r.client.unlockBlock(ctx, r.Unlock, v.header.Envelope)
		if errors.Is(err, ErrNotFound) {
			block, err = (&versionSource{client: r.client, ref: v.ref}).Get(ctx, v.header.Envelope)
		}
		if err != nil {
			return fmt.Errorf("envelope of %s: %w", v.ref, err)
		}
		envelope, err := v.header.OpenEnvelope(block)
		if err != nil {
			return fmt.Errorf("envelope of %s: %w", v.ref, err)
		}
		r.envelopes = append(r.envelopes, envelope)
	}
	return nil
}

// Approve opens the owner's half of each version with the vault, checks it against its commitment, seals all of them to
// the requester, and signs the approval: a document whose readable fields repeat the Review. Only when both hospitals
// show the approval committed does it hand the capsule in. An approval whose capsule did not arrive is completed by a
// second call.
//
// Errors are ErrVault, seal.ErrCommitment where a half is not the one that the version was locked with, ErrDocument,
// *Refused, ErrDisagree and ErrUnreachable.
func (r *Review) Approve(ctx context.Context, vault *Vault) (Receipt, error) {
	c := r.client
	capsule, err := r.capsule(vault)
	if err != nil {
		return Receipt{}, err
	}
	cid := lock.RawCID(sha256.Sum256(capsule))
	var receipt Receipt
	if approval := r.unlock.GetApproval(); approval != nil {
		if approval.GetCapsule() != cid.String() {
			return Receipt{}, fmt.Errorf("it was approved with another capsule than this program keeps: %w", ErrSession)
		}
		receipt.Height = approval.GetHeight()
	} else {
		msg := &accessv1.MsgApproveUnlock{
			Owner: c.Address(), Hospital: r.Hospital, Purpose: r.Purpose, Until: r.Until.Format(time.RFC3339), Unlock: r.Unlock, Capsule: cid.String(),
		}
		for _, ref := range r.Versions {
			msg.Records = append(msg.Records, ref.String())
		}
		if receipt, err = c.send(ctx, c.amino, gasFor(len(r.Versions)), msg, &accessv1.MsgApproveUnlockResponse{}); err != nil {
			var refused *Refused
			if errors.As(err, &refused) {
				err = errors.Join(err, c.secrets.Delete(capsuleName(r.Unlock)))
			}
			return receipt, err
		}
	}
	if err := r.committed(ctx, cid.String()); err != nil {
		return receipt, err
	}
	if err := r.handIn(ctx, cid, capsule); err != nil {
		return receipt, err
	}
	return receipt, c.secrets.Delete(capsuleName(r.Unlock))
}

// capsule is the owner's halves, sealed to the requester. It is kept until it was handed in: the approval names its CID.
func (r *Review) capsule(vault *Vault) ([]byte, error) {
	c := r.client
	if kept, err := c.secrets.Get(capsuleName(r.Unlock)); !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	halves := make([]*seal.Half, len(r.unlock.versions))
	for i, v := range r.unlock.versions {
		half, err := vault.openOwn(v.header, r.envelopes[i])
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", v.ref, err)
		}
		halves[i] = half
	}
	capsule, err := seal.NewCapsule(r.key, c.network, r.unlock.id, askedAll(r.unlock), halves)
	if err != nil {
		return nil, err
	}
	if err := c.secrets.Put(capsuleName(r.Unlock), capsule); err != nil {
		return nil, fmt.Errorf("keep capsule: %w", err)
	}
	return capsule, nil
}

func askedOf(v *lockedVersion) seal.Asked {
	return seal.Asked{Record: v.ref.Record, Version: v.ref.Version, Lock: v.header.Context.Lock}
}

// committed waits until both hospitals show the approval with this capsule.
func (r *Review) committed(ctx context.Context, capsule string) error {
	waiting, stop := context.WithTimeout(ctx, commitTime)
	defer stop()
	for _, d := range r.doors {
		err := poll(waiting, func(ctx context.Context) (bool, error) {
			u, err := unlockAt(ctx, d, r.Unlock)
			if err != nil || u.GetApproval() == nil {
				return false, err
			}
			if a := u.GetApproval(); a.GetBy() != r.client.Address() || a.GetCapsule() != capsule {
				return false, fmt.Errorf("gateway %s shows another approval: %w", d.base, ErrDisagree)
			}
			if !u.IsOpen() {
				return false, fmt.Errorf("it is %s: %w", u.Status, ErrEnded)
			}
			return true, nil
		})
		if err != nil && waiting.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%s does not show the approval, so the capsule stays here: %w: %w", d.describe().Name, err, ErrUnreachable)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// handIn gives the capsule to both hospitals, of which one is enough, and to the requester's.
func (r *Review) handIn(ctx context.Context, cid lock.CID, capsule []byte) error {
	if err := r.client.giveTo(ctx, r.doors, cid, capsule); err != nil {
		return fmt.Errorf("hand in capsule: %w", err)
	}
	// Who asked reads it at their own hospital, so that it opens also when both others are gone. That one is enough as it is.
	if hospital := r.unlock.GetHospital(); hospital != 0 {
		if d, err := r.client.doorOf(ctx, hospital); err == nil {
			r.client.offer(ctx, d, cid, capsule)
		}
	}
	return nil
}

// describe is the door as others see it.
func (d *door) describe() Door {
	d.client.mu.Lock()
	defer d.client.mu.Unlock()
	return d.Door
}
