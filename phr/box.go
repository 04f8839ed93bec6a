package phr

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// gasBox is what an emergency box adds to a message.
const gasBox = 60_000

// boxTerms says to which emergency vaults versions of a patient are sealed, and under which key; nil for a patient who did not agree to it, and
// as long as the hospitals have no key for it.
func (c *Client) boxTerms(ctx context.Context, patient string) (*seal.EmergencyTerms, error) {
	if patient == "" {
		return nil, nil
	}
	agreed, err := c.EmergencyTerms(ctx, patient)
	if err != nil || len(agreed.GetVaults()) == 0 {
		return nil, err
	}
	key, _, err := generationOf(ctx, c.network, custodyv1.NewQueryClient(c), custodyv1.KeyKind_KEY_KIND_EMERGENCY, 0)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("emergency key: %w", err)
	}
	t := &seal.EmergencyTerms{Key: key}
	for _, v := range agreed.GetVaults() {
		recipient, err := seal.EmergencyRecipient(v.GetHospital())
		if err != nil {
			return nil, err
		}
		public, err := lock.ParsePublicKey(v.GetKey())
		if err != nil {
			return nil, fmt.Errorf("emergency vault of hospital %d: %w", v.GetHospital(), err)
		}
		t.Vaults = append(t.Vaults, seal.VaultKey{Recipient: recipient, Epoch: v.GetEpoch(), Key: public})
	}
	return t, nil
}

// boxing gives envelopes of one patient that are made anew their emergency boxes.
type boxing struct {
	terms   *seal.EmergencyTerms
	signer  [wallet.AddressSize]byte
	replace bool // whether those that are there are replaced
}

func (c *Client) newBoxing(ctx context.Context, patient string, replace bool) (*boxing, error) {
	signer, err := wallet.ParseAddress(c.key.Address())
	if err != nil {
		return nil, err
	}
	b := &boxing{signer: [wallet.AddressSize]byte(signer), replace: replace}
	b.terms, err = c.boxTerms(ctx, patient)
	return b, err
}

// rebox returns an envelope with the box that its patient agrees to, and adds what locks it to the message. Where boxes are not replaced, one
// that is there stays as it is as long as the patient agrees, for the chain keeps what locks it.
func (b *boxing) rebox(msg *recordsv1.MsgReplaceEnvelopes, v *lockedVersion, e *seal.Envelope, half seal.Half) (*seal.Envelope, error) {
	if !b.replace && (b.terms != nil || e.Emergency == nil) {
		return e, nil
	}
	fresh, proof, err := e.Rebox(v.header, half, b.terms, b.signer)
	if err != nil || proof == nil {
		return fresh, err
	}
	s := proof.Statement
	msg.BoxGeneration, msg.BoxU, msg.BoxUBar = b.terms.Key.Number, append(msg.BoxU, s.U.Bytes()), append(msg.BoxUBar, s.UBar.Bytes())
	msg.BoxHashes, msg.BoxProofs = append(msg.BoxHashes, s.Box[:]), append(msg.BoxProofs, proof.Proof)
	return fresh, nil
}

// boxLock is what the second part of an emergency covers of a version.
type boxLock struct {
	context [64]byte // E
	u       lock.Point
	hash    []byte // SHA-256 of the box
}

// boxLockOf reads what locks the emergency box of a version under a generation of the emergency key.
func boxLockOf(key lock.Generation, v *lockedVersion) (boxLock, error) {
	b := v.stored.GetBox()
	if b == nil || b.GetGeneration() != key.Number {
		return boxLock{}, fmt.Errorf("version %s: %w", v.ref, ErrNoBox)
	}
	gen, err := key.Hash()
	if err != nil {
		return boxLock{}, err
	}
	s := lock.EmergencyBox{Context: v.context, Generation: gen}
	if s.U, err = lock.ParseEncapsulation(b.GetU()); err != nil {
		return boxLock{}, err
	}
	if s.UBar, err = lock.ParsePoint(b.GetUBar()); err != nil {
		return boxLock{}, err
	}
	if len(v.header.Pc) != len(s.Pc) || len(b.GetHash()) != len(s.Box) {
		return boxLock{}, fmt.Errorf("version %s: commitment of %d bytes, hash of %d: %w", v.ref, len(v.header.Pc), len(b.GetHash()), lock.ErrField)
	}
	copy(s.Pc[:], v.header.Pc)
	made := boxLock{u: s.U, hash: b.GetHash()}
	made.context, err = s.Hash()
	return made, err
}

// readBoxes reads the locks of the boxes that the unlock is about, and their key.
func (u *checkedUnlock) readBoxes(ctx context.Context, network lock.Network, conn grpc.ClientConnInterface) error {
	number := u.versions[0].stored.GetBox().GetGeneration()
	if number == 0 {
		return fmt.Errorf("unlock %s: %w", u.GetId(), ErrNoBox)
	}
	key, made, err := generationOf(ctx, network, custodyv1.NewQueryClient(conn), custodyv1.KeyKind_KEY_KIND_EMERGENCY, number)
	if err != nil {
		return err
	}
	u.key = made
	if u.generation, err = key.Hash(); err != nil {
		return err
	}
	for _, v := range u.versions {
		b, err := boxLockOf(key, v)
		if err != nil {
			return err
		}
		u.boxes = append(u.boxes, b)
	}
	return nil
}

// SealEmergency gives versions that are there already the emergency boxes that the patient agreed to, under the newest emergency key, and
// takes out those that the patient agrees to no more. It returns how many it sealed anew, and leaves the others as they are, so that it can
// be called again at any time; where hospitals have changed their emergency vaults, all are sealed anew with again set. tell is told how many
// are done, and may be nil. Errors are those of [Client.Reseal].
func (c *Client) SealEmergency(ctx context.Context, vault *Vault, again bool, tell func(done int)) (int, error) {
	who, err := c.principalNow(ctx)
	if err != nil {
		return 0, err
	}
	terms, err := c.boxTerms(ctx, who.GetPatient())
	if err != nil {
		return 0, err
	}
	var due []Ref
	for s, err := range c.SealingsOf(ctx, vault) {
		if err != nil {
			return 0, err
		}
		v, err := c.Version(ctx, s.Ref)
		if err != nil {
			return 0, err
		}
		if isBoxDue(terms, v, again) {
			due = append(due, s.Ref)
		}
	}
	locked, err := c.locksOf(ctx, due)
	if err != nil || len(locked) == 0 {
		return 0, err
	}
	return len(due), c.reseal(ctx, vault, locked, true, tell)
}

// isBoxDue tells whether a version is to get another box, or is to lose the one that it has.
func isBoxDue(terms *seal.EmergencyTerms, v *recordsv1.Version, again bool) bool {
	if terms == nil {
		return v.GetBox() != nil
	}
	return again || v.GetBox().GetGeneration() != terms.Key.Number
}

// EmergencyTerms is what a patient agreed to for emergencies, with the vaults to which versions are sealed for it.
func (c *Client) EmergencyTerms(ctx context.Context, patient string) (*accessv1.QueryEmergencyTermsResponse, error) {
	answer, err := accessv1.NewQueryClient(c).EmergencyTerms(ctx, &accessv1.QueryEmergencyTermsRequest{Patient: patient})
	if err != nil {
		return nil, fmt.Errorf("what patient %s agreed to: %w", patient, err)
	}
	return answer, nil
}
