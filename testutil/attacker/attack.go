package attacker

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// ErrClosed says that no path opened the record.
var ErrClosed = errors.New("the record stays closed")

// Loot is what the attacker has.
type Loot struct {
	Public   Public
	Homes    []*Home
	Patient  *Patient        // nil without the patient
	Sessions []*lock.Session // of unlocks that the attacker asked for itself
	Holders  *Holders        // the honest ones, to be asked
	Blocks   *Blocks         // every node serves ciphertext
}

// Tried counts what was tried, by path.
type Tried map[string]int

// half is a guess of the owner's half.
type half struct {
	path string
	p    seal.Half
}

// point is a guess of the network's half.
type point struct {
	path string
	k    lock.Point
}

// attack is one run of Open.
type attack struct {
	*Loot
	tried  Tried
	header seal.Header
	env    *seal.Envelope
	halves []half
	points []point
	seen   map[string]bool // points guessed
}

// Open tries every path to a record and returns its file, or [ErrClosed], with what it
// tried. Other errors say that the program itself is broken.
func (l *Loot) Open(ctx context.Context, record int) ([]byte, Tried, error) {
	a := &attack{Loot: l, tried: Tried{}, header: l.Public.Versions[record], seen: map[string]bool{}}
	block, err := l.Blocks.Get(ctx, a.header.Envelope)
	if err != nil {
		return nil, nil, err
	}
	if a.env, err = a.header.OpenEnvelope(block); err != nil {
		return nil, nil, err
	}
	for _, gather := range []func() error{
		a.ownHalves, a.capsules, a.guessHalves, a.shares, a.mixedShares, a.deals, a.releases, a.guessPoints,
		a.refeed, a.additive, a.swap, a.boxes,
	} {
		if err := gather(); err != nil {
			return nil, a.tried, err
		}
	}
	file, err := a.combine(ctx)
	return file, a.tried, err
}

// combine tries every pair of halves, and each half alone.
func (a *attack) combine(ctx context.Context) ([]byte, error) {
	headers, envelopes := a.forged()
	for _, k := range a.points {
		for i, h := range headers {
			a.tried["network's half alone: "+k.path]++
			if dek, err := envelopes[i].Unlock(h, nil, k.k); err == nil {
				return a.read(ctx, h, envelopes[i], dek)
			}
			for _, p := range a.halves {
				a.tried[p.path+" with "+k.path]++
				if dek, err := envelopes[i].Unlock(h, &p.p, k.k); err == nil {
					return a.read(ctx, h, envelopes[i], dek)
				}
			}
		}
	}
	return nil, ErrClosed
}

func (a *attack) read(ctx context.Context, h seal.Header, e *seal.Envelope, dek seal.DEK) ([]byte, error) {
	object, err := seal.OpenObject(ctx, a.Blocks, e.Ref(h), dek)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if _, err := object.WriteTo(ctx, &file); err != nil {
		return nil, err
	}
	return file.Bytes(), nil
}

// forged lists the header and the envelope as they are, and as the attacker rewrites
// them: a version under both halves read as one under the network alone, the reverse,
// and one whose commitments are taken from another version.
func (a *attack) forged() ([]seal.Header, []*seal.Envelope) {
	headers, envelopes := []seal.Header{a.header}, []*seal.Envelope{a.env}
	add := func(change func(*seal.Header, *seal.Envelope)) {
		h, e := a.header, *a.env
		change(&h, &e)
		headers, envelopes = append(headers, h), append(envelopes, &e)
	}
	add(func(h *seal.Header, e *seal.Envelope) {
		h.Context.Lock, h.Pc, e.Pc, e.Own = lock.LockNetwork, nil, nil, nil
	})
	add(func(h *seal.Header, e *seal.Envelope) {
		pc := make([]byte, 32)
		h.Context.Lock, h.Pc, e.Pc = lock.LockBoth, pc, pc
	})
	for _, other := range a.Public.Versions {
		add(func(h *seal.Header, e *seal.Envelope) { h.C, e.C = other.C, other.C })
		add(func(h *seal.Header, e *seal.Envelope) { h.Dc, e.Dc = other.Dc, other.Dc })
		add(func(h *seal.Header, _ *seal.Envelope) {
			h.Context.Record, h.Object = other.Context.Record, other.Object
		})
	}
	return headers, envelopes
}

// vaultKeys lists every private key at hand, by what it is.
func (a *attack) vaultKeys() map[string]*lock.PrivateKey {
	keys := map[string]*lock.PrivateKey{}
	add := func(path string, v *seal.Vault) {
		for _, epoch := range v.Epochs() {
			if key, held := v.Key(epoch); held {
				keys[path] = key
			}
		}
	}
	for _, home := range a.Homes {
		add(fmt.Sprint("a hospital's vault, of ", home.Number), home.Vault)
		if home.EmergencyVault != nil {
			add(fmt.Sprint("a hospital's emergency vault, of ", home.Number), home.EmergencyVault)
		}
	}
	for i, s := range a.Sessions {
		keys[fmt.Sprint("a session of another unlock, ", i+1)] = s.Key()
	}
	if v := a.patientVault(); v != nil {
		add("the patient's vault", v)
	}
	return keys
}

// patientVault tries to open the patient's vault: with every wallet and every pepper.
func (a *attack) patientVault() *seal.Vault {
	blob, err := a.Blocks.Get(context.Background(), a.Public.Blob)
	if err != nil {
		return nil
	}
	peppers := []seal.Pepper{{}}
	for _, home := range a.Homes {
		peppers = append(peppers, home.Peppers...)
	}
	wallets := a.wallets()
	if a.Patient != nil {
		peppers = append(peppers, a.Patient.Pepper)
	}
	for _, slot := range a.Public.Slots {
		for _, wallet := range wallets {
			for _, pepper := range peppers {
				a.tried["slot by wallet and pepper"]++
				secret, err := walletSecret(slot.Request, wallet, pepper)
				if err != nil {
					continue
				}
				kv, err := slot.Place.Unwrap(secret, slot.Bytes)
				if err != nil {
					continue
				}
				if v, err := seal.OpenVault(a.Public.Vault, kv, blob); err == nil {
					return v
				}
			}
		}
		for _, secret := range a.otherSecrets() {
			a.tried["slot by another secret"]++
			place := slot.Place
			place.Kind = secret.Kind()
			if kv, err := place.Unwrap(secret, slot.Bytes); err == nil {
				if v, err := seal.OpenVault(a.Public.Vault, kv, blob); err == nil {
					return v
				}
			}
		}
	}
	for _, kv := range a.guessedKeys() {
		a.tried["vault under a guessed key"]++
		if v, err := seal.OpenVault(a.Public.Vault, kv, blob); err == nil {
			return v
		}
	}
	return nil
}
