package custody_test

import (
	"bytes"
	"encoding/json"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// opener is a means of opening a slot, as each side is told of it.
type opener struct {
	kind   string // of the construction
	secret seal.SlotSecret
	ikm    []byte
	told   fields
}

func place(c *chance, kind lock.SlotKind) seal.SlotPlace {
	return seal.SlotPlace{Network: c.network(), Kind: kind, Account: [20]byte(c.octets(20)), Vault: c.id(), Slot: c.id(), Revision: c.count(64)}
}

func placeFields(p seal.SlotPlace) fields {
	return fields{"net": text(p.Network[:]), "slot_kind": p.Kind, "address": text(p.Account[:]), "vault_id": text(p.Vault[:]), "slot_id": text(p.Slot[:]), "revision": whole(p.Revision)}
}

func newOpener(c *chance) (seal.SlotPlace, opener) {
	switch c.below(3) {
	case 0:
		prf := c.octets(32)
		return place(c, lock.SlotPasskey), opener{kind: "slot_passkey", secret: must(seal.PasskeySecret(prf)), ikm: prf, told: fields{"prf": text(prf)}}
	case 1:
		code := must(seal.NewCode())
		return place(c, lock.SlotCode), opener{kind: "slot_code", secret: seal.CodeSecret(code), ikm: code.Bytes(), told: fields{"words": code.Words()}}
	default:
		return walletOpener(c)
	}
}

func walletOpener(c *chance) (seal.SlotPlace, opener) {
	at, key, pepper := place(c, lock.SlotWallet), must(wallet.NewKey(c)), c.octets(32)
	request := seal.WalletRequest{Network: at.Network, ChainID: "phrd-1", Account: key.Address(), Vault: at.Vault, Slot: at.Slot, Site: "app.example.org"}
	signature := key.Sign(must(request.Document()))
	secret := must(seal.WalletSecret(request, key.PublicKey(), signature, must(seal.PepperFromBytes(pepper))))
	told := fields{"signature_rs": text(signature), "pepper": text(pepper)}
	return at, opener{kind: "slot_wallet", secret: secret, ikm: append(signature, pepper...), told: told}
}

func givesSlot(c *chance) gift {
	at, by := newOpener(c)
	kv := must(seal.NewKV())
	slot := must(at.Wrap(by.secret, kv))
	in := placeFields(at).with(fields{"ikm": text(by.ikm), "slot": text(slot)})
	return gift{kind: "slot", in: in, opens: fields{"kv": text(kv.Bytes())}, bound: []string{"net", "address", "vault_id", "slot_id", "ikm", "slot"}}
}

func asksSlot(c *chance) wish {
	at, by := newOpener(c)
	kv := must(seal.KVFromBytes(c.octets(32)))
	in := placeFields(at).with(by.told).with(fields{"slot_salt": c.text(32), "kv": text(kv.Bytes())})
	return wish{kind: by.kind, in: in, bound: []string{"slot"}, takes: func(out fields) error {
		got, err := at.Unwrap(by.secret, out.octets("slot"))
		if err == nil && !got.Equal(kv) {
			return errOther
		}
		return err
	}}
}

func givesVault(c *chance) gift {
	v := must(seal.NewVault(c.id()))
	for range c.below(4) {
		must(v.Rotate())
	}
	n, revision, kv, id := c.network(), c.count(64), must(seal.NewKV()), v.ID()
	epochs := []fields{}
	for _, epoch := range v.Epochs() {
		key, _ := v.Key(epoch)
		epochs = append(epochs, fields{"epoch": epoch, "seed": text(key.Seed())})
	}
	in := fields{
		"net": text(n[:]), "vault_id": text(id[:]), "revision": whole(revision), "newest_epoch": v.Newest(), "kv": text(kv.Bytes()),
		"vault_blob": text(must(v.Seal(n, revision, kv))),
	}
	return gift{kind: "vault", in: in, opens: fields{"epochs": epochs}, bound: []string{"net", "vault_id", "kv", "vault_blob"}}
}

func asksVault(c *chance) wish {
	kv := must(seal.KVFromBytes(c.octets(32)))
	at := seal.VaultPlace{Network: c.network(), Vault: c.id(), Revision: c.count(64)}
	epochs := []fields{}
	seeds := map[uint64][]byte{}
	for range 1 + c.below(4) {
		at.Newest += c.count(20)
		seeds[at.Newest] = c.octets(32)
		epochs = append(epochs, fields{"epoch": at.Newest, "seed": text(seeds[at.Newest])})
	}
	in := fields{"net": text(at.Network[:]), "vault_id": text(at.Vault[:]), "revision": whole(at.Revision), "kv": text(kv.Bytes()), "vault_nonce": c.text(12), "epochs": epochs}
	return wish{kind: "vault_blob", in: in, bound: []string{"vault_blob"}, takes: func(out fields) error {
		v, err := seal.OpenVault(at, kv, out.octets("vault_blob"))
		if err != nil {
			return err
		}
		for epoch, seed := range seeds {
			if key, held := v.Key(epoch); !held || !bytes.Equal(key.Seed(), seed) {
				return errOther
			}
		}
		return nil
	}}
}

func givesGuardians(c *chance) gift {
	at := place(c, lock.SlotGuardians)
	key, _ := c.generation(at.Network, lock.KeyGuardians)
	n := 1 + c.below(4)
	t := seal.GuardianTerms{Slot: at, Key: key, Threshold: 1 + uint64(c.below(n)), Signer: [20]byte(c.octets(20))} // #nosec G115 -- small and positive
	var keys []*lock.PrivateKey
	for range n {
		keys = append(keys, c.key())
		t.Guardians = append(t.Guardians, keys[len(keys)-1].Public())
	}
	g := must(seal.NewGuardians(t))
	one := c.below(n)
	share := must(seal.OpenGuardianShare(keys[one], at, uint64(one)+1, g.Commitments, g.Shares[one])) // #nosec G115 -- small and positive
	in := placeFields(at).with(fields{
		"gen_3": text(g.Statement.Generation[:]), "signer": text(t.Signer[:]), "a_0_pub": text(g.Commitments[0].Bytes()), "u_g": text(g.Statement.U.Bytes()),
		"u_bar_g": text(g.Statement.UBar.Bytes()), "proof": text(g.Proof), "commitments": texts(g.Commitments), "index": one + 1,
		"recipient_seed": text(keys[one].Seed()), "guardian_ct": text(g.Shares[one]),
	})
	bound := []string{"net", "vault_id", "slot_id", "gen_3", "signer", "a_0_pub", "u_g", "u_bar_g", "proof", "commitments", "recipient_seed", "guardian_ct"}
	return gift{kind: "guardian", in: in, opens: fields{"share": text(share.Value.Bytes())}, bound: bound}
}

func asksGuardians(c *chance) wish {
	at := place(c, lock.SlotGuardians)
	key, x := c.generation(at.Network, lock.KeyGuardians)
	gen, signer := must(key.Hash()), [20]byte(c.octets(20))
	var keys []*lock.PrivateKey
	guardians := []fields{}
	for i := range 1 + c.below(4) {
		keys = append(keys, c.key())
		guardians = append(guardians, fields{"index": i + 1, "recipient_seed": text(keys[i].Seed()), "encap_randomness": c.text(64)})
	}
	var polynomial []lock.Scalar
	for range 1 + c.below(len(keys)) {
		polynomial = append(polynomial, c.scalar())
	}
	in := placeFields(at).with(fields{
		"gen_3": text(gen[:]), "x_pub_3": text(key.X.Bytes()), "signer": text(signer[:]), "polynomial": texts(polynomial),
		"r_g": text(c.scalar().Bytes()), "nonce": text(c.scalar().Bytes()), "guardians": guardians,
	})
	return wish{kind: "guardians", in: in, bound: []string{"commitments", "u_g", "u_bar_g", "k_g", "proof"}, takes: func(out fields) error {
		commitments, err := lock.ParseCommitments(uint64(len(polynomial)), out.list("commitments"))
		if err != nil {
			return err
		}
		statement := lock.GuardianSlot{Context: must(lock.GuardianContext(at.Network, at.Vault, at.Slot, at.Revision, gen)), Generation: gen, A0: commitments[0], Signer: signer}
		if statement.U, err = lock.ParseEncapsulation(out.octets("u_g")); err != nil {
			return err
		}
		if statement.UBar, err = lock.ParsePoint(out.octets("u_bar_g")); err != nil {
			return err
		}
		if err := statement.Verify(out.octets("proof")); err != nil {
			return err
		}
		var shares []lock.SecretShare
		for i, sealed := range out.all("shares") {
			share, err := seal.OpenGuardianShare(keys[i], at, uint64(i)+1, commitments, sealed.octets("guardian_ct"))
			if err != nil {
				return err
			}
			shares = append(shares, share)
		}
		k, err := lock.ParsePoint(out.octets("k_g"))
		if err != nil {
			return err
		}
		if !k.Equal(statement.U.Mul(x)) {
			return errOther
		}
		_, err = seal.JoinGuardians(commitments, shares, k)
		return err
	}}
}

func comparesWords(c *chance) (wish, fields) {
	id, code := c.id(), must(seal.NewCode())
	cid := c.raw()
	if c.below(2) == 0 {
		cid = c.dag()
	}
	in := fields{"id": text(id[:]), "cid": text(cid.Bytes()), "code": text(code.Bytes())}
	return wish{kind: "words", in: in}, fields{"id_text": id.String(), "cid_text": cid.String(), "code_words": code.Words()}
}

func comparesDocument(c *chance) (wish, fields) {
	r := seal.WalletRequest{Network: c.network(), ChainID: "phrd-" + c.text(3), Account: must(wallet.NewKey(c)).Address(), Vault: c.id(), Slot: c.id(), Site: c.text(4) + ".example.org"}
	in := fields{"net": text(r.Network[:]), "chain_id": r.ChainID, "account": r.Account, "vault_id": text(r.Vault[:]), "slot_id": text(r.Slot[:]), "site": r.Site}
	document := must(r.Document())
	if !json.Valid(document) {
		panic("the document is no JSON")
	}
	return wish{kind: "adr36", in: in}, fields{"text": string(must(r.Text())), "sign_doc": string(document)}
}
