package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// VaultKeys are the keys of a hospital's vault.
type VaultKeys interface {
	// HospitalVault is the key of an epoch, from 1; an error where it is not here.
	HospitalVault(epoch uint64) (*lock.PrivateKey, error)
	// EmergencyVault is the same of the hospital's emergency vault.
	EmergencyVault(epoch uint64) (*lock.PrivateKey, error)
}

// Capsules hands clinicians of a hospital the owner's halves that patients' consents to one of its wards, or to all of them, had
// sealed to the hospital's vault. The server that does so sees those halves and no other: the network's are bound to what the
// clinician's program alone holds.
//
// It hands over nothing that its node may only believe to be due: other hospitals vouch for the
// node's newest block, as for a [Holder]'s.
type Capsules struct {
	config     CapsulesConfig
	access     accessv1.QueryClient
	consortium consortiumv1.QueryClient
	custody    custodyv1.QueryClient
	records    recordsv1.QueryClient
}

// CapsulesConfig says what [Capsules] work with.
type CapsulesConfig struct {
	// Chain is the hospital's own node.
	Chain Chain
	// Vault has the keys of the hospital's vaults.
	Vault VaultKeys
	// Ask asks another member how it stands; [AskGateway] with what the chain says of it if nil.
	Ask Ask
	// Now tells the time; time.Now if nil.
	Now func() time.Time
}

// NewCapsules makes it over the hospital's own node and vault.
func NewCapsules(config CapsulesConfig) (*Capsules, error) {
	if config.Chain == nil || config.Vault == nil {
		return nil, errors.New("capsules: a part is missing")
	}
	if config.Ask == nil {
		config.Ask = askMember
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	chain := config.Chain
	return &Capsules{
		config: config, access: accessv1.NewQueryClient(chain), consortium: consortiumv1.NewQueryClient(chain),
		custody: custodyv1.NewQueryClient(chain), records: recordsv1.NewQueryClient(chain),
	}, nil
}

// vouchTime is how long one who asks waits for this node to come where the others are.
const vouchTime = 2 * askTime

// due reads what is due twice: what seems due by the own state is worth asking the other hospitals for, and what is due then is so by a
// state that they vouch for. The error is Unavailable where they do not.
func (c *Capsules) due(ctx context.Context, hospital uint64, read func(context.Context) (*accessv1.Unlock, error)) (*accessv1.Unlock, error) {
	if u, err := read(ctx); err != nil {
		return u, err
	}
	waits, cancel := context.WithTimeout(ctx, vouchTime)
	defer cancel()
	for {
		committed := c.config.Chain.Committed()
		err := c.checkVouched(waits, hospital)
		if err == nil {
			return read(ctx)
		}
		if !errors.Is(err, ErrNotReady) {
			return nil, err
		}
		sleep(waits, committed, firstRetry)
		if waits.Err() != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
	}
}

// checkVouched makes sure that this node is at the head of the chain, and that other hospitals are there too.
func (c *Capsules) checkVouched(ctx context.Context, hospital uint64) error {
	head, err := freshHead(ctx, c.config.Chain, c.config.Now())
	if err != nil {
		return err
	}
	return voucher{c.config.Chain, c.consortium, c.config.Ask}.check(ctx, head, hospital)
}

// errNoCapsule says that an unlock is none for which this hospital hands anything to the account that asks, and nothing of why.
var errNoCapsule = status.Error(codes.NotFound, "there is no unlock here that a consent to your hospital approved, or that you may approve for it")

// capsuleFor is who asks for which unlock, at which hospital.
type capsuleFor struct {
	unlock, account string
	hospital        uint64
	block           func(ctx context.Context, c lock.CID) ([]byte, error)
}

// Capsule opens the owner's halves of an unlock's versions, checks each against its commitment, and seals them to the requester's
// one-time key; block gets a small block. The error is a status: NotFound unless the account is the unlock's requester, and a consent to the hospital or to a ward
// where the requester works approved it and is live; FailedPrecondition where a version is not sealed to the hospital's vault; Unavailable
// where other hospitals do not vouch for what the own node says.
func (c *Capsules) Capsule(
	ctx context.Context, unlock, requester string, hospital uint64, block func(context.Context, lock.CID) ([]byte, error),
) ([]byte, error) {
	return c.sealed(ctx, capsuleFor{unlock, requester, hospital, block}, c.approved)
}

// OwnCapsule is what Capsule is for an officer who is about to approve an unlock of records that the hospital itself owns: the approval names
// the capsule, and until it stands on the chain the network's half is given to nobody. The error is NotFound unless such an unlock waits for
// its owner alone and the officer has not endorsed it.
func (c *Capsules) OwnCapsule(
	ctx context.Context, unlock, officer string, hospital uint64, block func(context.Context, lock.CID) ([]byte, error),
) ([]byte, error) {
	return c.sealed(ctx, capsuleFor{unlock, officer, hospital, block}, c.endorsed)
}

// sealed opens the owner's halves of an unlock that is due, and seals them to its one-time key.
func (c *Capsules) sealed(ctx context.Context, f capsuleFor, due func(context.Context, capsuleFor) (*accessv1.Unlock, error)) ([]byte, error) {
	u, err := c.due(ctx, f.hospital, func(ctx context.Context) (*accessv1.Unlock, error) { return due(ctx, f) })
	if err != nil {
		return nil, err
	}
	id, err := parseUnlock(u.GetId())
	if err != nil {
		return nil, err
	}
	network, err := networkID(ctx, c.consortium)
	if err != nil {
		return nil, err
	}
	recipient, err := seal.HospitalRecipient(f.hospital)
	if err != nil {
		return nil, err
	}
	asked, halves := make([]seal.Asked, len(u.GetVersions())), make([]*seal.Half, len(u.GetVersions()))
	for i, v := range u.GetVersions() {
		header, err := c.header(ctx, network, v)
		if err != nil {
			return nil, err
		}
		asked[i] = seal.Asked{Record: header.Context.Record, Version: header.Context.Version, Lock: header.Context.Lock}
		block, err := f.block(ctx, header.Envelope)
		if err != nil {
			return nil, err
		}
		if halves[i], err = c.half(header, recipient, block); err != nil {
			return nil, fmt.Errorf("version %d of the unlock: %w", i+1, err)
		}
	}
	key, err := requestKey(ctx, f, u)
	if err != nil {
		return nil, err
	}
	return seal.NewCapsule(key, network, id, asked, halves)
}

// endorsed reads the unlock, if it is one of the hospital's own records that this officer may approve.
func (c *Capsules) endorsed(ctx context.Context, f capsuleFor) (*accessv1.Unlock, error) {
	got, err := c.access.Unlock(ctx, &accessv1.QueryUnlockRequest{Id: f.unlock})
	if code := status.Code(err); code == codes.NotFound || code == codes.InvalidArgument {
		return nil, errNoCapsule
	}
	if err != nil {
		return nil, err
	}
	u := got.GetUnlock()
	isOwn := f.hospital != 0 && u.GetPatient() == "" && u.GetCustodian() == f.hospital && u.GetEmergency() == ""
	if !isOwn || got.GetStatus() != accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED || u.GetRequester() == f.account {
		return nil, errNoCapsule
	}
	for _, e := range u.GetEndorsements() {
		if e.GetOfficer() == f.account {
			return nil, errNoCapsule
		}
	}
	return u, nil
}

// approved reads the unlock, if it is one for which there is a capsule.
func (c *Capsules) approved(ctx context.Context, f capsuleFor) (*accessv1.Unlock, error) {
	got, err := c.access.Unlock(ctx, &accessv1.QueryUnlockRequest{Id: f.unlock})
	if code := status.Code(err); code == codes.NotFound || code == codes.InvalidArgument {
		return nil, errNoCapsule
	}
	if err != nil {
		return nil, err
	}
	u := got.GetUnlock()
	open := got.GetStatus() == accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED || got.GetStatus() == accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED
	if !open || u.GetRequester() != f.account || f.hospital == 0 || u.GetHospital() != f.hospital || u.GetApproval().GetConsent() == 0 {
		return nil, errNoCapsule
	}
	granted, err := c.access.Consent(ctx, &accessv1.QueryConsentRequest{Number: u.GetApproval().GetConsent()})
	if err != nil {
		return nil, err
	}
	who, err := c.consortium.Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: f.account})
	if err != nil {
		return nil, err
	}
	consent, p := granted.GetConsent(), who.GetPrincipal()
	live := granted.GetStatus() == accessv1.ConsentStatus_CONSENT_STATUS_LIVE && consent.GetPatient() == u.GetPatient()
	if !live || consent.GetStaff() != "" || !isGrantedTo(consent, p) {
		return nil, errNoCapsule
	}
	return u, nil
}

// header is what the chain keeps of a version's lock.
func (c *Capsules) header(ctx context.Context, network lock.Network, v *accessv1.UnlockVersion) (seal.Header, error) {
	got, err := c.records.Version(ctx, &recordsv1.QueryVersionRequest{Record: v.GetRecord(), Version: v.GetVersion()})
	if err != nil {
		return seal.Header{}, err
	}
	h := got.GetVersion().GetHeader()
	if len(h.GetC()) != 32 || len(h.GetDc()) != 32 {
		return seal.Header{}, fmt.Errorf("version %d of %q has no commitments: %w", v.GetVersion(), v.GetRecord(), errNotVerified)
	}
	header := seal.Header{C: [32]byte(h.GetC()), Pc: h.GetPc(), Dc: [32]byte(h.GetDc()), PaddedSize: got.GetVersion().GetSize()}
	record, err := lock.ParseCanonicalID(v.GetRecord())
	if err != nil {
		return header, err
	}
	gen, err := generationOf(ctx, c.custody, network, h.GetGeneration())
	if err != nil {
		return header, err
	}
	if header.Context, err = contextOf(network, gen, record, v.GetVersion(), h); err != nil {
		return header, err
	}
	if header.U, err = lock.ParseEncapsulation(h.GetU()); err != nil {
		return header, err
	}
	if header.Object, err = lock.ParseDagCID(got.GetVersion().GetObject()); err != nil {
		return header, err
	}
	header.Envelope, err = lock.ParseRawCID(got.GetVersion().GetEnvelope())
	return header, err
}

// half opens the owner's half that is sealed to the hospital's vault, in whatever epoch.
func (c *Capsules) half(h seal.Header, recipient seal.Recipient, block []byte) (*seal.Half, error) {
	envelope, err := h.OpenEnvelope(block)
	if err != nil {
		return nil, err
	}
	for _, own := range envelope.Own {
		if own.Recipient != recipient {
			continue
		}
		key, err := c.config.Vault.HospitalVault(own.Epoch)
		if err != nil {
			return nil, fmt.Errorf("epoch %d of the hospital's vault: %w", own.Epoch, err)
		}
		half, err := envelope.OpenOwn(h, recipient, key)
		return &half, err
	}
	return nil, status.Error(codes.FailedPrecondition, "a version is not sealed to your hospital's vault: it was stored before a consent, and the patient has not sealed it anew")
}

// requestKey is the one-time key of an unlock's requester.
func requestKey(ctx context.Context, f capsuleFor, u *accessv1.Unlock) (lock.PublicKey, error) {
	id, err := lock.ParseRawCID(u.GetRequestKey())
	if err != nil {
		return lock.PublicKey{}, fmt.Errorf("request key: %w", err)
	}
	block, err := f.block(ctx, id)
	if err != nil {
		return lock.PublicKey{}, err
	}
	return lock.ParsePublicKey(block)
}
