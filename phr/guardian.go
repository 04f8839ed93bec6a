package phr

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// Guardians says who together, and with the network's half, can open a vault when wallet, devices and recovery code are lost.
type Guardians struct {
	// Numbers are the patient numbers of the guardians, 2 to 8.
	Numbers []string
	// Threshold is how many of them are needed, at least 2.
	Threshold uint32
	// Delay between the last approval and the release, in which whoever has the wallet can cancel it; whole seconds, at least what the network
	// asks for.
	Delay time.Duration
}

// VaultGuardians are the guardians of one revision of a vault, as its program makes them known to the network. Nothing in it is secret:
// each share is sealed to its guardian's vault.
type VaultGuardians struct {
	Guardians   []string `json:"guardians"` // patient numbers
	Threshold   uint32   `json:"threshold"`
	Delay       uint64   `json:"delay"` // seconds
	Slot        string   `json:"slot"`
	Generation  uint64   `json:"generation"`
	Commitments [][]byte `json:"commitments"`
	U           []byte   `json:"u"`
	UBar        []byte   `json:"u_bar"`
	Proof       []byte   `json:"proof"`
	Shares      []byte   `json:"shares"` // the block
}

// guardianVaults are the guardians of a vault that is being written, with the keys to which the shares are sealed.
type guardianVaults struct {
	Guardians
	key  lock.Generation
	keys []lock.PublicKey
}

// guardiansFor reads what it takes to make guardians of a vault: those who are wanted, or where nothing is said those whom the patient
// has. It answers nil for none. Their keys are read at two hospitals, for a share that is sealed to another key is somebody else's.
func (c *Client) guardiansFor(ctx context.Context, patient string, want *Guardians) (*guardianVaults, error) {
	if want == nil {
		named, err := c.PatientGuardians(ctx, patient)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("guardians: %w", err)
		}
		want = &Guardians{Numbers: named.GetGuardians(), Threshold: named.GetThreshold(), Delay: time.Duration(named.GetDelay()) * time.Second} // #nosec G115 -- bounded by the chain
	}
	if len(want.Numbers) == 0 {
		return nil, nil
	}
	g := &guardianVaults{Guardians: *want}
	doors, _, err := c.witnesses(ctx, 0)
	if err != nil {
		return nil, err
	}
	for i, d := range doors {
		seen, err := c.guardianVaults(ctx, d, want.Numbers)
		if err != nil {
			return nil, fmt.Errorf("as %s shows it: %w", d.describe().Name, err)
		}
		if i > 0 && !g.alike(seen) {
			return nil, fmt.Errorf("%s and %s show other keys of the guardians: %w", doors[0].describe().Name, d.describe().Name, ErrDisagree)
		}
		g.key, g.keys = seen.key, seen.keys
	}
	return g, nil
}

// guardianVaults reads the keys of guardians, and the network's for their slot, over one connection.
func (c *Client) guardianVaults(ctx context.Context, conn grpc.ClientConnInterface, numbers []string) (*guardianVaults, error) {
	g := &guardianVaults{}
	var err error
	if g.key, _, err = generationOf(ctx, c.network, custodyv1.NewQueryClient(conn), custodyv1.KeyKind_KEY_KIND_GUARDIANS, 0); err != nil {
		return nil, fmt.Errorf("the network's key for guardians: %w", err)
	}
	for _, number := range numbers {
		answer, err := accessv1.NewQueryClient(conn).GuardianKey(ctx, &accessv1.QueryGuardianKeyRequest{Guardian: number})
		if err != nil {
			return nil, fmt.Errorf("guardian %s: %w", number, err)
		}
		key, err := lock.ParsePublicKey(answer.GetKey())
		if err != nil {
			return nil, fmt.Errorf("guardian %s: %w", number, err)
		}
		g.keys = append(g.keys, key)
	}
	return g, nil
}

// alike tells whether two hospitals show the same keys.
func (g *guardianVaults) alike(other *guardianVaults) bool {
	if g.key.Number != other.key.Number || !g.key.X.Equal(other.key.X) || len(g.keys) != len(other.keys) {
		return false
	}
	for i := range g.keys {
		if !bytes.Equal(g.keys[i].Bytes(), other.keys[i].Bytes()) {
			return false
		}
	}
	return true
}

// addGuardians adds a slot that the guardians open together with the network's half.
func (f *VaultFile) addGuardians(g *guardianVaults, kv seal.KV) error {
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		return fmt.Errorf("draw slot id: %w", err)
	}
	slot := VaultSlot{Kind: slotGuardians, ID: id.String(), Revision: f.Revision}
	place, err := f.place(slot)
	if err != nil {
		return err
	}
	made, err := seal.NewGuardians(seal.GuardianTerms{Slot: place, Key: g.key, Threshold: uint64(g.Threshold), Guardians: g.keys, Signer: place.Account})
	if err != nil {
		return fmt.Errorf("guardians: %w", err)
	}
	shares, err := seal.EncodeShares(made.Shares)
	if err != nil {
		return fmt.Errorf("guardians: %w", err)
	}
	f.Guardians = &VaultGuardians{
		Guardians: g.Numbers, Threshold: g.Threshold, Delay: uint64(g.Delay / time.Second), Slot: slot.ID, Generation: g.key.Number, // #nosec G115 -- not negative
		Commitments: made.Commitments.Bytes(), U: made.Statement.U.Bytes(), UBar: made.Statement.UBar.Bytes(), Proof: made.Proof, Shares: shares,
	}
	return f.add(slot, made.Secret, kv)
}

// SetGuardians makes the guardians of a vault known to the network, whom [Client.PrepareVault] has made and whose vault it has. It does
// nothing where the vault has none, where they are known, and where the vault was written anew since. [Client.WriteVault] does it where the
// wallet stays; after another wallet took its place, that one's program does.
func (c *Client) SetGuardians(ctx context.Context, f VaultFile) (Receipt, error) {
	g := f.Guardians
	if g == nil {
		return Receipt{}, nil
	}
	known, err := c.PatientGuardians(ctx, f.Patient)
	if err == nil && known.GetRevision() == f.Revision {
		return Receipt{}, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Receipt{}, err
	}
	p, err := c.Patient(ctx, f.Patient)
	if err != nil || p.GetVault().GetRevision() != f.Revision {
		return Receipt{}, err
	}
	cid := lock.RawCID(sha256.Sum256(g.Shares))
	hospital, err := c.putBlocks(ctx, map[lock.CID][]byte{cid: g.Shares})
	if err != nil {
		return Receipt{}, fmt.Errorf("upload guardians' shares: %w", err)
	}
	msg := &accessv1.MsgSetGuardians{
		Owner: c.key.Address(), Guardians: g.Guardians, Threshold: g.Threshold, Delay: delayText(g.Delay), Slot: g.Slot, Revision: f.Revision,
		Generation: g.Generation, Commitments: g.Commitments, U: g.U, UBar: g.UBar, Proof: g.Proof,
		Shares: cid.String(), SharesSize: uint64(len(g.Shares)), Hospital: hospital,
	}
	return c.send(ctx, c.amino, gasFor(len(g.Guardians)), msg, &accessv1.MsgSetGuardiansResponse{})
}

// delayText is a delay as a wallet shows it.
func delayText(seconds uint64) string {
	const day = 24 * 60 * 60
	if seconds > 0 && seconds%day == 0 {
		return fmt.Sprintf("%d days", seconds/day)
	}
	return fmt.Sprintf("%d seconds", seconds)
}

// PatientGuardians are the guardians of a patient; ErrNotFound where there are none. The patient, the guardians, and an account that is
// nobody's yet may ask.
func (c *Client) PatientGuardians(ctx context.Context, patient string) (*accessv1.Guardians, error) {
	answer, err := accessv1.NewQueryClient(c).Guardians(ctx, &accessv1.QueryGuardiansRequest{Patient: patient})
	return answer.GetGuardians(), err
}

// Guarded lists the guardians of each patient whose guardian the account is.
func (c *Client) Guarded(ctx context.Context) iter.Seq2[*accessv1.Guardians, error] {
	return func(yield func(*accessv1.Guardians, error) bool) {
		self, err := c.self(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		list := pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*accessv1.Guardians, *queryv1.PageResponse, error) {
			answer, err := accessv1.NewQueryClient(c).Guarded(ctx, &accessv1.QueryGuardedRequest{Guardian: self.GetId(), Pagination: page})
			return answer.GetGuarded(), answer.GetPagination(), err
		})
		for g, err := range list {
			if !yield(g, err) {
				return
			}
		}
	}
}

// CheckGuardian makes sure that a guardian could give the share of a patient's vault: it opens with the guardian's vault and fits what
// the patient's program committed to. The error is seal.ErrGuardians or ErrVault where it does not; then the patient should name the guardians anew.
func (c *Client) CheckGuardian(ctx context.Context, vault *Vault, patient string) error {
	g, err := c.PatientGuardians(ctx, patient)
	if err != nil {
		return err
	}
	_, err = c.ownShare(ctx, vault, g)
	return err
}

// ShareEpochs are the epochs of a guardian's vault to which shares of other patients' vaults are sealed: a key that is deleted takes them with
// it. Shares that do not open are left out.
func (c *Client) ShareEpochs(ctx context.Context, vault *Vault) ([]uint64, error) {
	var epochs []uint64
	for g, err := range c.Guarded(ctx) {
		if err != nil {
			return nil, err
		}
		place, sealed, err := c.sealedShare(ctx, g)
		if err != nil {
			return nil, err
		}
		if _, epoch, err := c.openShare(vault, g, place, sealed); err == nil {
			epochs = append(epochs, epoch)
		}
	}
	return epochs, nil
}

// ownShare opens the share of the account's patient.
func (c *Client) ownShare(ctx context.Context, vault *Vault, g *accessv1.Guardians) (lock.SecretShare, error) {
	place, sealed, err := c.sealedShare(ctx, g)
	if err != nil {
		return lock.SecretShare{}, err
	}
	share, _, err := c.openShare(vault, g, place, sealed)
	return share, err
}

// sealedShare reads the share of the account's patient, and its place.
func (c *Client) sealedShare(ctx context.Context, g *accessv1.Guardians) (place uint64, sealed []byte, err error) {
	self, err := c.self(ctx)
	if err != nil {
		return 0, nil, err
	}
	i := slices.Index(g.GetGuardians(), self.GetId())
	if i < 0 {
		return 0, nil, fmt.Errorf("patient %s is no guardian of %s: %w", self.GetId(), g.GetPatient(), ErrNotFound)
	}
	cid, err := lock.ParseRawCID(g.GetShares())
	if err != nil {
		return 0, nil, fmt.Errorf("guardians' shares: %w", err)
	}
	block, err := c.smallBlock(ctx, cid, url.Values{"guarded": {g.GetPatient()}})
	if err != nil {
		return 0, nil, fmt.Errorf("guardians' shares: %w", err)
	}
	shares, err := seal.DecodeShares(cid, block)
	if err != nil {
		return 0, nil, err
	}
	if len(shares) != len(g.GetGuardians()) {
		return 0, nil, fmt.Errorf("%d shares of %d guardians: %w", len(shares), len(g.GetGuardians()), seal.ErrGuardians)
	}
	return uint64(i) + 1, shares[i], nil
}

// openShare tries the keys of the guardian's vault, newest first: the share is sealed to the one that was the newest when it was made, whose
// epoch is the second answer.
func (c *Client) openShare(vault *Vault, g *accessv1.Guardians, place uint64, sealed []byte) (lock.SecretShare, uint64, error) {
	at, commitments, err := c.slotOf(g)
	if err != nil {
		return lock.SecretShare{}, 0, err
	}
	failed := fmt.Errorf("the vault has no keys: %w", ErrVault)
	for _, epoch := range slices.Backward(vault.Epochs()) {
		key, err := vault.key(epoch)
		if err != nil {
			return lock.SecretShare{}, 0, err
		}
		share, err := seal.OpenGuardianShare(key, at, place, commitments, sealed)
		if err == nil {
			return share, epoch, nil
		}
		failed = err
	}
	return lock.SecretShare{}, 0, failed
}

// slotOf is where the guardians' slot belongs, and what its secret was committed to.
func (c *Client) slotOf(g *accessv1.Guardians) (at seal.SlotPlace, commitments lock.Commitments, err error) {
	at = seal.SlotPlace{Network: c.network, Kind: lock.SlotGuardians, Revision: g.GetRevision()}
	owner, err := wallet.ParseAddress(g.GetOwner())
	if err != nil {
		return at, nil, err
	}
	at.Account = [wallet.AddressSize]byte(owner)
	if at.Vault, err = lock.ParseCanonicalID(g.GetVault()); err != nil {
		return at, nil, fmt.Errorf("vault: %w", err)
	}
	if at.Slot, err = lock.ParseCanonicalID(g.GetSlot()); err != nil {
		return at, nil, fmt.Errorf("slot: %w", err)
	}
	commitments, err = lock.ParseCommitments(uint64(g.GetThreshold()), g.GetCommitments())
	return at, commitments, err
}
