package custody_test

import (
	"crypto/sha256"
	"errors"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

var errOther = errors.New("it opens to something else")

// generationFields are a network key as the files write it.
func generationFields(g lock.Generation) fields {
	return fields{"net": text(g.Network[:]), "key_kind": g.Kind, "generation": whole(g.Number), "x_pub": text(g.X.Bytes())}
}

func givesEncapsulation(c *chance) gift {
	key, _ := c.generation(c.network(), lock.KeyRecords)
	e := must(lock.NewEncapsulation(key, c))
	v := lockedVersion(c)
	v.Generation, v.U, v.UBar = must(key.Hash()), e.U, e.UBar
	proof := must(e.Prove(must(v.Label()), c))
	in := statementFields(v).with(fields{"u": text(v.U.Bytes()), "u_bar": text(v.UBar.Bytes()), "proof": text(proof)})
	return gift{kind: "encap", in: in, bound: []string{"ctx", "gen", "c", "pc", "dc", "envelope_cid", "object_cid", "own_key_hashes", "signer", "u", "u_bar", "proof"}}
}

func asksEncapsulation(c *chance) wish {
	key, _ := c.generation(c.network(), lock.KeyRecords)
	v := lockedVersion(c)
	v.Generation = must(key.Hash())
	in := statementFields(v).with(fields{"r": text(c.scalar().Bytes()), "nonce": text(c.scalar().Bytes())})
	return wish{kind: "encap", in: in, bound: []string{"u", "u_bar", "proof"}, takes: func(out fields) (err error) {
		if v.U, err = lock.ParseEncapsulation(out.octets("u")); err != nil {
			return err
		}
		if v.UBar, err = lock.ParsePoint(out.octets("u_bar")); err != nil {
			return err
		}
		return v.Verify(out.octets("proof"))
	}}
}

// lockedVersion is a statement without its points, under either lock.
func lockedVersion(c *chance) lock.LockedVersion {
	v := lock.LockedVersion{Context: [64]byte(c.octets(64)), C: [32]byte(c.octets(32)), Dc: [32]byte(c.octets(32)), Envelope: c.raw(), Object: c.dag(), Signer: [20]byte(c.octets(20))}
	for range 1 + c.below(3) {
		v.OwnKeys = append(v.OwnKeys, [32]byte(c.octets(32)))
	}
	v.Pc = c.octets(32)
	return v
}

func statementFields(v lock.LockedVersion) fields {
	keys := []string{}
	for _, hash := range v.OwnKeys {
		keys = append(keys, text(hash[:]))
	}
	return fields{
		"ctx": text(v.Context[:]), "gen": text(v.Generation[:]), "c": text(v.C[:]), "pc": text(v.Pc), "dc": text(v.Dc[:]),
		"envelope_cid": text(v.Envelope.Bytes()), "object_cid": text(v.Object.Bytes()), "own_key_hashes": keys, "signer": text(v.Signer[:]),
	}
}

// locking is a version about to be locked, and the keys of its recipients.
type locking struct {
	terms      seal.Terms
	ref        seal.Ref
	dek        seal.DEK
	network    lock.Scalar
	recipients []*lock.PrivateKey
}

func newLocking(c *chance) *locking {
	l := &locking{ref: seal.Ref{Object: c.dag(), Manifest: c.raw(), PaddedSize: 4096}, dek: must(seal.DEKFromBytes(c.octets(32)))}
	key, x := c.generation(c.network(), lock.KeyRecords)
	l.network = x
	l.terms = seal.Terms{Lock: lock.LockBoth, Record: c.id(), Version: c.count(64), Owner: c.owner(), Custodian: c.Uint64() >> c.below(64), Key: key, Signer: [20]byte(c.octets(20))}
	if c.below(8) == 0 {
		l.terms.Lock = lock.LockNetwork
		return l
	}
	for range 1 + c.below(3) {
		key := c.key()
		l.recipients = append(l.recipients, key)
		l.terms.Recipients = append(l.terms.Recipients, seal.VaultKey{Recipient: c.recipient(), Epoch: c.count(64), Key: key.Public()})
	}
	return l
}

// fields are what both sides know before the version is locked.
func (l *locking) fields() fields {
	t := l.terms
	return generationFields(t.Key).with(fields{
		"suite": lock.Suite1, "lock": t.Lock, "record_id": text(t.Record[:]), "version": whole(t.Version), "owner_kind": t.Owner.Kind(),
		"owner_id": text(t.Owner.Bytes()), "custodian_no": whole(t.Custodian), "object_cid": text(l.ref.Object.Bytes()), "signer": text(t.Signer[:]),
	})
}

func recipientFields(k seal.VaultKey) fields {
	return fields{"recipient_kind": k.Recipient.Kind(), "recipient_id": text(k.Recipient.Bytes()), "vault_epoch": whole(k.Epoch)}
}

func headerFields(h seal.Header) fields {
	return fields{
		"u": text(h.U.Bytes()), "c": text(h.C[:]), "pc": text(h.Pc), "dc": text(h.Dc[:]), "envelope_cid": text(h.Envelope.Bytes()),
	}
}

func givesVersion(c *chance) gift {
	l := newLocking(c)
	locked := must(seal.LockVersion(l.terms, l.ref, l.dek))
	in := l.fields().with(headerFields(locked.Header)).with(fields{"envelope": text(locked.Block), "proof": text(locked.Proof), "k": text(locked.K.Bytes())})
	bound := []string{"net", "x_pub", "record_id", "owner_id", "envelope", "envelope_cid", "u", "c", "pc", "dc", "object_cid", "signer", "proof", "k"}
	if l.terms.Lock == lock.LockBoth {
		one := c.below(len(l.recipients))
		in = in.with(recipientFields(l.terms.Recipients[one])).with(fields{"recipient_seed": text(l.recipients[one].Seed())})
		bound = append(bound, "recipient_id", "recipient_seed")
	}
	return gift{kind: "lock", in: in, opens: fields{"dek": text(l.dek.Bytes())}, bound: bound}
}

func asksVersion(c *chance) wish {
	l := newLocking(c)
	in := l.asked(c)
	return wish{kind: "lock", in: in, bound: []string{"u", "u_bar", "k", "pc", "dc", "c", "envelope", "proof"}, takes: func(out fields) error {
		h, e, err := l.received(out)
		if err != nil {
			return err
		}
		var half *seal.Half
		if l.terms.Lock == lock.LockBoth {
			for i, to := range l.terms.Recipients {
				got, err := e.OpenOwn(h, to.Recipient, l.recipients[i])
				if err != nil {
					return err
				}
				if err := h.CheckHalf(got); err != nil {
					return err
				}
				half = &got
			}
		}
		k, err := lock.ParsePoint(out.octets("k"))
		if err != nil {
			return err
		}
		dek, err := e.Unlock(h, half, k)
		if err == nil && !dek.Equal(l.dek) {
			return errOther
		}
		return err
	}}
}

// asked is what the partner locks the version of.
func (l *locking) asked(c *chance) fields {
	recipients := []fields{}
	for _, to := range l.terms.Recipients {
		recipients = append(recipients, recipientFields(to).with(fields{"recipient_key": text(to.Key.Bytes()), "encap_randomness": c.text(64)}))
	}
	return l.fields().with(fields{
		"manifest_cid": text(l.ref.Manifest.Bytes()), "dek": text(l.dek.Bytes()), "p": c.text(32), "recipients": recipients,
		"r": text(c.scalar().Bytes()), "nonce": text(c.scalar().Bytes()),
	})
}

// received is what the chain would know of a version that the partner locked, its proof verified, and the envelope.
func (l *locking) received(out fields) (h seal.Header, e *seal.Envelope, err error) {
	t := l.terms
	h = seal.Header{Pc: out.octets("pc"), Object: l.ref.Object, PaddedSize: l.ref.PaddedSize, C: [32]byte(out.octets("c")), Dc: [32]byte(out.octets("dc"))}
	h.Context = lock.Context{
		Network: t.Key.Network, Suite: lock.Suite1, Lock: t.Lock, Record: t.Record, Version: t.Version, Owner: t.Owner, Custodian: t.Custodian, Generation: must(t.Key.Hash()),
	}
	if h.U, err = lock.ParseEncapsulation(out.octets("u")); err != nil {
		return h, nil, err
	}
	block := out.octets("envelope")
	h.Envelope = lock.RawCID(sha256.Sum256(block))
	if e, err = h.OpenEnvelope(block); err != nil {
		return h, nil, err
	}
	statement := lock.LockedVersion{
		Context: must(h.Context.Hash()), Generation: h.Context.Generation, U: h.U, C: h.C, Pc: h.Pc, Dc: h.Dc,
		Envelope: h.Envelope, Object: h.Object, OwnKeys: e.OwnKeys(), Signer: t.Signer,
	}
	if statement.UBar, err = lock.ParsePoint(out.octets("u_bar")); err != nil {
		return h, nil, err
	}
	return h, e, statement.Verify(out.octets("proof"))
}

// emergency is a version with an emergency part, and the vaults that can open it.
type emergency struct {
	*locking
	key    lock.Generation
	x      lock.Scalar
	vaults []*seal.Vault
	to     []seal.VaultKey
}

func newEmergency(c *chance) *emergency {
	e := &emergency{locking: newLocking(c)}
	for e.terms.Lock != lock.LockBoth {
		e.locking = newLocking(c)
	}
	e.key, e.x = c.generation(e.terms.Key.Network, lock.KeyEmergency)
	for _, hospital := range c.members(1 + c.below(3)) {
		v := must(seal.NewVault(c.id()))
		e.vaults = append(e.vaults, v)
		e.to = append(e.to, v.Public(must(seal.EmergencyRecipient(hospital))))
	}
	return e
}

func givesEmergency(c *chance) gift {
	e := newEmergency(c)
	e.terms.Emergency = &seal.EmergencyTerms{Key: e.key, Vaults: e.to}
	locked := must(seal.LockVersion(e.terms, e.ref, e.dek))
	one := c.below(len(e.to))
	seed, _ := e.vaults[one].Key(e.to[one].Epoch)
	statement := locked.Emergency.Statement
	in := fields{
		"envelope": text(locked.Block), "ctx": text(statement.Context[:]), "gen": text(statement.Generation[:]), "signer": text(statement.Signer[:]), "proof": text(locked.Emergency.Proof),
		"k_e": text(statement.U.Mul(e.x).Bytes()), "hospital": hospitalOf(e.to[one]), "recipient_seed": text(seed.Seed()),
	}
	return gift{kind: "emergency", in: in, opens: fields{"p": text(locked.Half.Bytes())}, bound: []string{"ctx", "gen", "signer", "proof", "k_e", "recipient_seed"}}
}

func asksEmergency(c *chance) wish {
	e := newEmergency(c)
	halves := []fields{}
	for _, to := range e.to {
		halves = append(halves, fields{"hospital": hospitalOf(to), "epoch": whole(to.Epoch), "recipient_key": text(to.Key.Bytes()), "encap_randomness": c.text(64)})
	}
	in := e.asked(c).with(fields{"emergency": generationFields(e.key).with(fields{
		"r_e": text(c.scalar().Bytes()), "nonce": text(c.scalar().Bytes()), "halves": halves,
	})})
	return wish{kind: "lock", in: in, bound: []string{"k_e", "emergency_proof", "envelope"}, takes: func(out fields) error {
		h, envelope, err := e.received(out)
		if err != nil {
			return err
		}
		statement, err := envelope.EmergencyStatement(h, must(e.key.Hash()))
		if err != nil {
			return err
		}
		statement.Signer = e.terms.Signer
		if err := statement.Verify(out.octets("emergency_proof")); err != nil {
			return err
		}
		k, err := lock.ParsePoint(out.octets("k_e"))
		if err != nil {
			return err
		}
		for i, v := range e.vaults {
			half, err := v.OpenEmergency(h, envelope, must(e.key.Hash()), k, e.to[i].Recipient)
			if err != nil {
				return err
			}
			if err := h.CheckHalf(half); err != nil {
				return err
			}
		}
		return nil
	}}
}

func hospitalOf(k seal.VaultKey) any {
	var n uint64
	for _, b := range k.Recipient.Bytes() {
		n = n<<8 | uint64(b)
	}
	return whole(n)
}
