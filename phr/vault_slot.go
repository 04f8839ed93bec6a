package phr

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

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
	slot, secret := VaultSlot{Kind: slotCode, ID: id.String(), Revision: f.Revision}, seal.CodeSecret(code)
	if slot.Collect, err = f.collectKey(slot, secret); err != nil {
		return "", err
	}
	return code.Words(), f.add(slot, secret, kv)
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
	p := seal.SlotPlace{Kind: slotKinds[slot.Kind], Revision: slot.Revision}
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
