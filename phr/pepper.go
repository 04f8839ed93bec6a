package phr

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// kindPepperDeposited is the kind of the entry that names the hospital which keeps a pepper.
const kindPepperDeposited = "pepper_deposited"

// KeptPepper is what a hospital's gateway says of the pepper that it keeps for the patient: everything but the pepper. With the pepper and
// a signature of the wallet the vault opens; with one of them alone it does not.
type KeptPepper struct {
	// At is the hospital's gateway.
	At Door `json:"at"`
	// Vault, Slot and Revision say of which wallet's slot it is.
	Vault    string `json:"vault"`
	Slot     string `json:"slot"`
	Revision uint64 `json:"revision"`
	// Ways are the codes and passkeys by which it can be collected.
	Ways []PepperWay `json:"ways"`
	// LockedUntil is set where too many tries failed, and AdmittedUntil where staff admitted a collection.
	LockedUntil   *time.Time `json:"locked_until"`
	AdmittedUntil *time.Time `json:"admitted_until"`
}

// PepperWay is a slot of the vault by whose secret a pepper can be collected.
type PepperWay struct {
	// Way is code or passkey.
	Way string `json:"way"`
	// Slot is the id of the code's or the passkey's slot.
	Slot string `json:"slot"`
}

// PepperAdmission is one collection of a pepper in person.
type PepperAdmission struct {
	// Word is what the patient's program gives, once.
	Word string `json:"word"`
	// ExpiresAt ends it.
	ExpiresAt time.Time `json:"expires_at"`
}

// collectedPepper is a pepper as a gateway gives it.
type collectedPepper struct {
	Vault, Slot string
	Revision    uint64
	Pepper      []byte
}

// DepositPepper leaves the pepper of the vault's wallet slot, which this device keeps, with the hospital whose gateway the client was made
// with, and says who may collect it: whoever has the recovery code or a passkey of the vault, beside the wallet. It can be repeated. The
// error is ErrVault where this device has no pepper of the vault, or the file does not say who may collect it, see [VaultFile.WithCode];
// and *Problem where the hospital takes none.
func (c *Client) DepositPepper(ctx context.Context, f VaultFile) (Door, error) {
	d := c.configured()
	kept, err := c.vaultSecrets(f)
	if err != nil {
		return d.Door, err
	}
	slot, ok := f.walletSlot()
	if !ok || len(kept.Pepper) == 0 {
		return d.Door, fmt.Errorf("this device keeps no pepper of a wallet's slot: %w", ErrVault)
	}
	var keys []string
	for _, s := range f.Slots {
		if len(s.Collect) > 0 {
			keys = append(keys, s.Kind+":"+s.ID+":"+hex.EncodeToString(s.Collect))
		}
	}
	if len(keys) == 0 {
		return d.Door, fmt.Errorf("nothing says who may collect the pepper: %w", ErrVault)
	}
	c.mu.Lock()
	seen := c.seen
	c.mu.Unlock()
	if err := d.catchUp(ctx, seen); err != nil {
		return d.Door, err
	}
	return d.Door, d.ask(ctx, http.MethodPut, "/pepper", map[string]string{
		"vault": f.Vault, "slot": slot.ID, "revision": strconv.FormatUint(slot.Revision, 10), "pepper": base64.StdEncoding.EncodeToString(kept.Pepper),
		"keys": strings.Join(keys, " "),
	}, nil)
}

// KeptPepper says which hospital keeps the pepper of the vault's wallet slot. The error is ErrNotFound where none does that the log or this
// client names.
func (c *Client) KeptPepper(ctx context.Context, f VaultFile) (KeptPepper, error) {
	var kept KeptPepper
	err := c.atPepper(ctx, f, func(_ context.Context, _ *door, k KeptPepper) error {
		kept = k
		return nil
	})
	return kept, err
}

// CollectPepper gets the pepper of the vault's wallet slot with the recovery code, beside the wallet, from the hospital that keeps it, and
// keeps it in Secrets where the vault's key is already: from then on [Client.OpenVaultByWallet] opens the vault on this device. The error is
// ErrNotFound where no hospital keeps it, ErrForbidden where the hospital does not know the code, ErrUnreachable where it gives none for
// now, and ErrVault where the pepper is not the one of the slot.
func (c *Client) CollectPepper(ctx context.Context, f VaultFile, words string) (Door, error) {
	code, err := seal.ParseCode(words)
	if err != nil {
		return Door{}, fmt.Errorf("%w: %w", err, ErrVault)
	}
	i, _, err := f.codeSlot(code)
	if err != nil {
		return Door{}, err
	}
	kept, err := c.vaultSecrets(f)
	if err != nil {
		return Door{}, err
	}
	var at Door
	err = c.atPepper(ctx, f, func(ctx context.Context, d *door, k KeptPepper) error {
		got, err := d.collectBy(ctx, f, f.Slots[i], seal.CodeSecret(code), k)
		if err != nil {
			return err
		}
		at, kept.Pepper = d.Door, got.Pepper
		return nil
	})
	if err != nil {
		return at, err
	}
	if _, err := c.openByWallet(f, kept.Pepper); err != nil {
		return at, fmt.Errorf("hospital %d gave another pepper: %w", at.Hospital, err)
	}
	if err := c.drop(vaultSecretOf(f.Revision)); err != nil {
		return at, err
	}
	return at, c.keepVaultSecrets(f, kept)
}

// RecoverVaultInPerson is [Client.RecoverVault] without the recovery code: by the word of an admission, which somebody of the hospital's
// staff handed over after a look at the patient's papers, and the wallet. The error is ErrNotFound where no hospital keeps the pepper,
// ErrForbidden where the word is not that of an admission, and ErrVault where the vault does not open.
func (c *Client) RecoverVaultInPerson(ctx context.Context, word string) (VaultFile, error) {
	f, err := c.networkVault(ctx)
	if err != nil {
		return VaultFile{}, err
	}
	var got collectedPepper
	err = c.atPepper(ctx, f, func(ctx context.Context, d *door, _ KeptPepper) error {
		return d.ask(ctx, http.MethodPost, "/pepper/collect-in-person", map[string]string{"word": word}, &got)
	})
	if err != nil {
		return VaultFile{}, err
	}
	kv, err := c.openByWallet(f, got.Pepper)
	if err != nil {
		return VaultFile{}, err
	}
	return f, c.takeVault(f, vaultSecrets{KV: kv.Bytes(), Pepper: got.Pepper})
}

// DeletePepper has the hospital that keeps the pepper of the vault's wallet slot delete it for good. The slot opens on devices that keep
// the pepper, and on no other. The error is ErrNotFound where no hospital keeps it.
func (c *Client) DeletePepper(ctx context.Context, f VaultFile) (Door, error) {
	var at Door
	err := c.atPepper(ctx, f, func(ctx context.Context, d *door, _ KeptPepper) error {
		at = d.Door
		return d.ask(ctx, http.MethodDelete, "/pepper", nil, nil)
	})
	return at, err
}

// AdmitPepper has a clerk or an officer, who has looked at a person's papers, admit one collection of the pepper by that patient, at the own
// hospital. The error is ErrNotFound where the hospital keeps none.
func (c *Client) AdmitPepper(ctx context.Context, patient string) (PepperAdmission, error) {
	var a PepperAdmission
	err := c.configured().ask(ctx, http.MethodPost, "/pepper/admissions", map[string]string{"patient": patient}, &a)
	return a, err
}

// atPepper has the gateway asked that keeps the pepper of the vault's wallet slot: the one that the client was made with, or the one of the
// hospital where the patient's log says that it was left.
func (c *Client) atPepper(ctx context.Context, f VaultFile, ask func(context.Context, *door, KeptPepper) error) error {
	none := fmt.Errorf("no hospital keeps the pepper of the wallet's slot: %w", ErrNotFound)
	first := c.configured()
	kept, err := first.keptPepper(ctx, f)
	if err == nil {
		return ask(ctx, first, kept)
	}
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnreachable) {
		return err
	}
	named, failed := c.namedByLog(ctx, f.Patient)
	if failed != nil {
		return errors.Join(err, failed)
	}
	if named == nil || named == first {
		if errors.Is(err, ErrNotFound) {
			return none
		}
		return err
	}
	if kept, err = named.keptPepper(ctx, f); errors.Is(err, ErrNotFound) {
		return none
	}
	if err != nil {
		return err
	}
	return ask(ctx, named, kept)
}

// namedByLog is the gateway of the hospital where the patient's log says that the newest pepper was left; nil where it says so of none.
func (c *Client) namedByLog(ctx context.Context, patient string) (*door, error) {
	if err := c.learn(ctx); err != nil {
		return nil, err
	}
	for e, err := range c.Log(ctx, LogFilter{Patient: patient, Kind: kindPepperDeposited}) {
		if err != nil {
			return nil, err
		}
		hospital, err := strconv.ParseUint(e.GetTarget(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("entry %d: target %q is no hospital", e.GetSequence(), e.GetTarget())
		}
		doors := c.order()
		if i := slices.IndexFunc(doors, func(d *door) bool { return d.hospital() == hospital }); i >= 0 {
			return doors[i], nil
		}
		return nil, nil
	}
	return nil, nil
}

// keptPepper asks a gateway what it keeps. What is not of a wallet's slot of this vault is ErrNotFound.
func (d *door) keptPepper(ctx context.Context, f VaultFile) (KeptPepper, error) {
	var kept KeptPepper
	if err := d.ask(ctx, http.MethodGet, "/pepper", nil, &kept); err != nil {
		return kept, err
	}
	slot, ok := f.walletSlot()
	if !ok || kept.Vault != f.Vault || kept.Slot != slot.ID {
		return kept, fmt.Errorf("gateway %s keeps the pepper of another slot: %w", d.base, ErrNotFound)
	}
	kept.At = d.Door
	return kept, nil
}

// collectBy collects the pepper with the secret of a slot, by a signature over a fresh challenge that names this gateway.
func (d *door) collectBy(ctx context.Context, f VaultFile, by VaultSlot, secret seal.SlotSecret, kept KeptPepper) (collectedPepper, error) {
	var got collectedPepper
	place, err := f.place(by)
	if err != nil {
		return got, err
	}
	key, err := place.PepperKey(secret)
	if err != nil {
		return got, err
	}
	defer clear(key)
	var ch struct{ Nonce string }
	if err := d.ask(ctx, http.MethodPost, "/pepper/challenge", map[string]string{}, &ch); err != nil {
		return got, err
	}
	nonce, err := hex.DecodeString(ch.Nonce)
	if err != nil || len(nonce) != seal.PepperNonceSize {
		return got, fmt.Errorf("gateway %s: its challenge is none: %w", d.base, ErrVault)
	}
	slot, err := lock.ParseID(kept.Slot)
	if err != nil {
		return got, fmt.Errorf("gateway %s: %w: %w", d.base, err, ErrVault)
	}
	digest, err := seal.PepperRequest{
		Network: place.Network, Host: d.host, Account: place.Account, Vault: place.Vault, Slot: slot, By: place.Slot,
		Nonce: [seal.PepperNonceSize]byte(nonce),
	}.Digest()
	if err != nil {
		return got, err
	}
	err = d.ask(ctx, http.MethodPost, "/pepper/collect", map[string]string{
		"by": by.ID, "nonce": ch.Nonce, "signature": base64.StdEncoding.EncodeToString(ed25519.Sign(key, digest)),
	}, &got)
	return got, err
}

// ask sends JSON as the account and reads a JSON answer into out; either may be nil.
func (d *door) ask(ctx context.Context, method, path string, in map[string]string, out any) error {
	var header http.Header
	var body func() io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		header, body = http.Header{"Content-Type": {"application/json"}}, func() io.Reader { return bytes.NewReader(encoded) }
	}
	resp, err := d.request(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	return d.read(resp, path, out)
}
