package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/phrd/phrd/lock"
)

// ErrGuardians says that guardians' shares do not open, or do not join to the secret
// that their commitments promise.
var ErrGuardians = errors.New("guardians' shares do not fit")

// GuardianTerms says for whom a guardian slot is made.
type GuardianTerms struct {
	Slot      SlotPlace        // of kind lock.SlotGuardians
	Key       lock.Generation  // the network's key of kind lock.KeyGuardians
	Threshold uint64           // how many guardians open together
	Guardians []lock.PublicKey // vault keys of the guardians; a guardian's place counts from 1
	Signer    [20]byte         // account that signs the message which stores the slot
}

// Guardianship is what makes a guardian slot. The slot opens with threshold many
// guardians' shares and the network's half, which is released after the delay.
type Guardianship struct {
	Commitments lock.Commitments  // to the sharing polynomial
	Shares      [][]byte          // in the guardians' order, sealed to their vaults
	Statement   lock.GuardianSlot // what Proof proves; holds U_g and Ū_g
	Proof       []byte            // 64 bytes
	Secret      SlotSecret        // wraps KV now; forget it after
}

// NewGuardians shares a fresh secret among guardians and encapsulates the network's
// half. The error is lock.ErrField, lock.ErrPoint or lock.ErrKey for terms out of
// bounds.
func NewGuardians(t GuardianTerms) (*Guardianship, error) { return newGuardians(t, rand.Reader) }

func newGuardians(t GuardianTerms, random io.Reader) (*Guardianship, error) {
	if t.Slot.Kind != lock.SlotGuardians || t.Key.Kind != lock.KeyGuardians || t.Key.Network != t.Slot.Network {
		return nil, fmt.Errorf("slot kind %d with network key kind %d: %w", t.Slot.Kind, t.Key.Kind, lock.ErrField)
	}
	if t.Threshold < 1 || t.Threshold > uint64(len(t.Guardians)) {
		return nil, fmt.Errorf("threshold %d of %d guardians: %w", t.Threshold, len(t.Guardians), lock.ErrField)
	}
	g := new(Guardianship)
	shared, err := g.share(t, random)
	if err != nil {
		return nil, err
	}
	encap, err := lock.NewEncapsulation(t.Key, random)
	if err != nil {
		return nil, err
	}
	gen, err := t.Key.Hash()
	if err != nil {
		return nil, err
	}
	ctx, err := lock.GuardianContext(t.Slot.Network, t.Slot.Vault, t.Slot.Slot, t.Slot.Revision, gen)
	if err != nil {
		return nil, err
	}
	g.Statement = lock.GuardianSlot{
		Context: ctx, Generation: gen, U: encap.U, UBar: encap.UBar, A0: g.Commitments[0], Signer: t.Signer,
	}
	label, err := g.Statement.Label()
	if err != nil {
		return nil, err
	}
	if g.Proof, err = encap.Prove(label, random); err != nil {
		return nil, err
	}
	g.Secret, err = guardianSecret(shared, encap.K)
	return g, err
}

// share draws polynomials until every guardian gets a share it can accept, and seals
// the shares. It returns the secret shared.
func (g *Guardianship) share(t GuardianTerms, random io.Reader) (lock.Scalar, error) {
	for {
		p, err := lock.NewPolynomial(t.Threshold, random)
		if err != nil {
			return lock.Scalar{}, err
		}
		shares := make([]lock.SecretShare, len(t.Guardians))
		for i := range shares {
			shares[i].Index = uint64(i) + 1
			if shares[i].Value, err = p.Share(shares[i].Index); err != nil {
				break
			}
		}
		if errors.Is(err, lock.ErrScalar) { // a share of zero
			continue
		}
		if err != nil {
			return lock.Scalar{}, err
		}
		g.Commitments = p.Commitments()
		g.Shares = make([][]byte, len(shares))
		for i, s := range shares {
			info, err := guardianInfo(t.Slot, s.Index, g.Commitments)
			if err != nil {
				return lock.Scalar{}, err
			}
			if g.Shares[i], err = lock.Seal(t.Guardians[i], info, s.Value.Bytes()); err != nil {
				return lock.Scalar{}, err
			}
		}
		return p.Secret(), nil
	}
}

// guardianInfo binds a sealed share to slot, place and commitments.
func guardianInfo(at SlotPlace, index uint64, c lock.Commitments) ([]byte, error) {
	if at.Revision == 0 || index == 0 || len(c) == 0 {
		return nil, fmt.Errorf("revision %d, place %d, %d commitments: %w", at.Revision, index, len(c), lock.ErrField)
	}
	fields := [][]byte{at.Network[:], at.Vault[:], at.Slot[:], lock.Uint(at.Revision), lock.Uint(index)}
	info := lock.H("phrd/v1/guardian", append(fields, c.Bytes()...)...)
	return info[:], nil
}

// OpenGuardianShare opens a guardian's share with the private key of the guardian's
// vault and checks it against the commitments. The error is lock.ErrField,
// lock.ErrPoint, or [ErrGuardians] where it does not open or does not fit.
func OpenGuardianShare(key *lock.PrivateKey, at SlotPlace, index uint64, c lock.Commitments, sealed []byte) (lock.SecretShare, error) {
	info, err := guardianInfo(at, index, c)
	if err != nil {
		return lock.SecretShare{}, err
	}
	plain, err := key.Open(info, sealed)
	if err != nil {
		return lock.SecretShare{}, fmt.Errorf("%w: %w", ErrGuardians, err)
	}
	return checkShare(plain, index, c)
}

// checkShare reads a guardian's share, which it clears, and checks it against the commitments.
func checkShare(plain []byte, index uint64, c lock.Commitments) (lock.SecretShare, error) {
	defer clear(plain)
	value, err := lock.ParseSecretScalar(plain)
	if err != nil {
		return lock.SecretShare{}, fmt.Errorf("%w: %w", ErrGuardians, err)
	}
	s := lock.SecretShare{Index: index, Value: value}
	if err := c.Check(uint64(len(c)), s); err != nil {
		return lock.SecretShare{}, fmt.Errorf("%w: %w", ErrGuardians, err)
	}
	return s, nil
}

// JoinGuardians joins guardians' shares, at least as many as there are commitments, and
// the network's half k to the secret of their slot. The error is [ErrGuardians] where
// shares are too few, repeated or wrong, and lock.ErrPoint for the identity.
func JoinGuardians(c lock.Commitments, shares []lock.SecretShare, k lock.Point) (SlotSecret, error) {
	if len(c) == 0 || len(shares) < len(c) {
		return SlotSecret{}, fmt.Errorf("%w: %d shares, want %d", ErrGuardians, len(shares), len(c))
	}
	for _, s := range shares {
		if err := c.Check(uint64(len(c)), s); err != nil {
			return SlotSecret{}, fmt.Errorf("%w: %w", ErrGuardians, err)
		}
	}
	g, err := lock.Interpolate(shares[:len(c)])
	if err != nil {
		return SlotSecret{}, fmt.Errorf("%w: %w", ErrGuardians, err)
	}
	if !g.Public().Equal(c[0]) {
		return SlotSecret{}, fmt.Errorf("%w: they join to another secret", ErrGuardians)
	}
	return guardianSecret(g, k)
}
