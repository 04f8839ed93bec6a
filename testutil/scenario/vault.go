package scenario

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// RotateVault writes the patient's vault anew, with another recovery code, and with another key where one is asked for. It answers the
// former code.
func (p *Patient) RotateVault(change phr.VaultChange) (former string) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	next, err := p.client.PrepareVault(ctx, p.File, change)
	if err != nil {
		p.t.Fatalf("prepare the vault: %v", err)
	}
	if _, err := p.client.WriteVault(ctx, p.File, next.File); err != nil {
		p.t.Fatalf("write the vault: %v", err)
	}
	former, p.File, p.Code = p.Code, next.File, next.Code
	if p.vault, err = p.client.OpenVault(p.File); err != nil {
		p.t.Fatalf("open the vault: %v", err)
	}
	return former
}

// ChangeWallet gives the patient another wallet, whose account a hospital's clerk has invited, and answers the patient as the former one has it.
func (p *Patient) ChangeWallet(h *Hospital) (former *Patient) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	next := h.invited(ctx)
	prepared, err := p.client.PrepareVault(ctx, p.File, phr.VaultChange{NewKey: true, Site: phr.DefaultSite, Wallet: next.key})
	if err != nil {
		p.t.Fatalf("prepare the vault: %v", err)
	}
	if _, err := p.client.WriteVault(ctx, p.File, prepared.File); err != nil {
		p.t.Fatalf("change the wallet: %v", err)
	}
	if _, err := next.client.SetGuardians(ctx, prepared.File); err != nil {
		p.t.Fatalf("name the guardians with the next wallet: %v", err)
	}
	was := *p
	p.person, p.Code = next.person, prepared.Code
	if p.File, err = p.client.RecoverVault(ctx, p.Code); err != nil {
		p.t.Fatalf("recover the vault with the next wallet: %v", err)
	}
	if p.vault, err = p.client.OpenVault(p.File); err != nil {
		p.t.Fatalf("open the vault: %v", err)
	}
	return &was
}

// OnNewDevice is the patient with the wallet and a recovery code, and nothing else.
func (p *Patient) OnNewDevice(code string) *Patient {
	p.t.Helper()
	other := p.newDevice()
	ctx, cancel := other.step()
	defer cancel()
	var err error
	if other.File, err = other.client.RecoverVault(ctx, code); err != nil {
		p.t.Fatalf("recover the vault: %v", err)
	}
	if other.vault, err = other.client.OpenVault(other.File); err != nil {
		p.t.Fatalf("open the vault: %v", err)
	}
	return other
}

// CannotRecover tries to recover the vault with a code on a new device.
func (p *Patient) CannotRecover(code string, want error) {
	p.t.Helper()
	other := p.newDevice()
	ctx, cancel := other.step()
	defer cancel()
	_, err := other.client.RecoverVault(ctx, code)
	mustBe(p.t, "recover the vault", err, want)
}

func (p *Patient) newDevice() *Patient {
	p.t.Helper()
	account, err := p.at.dial(p.t.Context(), p.key)
	if err != nil {
		p.t.Fatalf("a new device calls: %v", err)
	}
	return &Patient{Person: Person{t: p.t, person: account}, Name: p.Name, Number: p.Number}
}

// Reseal has versions sealed to the newest key of the patient's vault.
func (p *Patient) Reseal(versions ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if err := p.client.Reseal(ctx, p.vault, refs(versions), nil); err != nil {
		p.t.Fatalf("reseal: %v", err)
	}
}

// Relock has versions locked anew.
func (p *Patient) Relock(versions ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if err := p.client.Relock(ctx, p.vault, refs(versions), nil); err != nil {
		p.t.Fatalf("relock: %v", err)
	}
}

// VaultOpens fails unless these are all versions of the patient's that the vault opens.
func (p *Patient) VaultOpens(versions ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	var opens []phr.Ref
	for s, err := range p.client.SealingsOf(ctx, p.vault) {
		if err != nil {
			p.t.Fatalf("what the vault of %s opens: %v", p.Name, err)
		}
		opens = append(opens, s.Ref)
	}
	if got, want := fmt.Sprint(opens), fmt.Sprint(refs(versions)); got != want {
		p.t.Errorf("the vault of %s opens %s, want %s", p.Name, got, want)
	}
}

// RelockOwn has versions locked anew that the hospital owns, by an officer who asked for them.
func (h *Hospital) RelockOwn(u Unlock) {
	h.t.Helper()
	vault, err := h.vault()
	if err != nil {
		h.t.Fatalf("vault of %s: %v", h.name, err)
	}
	ctx, cancel := u.Requester.step()
	defer cancel()
	if err := u.Requester.client.RelockUnlocked(ctx, vault, u.ID); err != nil {
		h.t.Fatalf("relock: %v", err)
	}
}

// RotateVault gives the hospital's own vault the key of the next epoch.
func (h *Hospital) RotateVault(epoch uint64) {
	h.t.Helper()
	admin := h.Admin()
	key, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		h.t.Fatalf("draw a vault key: %v", err)
	}
	if err := h.keys.Put(fmt.Sprintf("%s%d", keys.HospitalVaultPrefix, epoch), key.Seed()); err != nil {
		h.t.Fatalf("keep a vault key: %v", err)
	}
	ctx, cancel := admin.step()
	defer cancel()
	if err := admin.client.RotateHospitalVault(ctx, epoch, key.Public()); err != nil {
		h.t.Fatalf("rotate the vault of %s: %v", h.name, err)
	}
}

// ResealOwn has versions that the hospital owns sealed to the newest key of its vault, by its director.
func (h *Hospital) ResealOwn(versions ...Version) {
	h.t.Helper()
	vault, err := h.vault()
	if err != nil {
		h.t.Fatalf("vault of %s: %v", h.name, err)
	}
	director := h.Director()
	ctx, cancel := director.step()
	defer cancel()
	if err := director.client.Reseal(ctx, vault, refs(versions), nil); err != nil {
		h.t.Fatalf("reseal: %v", err)
	}
}

// Sealed waits until the person's versions are sealed as they should be, and lists them in the order of these.
func (p Person) Sealed(is func(phr.Sealing) bool, versions ...Version) []phr.Sealing {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	for {
		all := map[phr.Ref]phr.Sealing{}
		for s, err := range p.client.Sealings(ctx) {
			if err != nil {
				p.t.Fatalf("list sealings: %v", err)
			}
			all[s.Ref] = s
		}
		var list []phr.Sealing
		for _, v := range versions {
			list = append(list, all[v.Ref])
		}
		if len(all) == len(versions) && !slices.ContainsFunc(list, func(s phr.Sealing) bool { return !is(s) }) {
			return list
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			p.t.Fatalf("versions are sealed %+v", all)
		}
	}
}

// NewGeneration has the hospitals vote for another generation of the records key, and waits until all of them have their shares of it.
func (n *Network) NewGeneration() {
	n.t.Helper()
	n.MakeKey(custodyv1.KeyKind_KEY_KIND_RECORDS)
}

// MakeKey has the hospitals vote for a key of a kind, and waits until all of them have their shares of it.
func (n *Network) MakeKey(kind custodyv1.KeyKind) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	before, err := n.hospitals[0].networkKeys(ctx)
	if err != nil {
		n.t.Fatalf("keys: %v", err)
	}
	n.Decide(&custodyv1.MsgStartGeneration{Authority: phr.Authority(), Kind: kind})
	for {
		keys, err := n.hospitals[0].networkKeys(ctx)
		if err == nil && len(keys) > len(before) && !slices.ContainsFunc(keys, func(k phr.NetworkKey) bool { return !k.IsWhole() }) {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("the keys are %v: %v", keys, err)
		}
	}
}

// Locks are the versions of the network by the generation of its key that locks them.
func (p Person) Locks() map[uint64]uint64 {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	counts, err := p.client.LockCounts(ctx)
	if err != nil {
		p.t.Fatalf("count locks: %v", err)
	}
	return counts
}

// EnvelopeOf reads the envelope of a version as it is now, as the custodian's clerk.
func (h *Hospital) EnvelopeOf(v Version) []byte {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	stored, err := clerk.client.Version(ctx, v.Ref)
	cancel()
	if err != nil {
		h.t.Fatalf("version %s: %v", v.Name, err)
	}
	cid, err := lock.ParseRawCID(stored.GetEnvelope())
	if err != nil {
		h.t.Fatalf("version %s: %v", v.Name, err)
	}
	return h.Block(v, cid)
}

// NobodyHolds waits until no hospital has one of the blocks in its store.
func (n *Network) NobodyHolds(blocks ...[]byte) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for {
		held := ""
		for _, h := range n.hospitals {
			for _, block := range blocks {
				if err := h.places(block, func(string, int64) error { held = h.name; return nil }); err != nil && !errors.Is(err, fs.ErrNotExist) {
					n.t.Fatalf("read the disk of %s: %v", h.name, err)
				}
			}
		}
		if held == "" {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%s holds a block that was replaced", held)
		}
	}
}
