package attacker

import (
	"slices"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/phrd/phrd/seal"
)

// wallets lists the wallets at hand: the attacker's own, and the patient's where it was
// looted.
func (a *attack) wallets() []*secp256k1.PrivateKey {
	wallets := []*secp256k1.PrivateKey{secp256k1.PrivKeyFromBytes([]byte{1})}
	if a.Patient != nil {
		wallets = append(wallets, a.Patient.Wallet)
	}
	return wallets
}

// otherSecrets are secrets of other kinds that the attacker can make of what it has.
func (a *attack) otherSecrets() []seal.SlotSecret {
	secrets := []seal.SlotSecret{seal.CodeSecret(seal.Code{})}
	for _, bytes := range a.known() {
		if secret, err := seal.PasskeySecret(bytes); err == nil {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// known lists 32-byte strings that lie around: what is public of the record, and the
// peppers.
func (a *attack) known() [][]byte {
	known := [][]byte{make([]byte, 32), a.header.C[:], a.header.Dc[:], a.env.Wrap[:32], a.env.U.Bytes(), a.env.UBar.Bytes()}
	if len(a.header.Pc) == 32 {
		known = append(known, a.header.Pc)
	}
	for _, home := range a.Homes {
		for _, pepper := range home.Peppers {
			known = append(known, pepper.Bytes())
		}
		for _, share := range home.Shares {
			known = append(known, share.Share.Value.Bytes())
		}
	}
	if a.Patient != nil {
		known = append(known, a.Patient.Pepper.Bytes())
	}
	return known
}

func (a *attack) guessedKeys() []seal.KV {
	var keys []seal.KV
	for _, b := range a.known() {
		if kv, err := seal.KVFromBytes(b); err == nil {
			keys = append(keys, kv)
		}
	}
	return keys
}

// ownHalves tries every key on every owner half of the envelope, under every name.
func (a *attack) ownHalves() error {
	keys := a.vaultKeys()
	names := []seal.Recipient{}
	for _, own := range a.env.Own {
		names = append(names, own.Recipient)
	}
	for _, home := range a.Homes {
		name, err := seal.HospitalRecipient(home.Number)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	for path, key := range keys {
		for _, name := range names {
			a.tried["own half by "+path]++
			if p, err := a.env.OpenOwn(a.header, name, key); err == nil {
				a.halves = append(a.halves, half{"own half by " + path, p})
			}
		}
		// Renamed to the attacker's own key, an owner half is looked up but does not open.
		for i := range a.env.Own {
			forged := *a.env
			forged.Own = slices.Clone(a.env.Own)
			forged.Own[i].KeyHash = key.Public().Hash()
			a.tried["own half renamed to "+path]++
			if p, err := forged.OpenOwn(a.header, forged.Own[i].Recipient, key); err == nil {
				a.halves = append(a.halves, half{"own half renamed to " + path, p})
			}
		}
	}
	return nil
}

// capsules tries every key on every capsule that was ever sealed, under the name of
// every unlock.
func (a *attack) capsules() error {
	for path, key := range a.vaultKeys() {
		for _, from := range a.Public.Unlocks {
			for _, as := range a.Public.Unlocks {
				a.tried["capsule by "+path]++
				halves, err := seal.OpenCapsule(key, as.Proposal.Network, as.Proposal.ID(), as.Asked, from.Capsule)
				if err != nil {
					continue
				}
				for _, p := range halves {
					if p != nil {
						a.halves = append(a.halves, half{"capsule by " + path, *p})
					}
				}
			}
		}
	}
	return nil
}

// guessHalves takes for the owner's half whatever has its length.
func (a *attack) guessHalves() error {
	for _, b := range a.known() {
		p, err := seal.HalfFromBytes(b)
		if err != nil {
			return err
		}
		a.halves = append(a.halves, half{"guessed half", p})
	}
	return nil
}
