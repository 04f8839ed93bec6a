package phr

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// VaultFile is what a patient's program keeps beside the key files: the vault as it went to the block store, with the
// slots that open it. Without a key, a recovery code or the wallet and its pepper nothing in it is readable.
type VaultFile struct {
	Patient  string      `json:"patient"`  // patient number
	Address  string      `json:"address"`  // the account that owns the vault
	ChainID  string      `json:"chain_id"` //
	Network  []byte      `json:"network"`  // network id, 32 bytes
	Vault    string      `json:"vault"`    // vault id
	Epoch    uint64      `json:"epoch"`    // newest epoch
	Revision uint64      `json:"revision"` //
	Blob     []byte      `json:"blob"`     // sealed vault
	Key      []byte      `json:"key"`      // public key of the newest epoch, 1216 bytes
	Slots    []VaultSlot `json:"slots"`
	// Guardians of this revision, nil where it has none.
	Guardians *VaultGuardians `json:"guardians,omitempty"`
}

// VaultSlot is one way to open a vault.
type VaultSlot struct {
	Kind     string `json:"kind"` // "wallet", "code", "guardians" or, made by a page, "passkey"
	ID       string `json:"id"`
	Revision uint64 `json:"revision"`
	Site     string `json:"site,omitempty"` // of a wallet slot: stands in the text that the wallet signs
	Wrapped  []byte `json:"wrapped"`
	// Collect, of a code or a passkey, is the public key by which who has it may collect the wallet slot's pepper. It stays on this device.
	Collect []byte `json:"collect,omitempty"`
}

const (
	slotWallet    = "wallet"
	slotCode      = "code"
	slotPasskey   = "passkey"
	slotGuardians = "guardians"
)

// vaultSecrets is what stays on the device: it opens the vault without a wallet's signature, and the pepper is half of
// what a wallet slot needs.
type vaultSecrets struct {
	KV     []byte `json:"kv"`
	Pepper []byte `json:"pepper,omitempty"`
}

// vaultSecretOf is the name under which [Secrets] keep what opens a revision of the vault on this device.
func vaultSecretOf(revision uint64) string {
	if revision == firstRevision {
		return "vault/patient"
	}
	return "vault/patient-" + strconv.FormatUint(revision, 10)
}

// vaultSecrets is what Secrets keep for the vault's revision.
func (c *Client) vaultSecrets(f VaultFile) (vaultSecrets, error) {
	var kept vaultSecrets
	encoded, err := c.secrets.Get(vaultSecretOf(f.Revision))
	if err != nil {
		return kept, fmt.Errorf("%w: %w", err, ErrVault)
	}
	defer clear(encoded)
	if err := json.Unmarshal(encoded, &kept); err != nil {
		return kept, fmt.Errorf("vault secrets: %w: %w", err, ErrVault)
	}
	return kept, nil
}

// keepVaultSecrets gives Secrets what opens the vault's revision.
func (c *Client) keepVaultSecrets(f VaultFile, kept vaultSecrets) error {
	encoded, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encode vault secrets: %w", err)
	}
	defer clear(encoded)
	return c.secrets.Put(vaultSecretOf(f.Revision), encoded)
}

// slotKinds are the kinds of slots as the file and the chain's block have them.
var slotKinds = map[string]lock.SlotKind{
	slotWallet: lock.SlotWallet, slotCode: lock.SlotCode, slotPasskey: lock.SlotPasskey, slotGuardians: lock.SlotGuardians,
}

// block is the vault as the block store has it: the blob with its slots.
func (f VaultFile) block() (lock.CID, []byte, error) {
	chest := seal.Chest{Blob: f.Blob}
	for _, s := range f.Slots {
		id, err := lock.ParseID(s.ID)
		if err != nil {
			return lock.CID{}, nil, fmt.Errorf("slot: %w: %w", err, ErrVault)
		}
		chest.Slots = append(chest.Slots, seal.Slot{Kind: slotKinds[s.Kind], ID: id, Revision: s.Revision, Site: s.Site, Wrapped: s.Wrapped})
	}
	slices.SortFunc(chest.Slots, func(a, b seal.Slot) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	block, err := chest.Encode()
	if err != nil {
		return lock.CID{}, nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	return lock.RawCID(sha256.Sum256(block)), block, nil
}

// slotsOf reads the slots of a vault's block. Kinds that this program does not know are left out.
func slotsOf(chest *seal.Chest) []VaultSlot {
	var slots []VaultSlot
	for _, s := range chest.Slots {
		for kind, number := range slotKinds {
			if number == s.Kind {
				slots = append(slots, VaultSlot{Kind: kind, ID: s.ID.String(), Revision: s.Revision, Site: s.Site, Wrapped: s.Wrapped})
			}
		}
	}
	return slots
}

// Vault is a patient's or a hospital's vault in the program's memory: it opens owner halves.
type Vault struct {
	recipient seal.Recipient
	key       func(epoch uint64) (*lock.PrivateKey, error) // nil for an epoch whose key is not there
	newest    seal.VaultKey                                // to which the owner's program seals
	sealed    *seal.Vault                                  // of a patient
}

// OpenVault opens the patient's vault with what [Client.PreparePatient] left in Secrets.
func (c *Client) OpenVault(f VaultFile) (*Vault, error) {
	kept, err := c.vaultSecrets(f)
	if err != nil {
		return nil, err
	}
	kv, err := seal.KVFromBytes(kept.KV)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	return f.open(kv)
}

// OpenVaultByCode opens the patient's vault with the recovery code.
func (f VaultFile) OpenVaultByCode(words string) (*Vault, error) {
	kv, err := f.kvByCode(words)
	if err != nil {
		return nil, err
	}
	return f.open(kv)
}

// kvByCode is the key of the vault's blob, by the recovery code.
func (f VaultFile) kvByCode(words string) (seal.KV, error) {
	code, err := seal.ParseCode(words)
	if err != nil {
		return seal.KV{}, fmt.Errorf("%w: %w", err, ErrVault)
	}
	_, kv, err := f.codeSlot(code)
	return kv, err
}

// codeSlot is the slot that a recovery code opens, by its place in the file, and the key of the vault's blob.
func (f VaultFile) codeSlot(code seal.Code) (int, seal.KV, error) {
	return f.openSlot(slotCode, func(VaultSlot) (*seal.SlotSecret, error) {
		secret := seal.CodeSecret(code)
		return &secret, nil
	})
}

// WithCode is the file with what it keeps of who may collect the wallet slot's pepper: whoever has the recovery code. Files of programs of
// before lack it. The error is ErrVault where the code does not open the vault.
func (f VaultFile) WithCode(words string) (VaultFile, error) {
	code, err := seal.ParseCode(words)
	if err != nil {
		return f, fmt.Errorf("%w: %w", err, ErrVault)
	}
	i, _, err := f.codeSlot(code)
	if err != nil {
		return f, err
	}
	f.Slots = slices.Clone(f.Slots)
	f.Slots[i].Collect, err = f.collectKey(f.Slots[i], seal.CodeSecret(code))
	return f, err
}

// collectKey is the public key by which who has the secret of a slot may collect the pepper.
func (f VaultFile) collectKey(slot VaultSlot, secret seal.SlotSecret) ([]byte, error) {
	place, err := f.place(slot)
	if err != nil {
		return nil, err
	}
	key, err := place.PepperKey(secret)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return bytes.Clone(key[ed25519.SeedSize:]), nil
}

// walletSlot is the vault's slot that the wallet and the pepper open.
func (f VaultFile) walletSlot() (VaultSlot, bool) {
	i := slices.IndexFunc(f.Slots, func(s VaultSlot) bool { return s.Kind == slotWallet })
	if i < 0 {
		return VaultSlot{}, false
	}
	return f.Slots[i], true
}

// OpenVaultByWallet opens the patient's vault with a signature of the wallet and the pepper that Secrets keep.
func (c *Client) OpenVaultByWallet(f VaultFile) (*Vault, error) {
	kept, err := c.vaultSecrets(f)
	if err != nil {
		return nil, err
	}
	kv, err := c.openByWallet(f, kept.Pepper)
	if err != nil {
		return nil, err
	}
	return f.open(kv)
}

// openByWallet is the key of the vault's blob, by a signature of the wallet and a pepper.
func (c *Client) openByWallet(f VaultFile, kept []byte) (seal.KV, error) {
	pepper, err := seal.PepperFromBytes(kept)
	if err != nil {
		return seal.KV{}, fmt.Errorf("%w: %w", err, ErrVault)
	}
	_, kv, err := f.openSlot(slotWallet, func(slot VaultSlot) (*seal.SlotSecret, error) { return f.walletSecret(slot, c.key, pepper) })
	return kv, err
}

// openSlot tries the slots of a kind, and returns the place in the file of the one that opens and the key of the vault's blob.
func (f VaultFile) openSlot(kind string, secret func(VaultSlot) (*seal.SlotSecret, error)) (int, seal.KV, error) {
	err := fmt.Errorf("it has no %s slot: %w", kind, ErrVault)
	for i, slot := range f.Slots {
		if slot.Kind != kind {
			continue
		}
		s, failed := secret(slot)
		if failed == nil && s == nil {
			failed = errors.New("the wallet signs differently each time")
		}
		if failed != nil {
			return 0, seal.KV{}, fmt.Errorf("%w: %w", failed, ErrVault)
		}
		place, failed := f.place(slot)
		if failed != nil {
			return 0, seal.KV{}, failed
		}
		kv, failed := place.Unwrap(*s, slot.Wrapped)
		if failed == nil {
			return i, kv, nil
		}
		err = fmt.Errorf("%w: %w", failed, ErrVault)
	}
	return 0, seal.KV{}, err
}

func (f VaultFile) open(kv seal.KV) (*Vault, error) {
	network, err := lock.NetworkFromBytes(f.Network)
	if err != nil {
		return nil, fmt.Errorf("network: %w: %w", err, ErrVault)
	}
	id, err := lock.ParseID(f.Vault)
	if err != nil {
		return nil, fmt.Errorf("vault: %w: %w", err, ErrVault)
	}
	number, err := lock.ParseID(f.Patient)
	if err != nil {
		return nil, fmt.Errorf("patient: %w: %w", err, ErrVault)
	}
	opened, err := seal.OpenVault(seal.VaultPlace{Network: network, Vault: id, Newest: f.Epoch, Revision: f.Revision}, kv, f.Blob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	recipient := seal.PatientRecipient(number)
	key := func(epoch uint64) (*lock.PrivateKey, error) {
		key, _ := opened.Key(epoch)
		return key, nil
	}
	return &Vault{recipient: recipient, key: key, newest: opened.Public(recipient), sealed: opened}, nil
}

// HospitalVault is the vault of a hospital, for records of its own: seeds by epoch, each the 32 bytes of an X-Wing key.
func HospitalVault(hospital uint64, seeds map[uint64][]byte) (*Vault, error) {
	recipient, err := seal.HospitalRecipient(hospital)
	if err != nil {
		return nil, err
	}
	keys := make(map[uint64]*lock.PrivateKey, len(seeds))
	v := &Vault{recipient: recipient, key: func(epoch uint64) (*lock.PrivateKey, error) { return keys[epoch], nil }}
	for epoch, seed := range seeds {
		if keys[epoch], err = lock.NewPrivateKey(seed); err != nil {
			return nil, fmt.Errorf("epoch %d: %w: %w", epoch, err, ErrVault)
		}
		if epoch > v.newest.Epoch {
			v.newest = seal.VaultKey{Recipient: recipient, Epoch: epoch, Key: keys[epoch].Public()}
		}
	}
	return v, nil
}

// Epoch of the vault's newest key.
func (v *Vault) Epoch() uint64 { return v.newest.Epoch }

// Epochs whose keys a patient's vault has, ascending; none for a hospital's.
func (v *Vault) Epochs() []uint64 {
	if v.sealed == nil {
		return nil
	}
	return v.sealed.Epochs()
}

// Has tells whether the vault has its key of an epoch. One that was begun anew, without words and guardians, lacks those from before.
func (v *Vault) Has(epoch uint64) (bool, error) {
	key, err := v.key(epoch)
	return key != nil, err
}

// openOwn opens the owner's half in an envelope, whatever epoch it is sealed to, and checks it against Pc.
func (v *Vault) openOwn(h seal.Header, e *seal.Envelope) (*seal.Half, error) {
	for _, own := range e.Own {
		if own.Recipient != v.recipient {
			continue
		}
		key, err := v.key(own.Epoch)
		if err != nil {
			return nil, err
		}
		if key == nil {
			continue
		}
		half, err := e.OpenOwn(h, v.recipient, key)
		if err != nil {
			return nil, err
		}
		return &half, nil
	}
	return nil, fmt.Errorf("envelope is sealed to no key of this vault: %w", ErrVault)
}
