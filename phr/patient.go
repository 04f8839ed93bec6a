package phr

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

const (
	// vaultKeyPart is the longest field that a hardware wallet shows; the vault's key travels in parts of it.
	vaultKeyPart = 64
	// firstRevision of a vault's blob.
	firstRevision = 1
	// DefaultSite stands in the text that a wallet signs to open a vault, where the consortium has fixed no host for it.
	DefaultSite = "phrd"
	// vaultSecret is the name under which [Secrets] keep what opens the vault on this device.
	vaultSecret = "vault/patient"
)

// VaultFile is what a patient's program keeps beside the key files: the vault as it went to the block store, and the
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
}

// VaultSlot is one way to open a vault.
type VaultSlot struct {
	Kind     string `json:"kind"` // "wallet" or "code"
	ID       string `json:"id"`
	Revision uint64 `json:"revision"`
	Site     string `json:"site,omitempty"` // of a wallet slot: stands in the text that the wallet signs
	Wrapped  []byte `json:"wrapped"`
}

const (
	slotWallet = "wallet"
	slotCode   = "code"
)

// vaultSecrets is what stays on the device: it opens the vault without a wallet's signature, and the pepper is half of
// what a wallet slot needs.
type vaultSecrets struct {
	KV     []byte `json:"kv"`
	Pepper []byte `json:"pepper,omitempty"`
}

// NewPatient is a patient who is ready to be registered.
type NewPatient struct {
	// File goes to the patient's home.
	File VaultFile
	// Code is the recovery code, 24 words, to be written down. It is kept nowhere.
	Code string
	// WalletSlot says whether the wallet can open the vault too: it gave the same signature twice.
	WalletSlot bool
}

// PreparePatient draws a patient number, a vault with its first key, and a recovery code, and keeps what opens the vault
// in Secrets. Nothing leaves the program. The caller keeps the file, shows the code, and then calls
// [Client.RegisterPatient]; so a crash at any point loses nothing that anybody knows of.
func (c *Client) PreparePatient(site string) (*NewPatient, error) {
	number, err := lock.NewID(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw patient number: %w", err)
	}
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw vault id: %w", err)
	}
	vault, err := seal.NewVault(id)
	if err != nil {
		return nil, err
	}
	kv, err := seal.NewKV()
	if err != nil {
		return nil, err
	}
	blob, err := vault.Seal(c.network, firstRevision, kv)
	if err != nil {
		return nil, err
	}
	public := vault.Public(seal.PatientRecipient(number))
	p := &NewPatient{File: VaultFile{
		Patient: number.String(), Address: c.key.Address(), ChainID: c.chainID, Network: c.network[:], Vault: id.String(),
		Epoch: vault.Newest(), Revision: firstRevision, Blob: blob, Key: public.Key.Bytes(),
	}}
	pepper, err := seal.NewPepper()
	if err != nil {
		return nil, err
	}
	kept := vaultSecrets{KV: kv.Bytes()}
	if p.WalletSlot, err = p.File.addWallet(c.key, site, pepper, kv); err != nil {
		return nil, err
	}
	if p.WalletSlot {
		kept.Pepper = pepper.Bytes()
	}
	if p.Code, err = p.File.addCode(kv); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode vault secrets: %w", err)
	}
	defer clear(encoded)
	return p, c.secrets.Put(vaultSecret, encoded)
}

// addCode adds a slot that a fresh recovery code opens, and returns the code.
func (f *VaultFile) addCode(kv seal.KV) (string, error) {
	code, err := seal.NewCode()
	if err != nil {
		return "", err
	}
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("draw slot id: %w", err)
	}
	return code.Words(), f.add(VaultSlot{Kind: slotCode, ID: id.String(), Revision: f.Revision}, seal.CodeSecret(code), kv)
}

// addWallet adds a slot that the wallet's signature and the pepper open, unless two signatures of the wallet over the
// same text differ: such a wallet could not open it again.
func (f *VaultFile) addWallet(key Wallet, site string, pepper seal.Pepper, kv seal.KV) (bool, error) {
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		return false, fmt.Errorf("draw slot id: %w", err)
	}
	slot := VaultSlot{Kind: slotWallet, ID: id.String(), Revision: f.Revision, Site: site}
	first, err := f.walletSecret(slot, key, pepper)
	if err != nil {
		return false, err
	}
	if first == nil {
		return false, nil
	}
	return true, f.add(slot, *first, kv)
}

// walletSecret has the wallet sign the text of a slot twice. It returns nil where the signatures differ.
func (f *VaultFile) walletSecret(slot VaultSlot, key Wallet, pepper seal.Pepper) (*seal.SlotSecret, error) {
	place, err := f.place(slot)
	if err != nil {
		return nil, err
	}
	request := seal.WalletRequest{
		Network: place.Network, ChainID: f.ChainID, Account: f.Address, Vault: place.Vault, Slot: place.Slot, Site: slot.Site,
	}
	text, err := request.Text()
	if err != nil {
		return nil, err
	}
	signature := key.SignArbitrary(text)
	if subtle.ConstantTimeCompare(signature, key.SignArbitrary(text)) != 1 {
		return nil, nil
	}
	secret, err := seal.WalletSecret(request, key.PublicKey(), signature, pepper)
	if err != nil {
		return nil, err
	}
	return &secret, nil
}

func (f *VaultFile) add(slot VaultSlot, secret seal.SlotSecret, kv seal.KV) error {
	place, err := f.place(slot)
	if err != nil {
		return err
	}
	if slot.Wrapped, err = place.Wrap(secret, kv); err != nil {
		return err
	}
	f.Slots = append(f.Slots, slot)
	return nil
}

// place is what the wrapping of a slot binds.
func (f *VaultFile) place(slot VaultSlot) (seal.SlotPlace, error) {
	kinds := map[string]lock.SlotKind{slotWallet: lock.SlotWallet, slotCode: lock.SlotCode}
	p := seal.SlotPlace{Kind: kinds[slot.Kind], Revision: slot.Revision}
	var err error
	if p.Network, err = lock.NetworkFromBytes(f.Network); err != nil {
		return p, fmt.Errorf("network: %w: %w", err, ErrVault)
	}
	account, err := wallet.ParseAddress(f.Address)
	if err != nil {
		return p, fmt.Errorf("%w: %w", err, ErrVault)
	}
	p.Account = [wallet.AddressSize]byte(account)
	if p.Vault, err = lock.ParseID(f.Vault); err != nil {
		return p, fmt.Errorf("vault: %w: %w", err, ErrVault)
	}
	if p.Slot, err = lock.ParseID(slot.ID); err != nil {
		return p, fmt.Errorf("slot: %w: %w", err, ErrVault)
	}
	return p, nil
}

// RegisterPatient uploads the vault and binds the client's account to the patient number. The account was opened with an
// invitation. The error is *Refused where the account, the number or the vault are known already.
func (c *Client) RegisterPatient(ctx context.Context, f VaultFile) (Receipt, error) {
	blob := lock.RawCID(sha256.Sum256(f.Blob))
	if err := c.putBlock(ctx, blob, f.Blob); err != nil {
		return Receipt{}, fmt.Errorf("upload vault: %w", err)
	}
	msg := &recordsv1.MsgRegisterPatient{
		Address: c.key.Address(), Patient: f.Patient, Vault: f.Vault, VaultBlob: blob.String(), VaultSize: uint64(len(f.Blob)),
	}
	for rest := f.Key; len(rest) > 0; {
		n := min(vaultKeyPart, len(rest))
		msg.VaultKey, rest = append(msg.VaultKey, rest[:n]), rest[n:]
	}
	receipt, err := c.send(ctx, c.amino, 2*gasBase, msg, &recordsv1.MsgRegisterPatientResponse{})
	return receipt, err
}

// Patient is a patient by number, with the public key of the vault. Staff and the patient may ask.
func (c *Client) Patient(ctx context.Context, number string) (*recordsv1.Patient, error) {
	answer, err := c.records().Patient(ctx, &recordsv1.QueryPatientRequest{Id: number})
	return answer.GetPatient(), err
}

// Vault is a patient's or a hospital's vault in the program's memory: it opens owner halves.
type Vault struct {
	recipient seal.Recipient
	key       func(epoch uint64) (*lock.PrivateKey, bool)
}

// OpenVault opens the patient's vault with what [Client.PreparePatient] left in Secrets.
func (c *Client) OpenVault(f VaultFile) (*Vault, error) {
	encoded, err := c.secrets.Get(vaultSecret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	defer clear(encoded)
	var kept vaultSecrets
	if err := json.Unmarshal(encoded, &kept); err != nil {
		return nil, fmt.Errorf("vault secrets: %w: %w", err, ErrVault)
	}
	kv, err := seal.KVFromBytes(kept.KV)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	return f.open(kv)
}

// OpenVaultByCode opens the patient's vault with the recovery code.
func (f VaultFile) OpenVaultByCode(words string) (*Vault, error) {
	code, err := seal.ParseCode(words)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	return f.openSlot(slotCode, func(VaultSlot) (*seal.SlotSecret, error) {
		secret := seal.CodeSecret(code)
		return &secret, nil
	})
}

// OpenVaultByWallet opens the patient's vault with a signature of the wallet and the pepper that Secrets keep.
func (c *Client) OpenVaultByWallet(f VaultFile) (*Vault, error) {
	encoded, err := c.secrets.Get(vaultSecret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	defer clear(encoded)
	var kept vaultSecrets
	if err := json.Unmarshal(encoded, &kept); err != nil {
		return nil, fmt.Errorf("vault secrets: %w: %w", err, ErrVault)
	}
	pepper, err := seal.PepperFromBytes(kept.Pepper)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	return f.openSlot(slotWallet, func(slot VaultSlot) (*seal.SlotSecret, error) { return f.walletSecret(slot, c.key, pepper) })
}

// openSlot tries the slots of a kind.
func (f VaultFile) openSlot(kind string, secret func(VaultSlot) (*seal.SlotSecret, error)) (*Vault, error) {
	err := fmt.Errorf("it has no %s slot: %w", kind, ErrVault)
	for _, slot := range f.Slots {
		if slot.Kind != kind {
			continue
		}
		s, failed := secret(slot)
		if failed == nil && s == nil {
			failed = errors.New("the wallet signs differently each time")
		}
		if failed != nil {
			return nil, fmt.Errorf("%w: %w", failed, ErrVault)
		}
		place, failed := f.place(slot)
		if failed != nil {
			return nil, failed
		}
		kv, failed := place.Unwrap(*s, slot.Wrapped)
		if failed == nil {
			return f.open(kv)
		}
		err = fmt.Errorf("%w: %w", failed, ErrVault)
	}
	return nil, err
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
	return &Vault{recipient: seal.PatientRecipient(number), key: opened.Key}, nil
}

// HospitalVault is the vault of a hospital, for records of its own: seeds by epoch, each the 32 bytes of an X-Wing key.
func HospitalVault(hospital uint64, seeds map[uint64][]byte) (*Vault, error) {
	recipient, err := seal.HospitalRecipient(hospital)
	if err != nil {
		return nil, err
	}
	keys := make(map[uint64]*lock.PrivateKey, len(seeds))
	for epoch, seed := range seeds {
		if keys[epoch], err = lock.NewPrivateKey(seed); err != nil {
			return nil, fmt.Errorf("epoch %d: %w: %w", epoch, err, ErrVault)
		}
	}
	return &Vault{recipient: recipient, key: func(epoch uint64) (*lock.PrivateKey, bool) {
		key, ok := keys[epoch]
		return key, ok
	}}, nil
}

// openOwn opens the owner's half in an envelope, whatever epoch it is sealed to, and checks it against Pc.
func (v *Vault) openOwn(h seal.Header, e *seal.Envelope) (*seal.Half, error) {
	for _, own := range e.Own {
		if own.Recipient != v.recipient {
			continue
		}
		key, ok := v.key(own.Epoch)
		if !ok {
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
