package scenario

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/cometbft/cometbft/privval"
	comet "github.com/cometbft/cometbft/types"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// ServerKeys are the keys of a hospital's server at one time.
type ServerKeys struct {
	validator       []byte // address
	consensus, node []byte // files
	libp2p, account []byte
}

// ServerKeys reads the keys of the hospital's server.
func (h *Hospital) ServerKeys() ServerKeys {
	h.t.Helper()
	k := ServerKeys{validator: privval.LoadFilePVEmptyState(h.home.ConsensusKey(), "").Key.Address}
	var errs [4]error
	k.consensus, errs[0] = os.ReadFile(h.home.ConsensusKey())
	k.node, errs[1] = os.ReadFile(h.home.NodeKey())
	k.libp2p, errs[2] = h.keys.Get(keys.Libp2p)
	k.account, errs[3] = h.keys.Get(keys.AccountPrefix + home.AccountNode)
	if err := errors.Join(errs[:]...); err != nil {
		h.t.Fatalf("keys of %s: %v", h.name, err)
	}
	return k
}

// PutConsensusKey gives the hospital's server, which is stopped, a consensus key of another time.
func (h *Hospital) PutConsensusKey(k ServerKeys) {
	h.t.Helper()
	if err := os.WriteFile(h.home.ConsensusKey(), k.consensus, 0o600); err != nil {
		h.t.Fatalf("consensus key of %s: %v", h.name, err)
	}
}

// PutServerKeys gives the hospital's server, which is stopped, the keys of another time.
func (h *Hospital) PutServerKeys(k ServerKeys) {
	h.t.Helper()
	h.PutConsensusKey(k)
	if err := errors.Join(
		os.WriteFile(h.home.NodeKey(), k.node, 0o600), h.keys.Replace(keys.Libp2p, k.libp2p),
		h.keys.Replace(keys.AccountPrefix+home.AccountNode, k.account),
	); err != nil {
		h.t.Fatalf("keys of %s: %v", h.name, err)
	}
}

// RotatesKeys makes new keys for the hospital's server, has its admin tell the network of them, and waits until the server has them.
func (h *Hospital) RotatesKeys() {
	h.t.Helper()
	h.tellsNewKeys(h.Admin().client)
	h.startsAgain()
}

// startsAgain waits until the hospital's server has ended itself for its new keys, and starts it again as its program does.
func (h *Hospital) startsAgain() {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	select {
	case <-h.server.Failed():
	case <-ctx.Done():
		h.t.Fatalf("%s does not notice that the network knows its new keys", h.name)
	}
	if err := h.stop(ctx); !errors.Is(err, server.ErrNewKeys) {
		h.t.Fatalf("%s ended: %v", h.name, err)
	}
	h.Start()
}

// RotatesKeysBy does that while the hospital's server is stopped, by way of another hospital. The server learns of it when it starts.
func (h *Hospital) RotatesKeysBy(by *Hospital) {
	h.t.Helper()
	h.rotatesBy(by, func() error { return nil })
}

// TakesKeysBy is RotatesKeysBy where the server has its new keys by hand before it learns of them, as if the others let the old ones in no
// more.
func (h *Hospital) TakesKeysBy(by *Hospital) {
	h.t.Helper()
	h.rotatesBy(by, func() error { return h.home.TakeKeys(h.keys, false) })
}

func (h *Hospital) rotatesBy(by *Hospital, before func() error) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	h.Stop()
	key, err := h.keys.Account(home.AccountAdmin)
	if err != nil {
		h.t.Fatalf("admin of %s: %v", h.name, err)
	}
	admin, err := by.dial(ctx, key)
	if err != nil {
		h.t.Fatalf("admin of %s: %v", h.name, err)
	}
	h.tellsNewKeys(admin.client)
	if err := errors.Join(before(), h.start(ctx)); err != nil {
		h.t.Fatalf("start %s: %v", h.name, err)
	}
	h.startsAgain()
}

func (h *Hospital) tellsNewKeys(admin *phr.Client) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	m, err := h.home.PrepareKeys(h.keys, h.network.id, h.number, nil)
	if err == nil {
		err = admin.RotateMemberKeys(ctx, home.Rotated(m))
	}
	if err != nil {
		h.t.Fatalf("%s replaces its keys: %v", h.name, err)
	}
}

// IsValidator says whether the key of a time validates the newest block that the hospital has.
func (h *Hospital) IsValidator(k ServerKeys) bool {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	client, err := h.rpc()
	if err != nil {
		h.t.Fatalf("validators at %s: %v", h.name, err)
	}
	got, err := client.Validators(ctx, nil, nil, nil)
	if err != nil {
		h.t.Fatalf("validators at %s: %v", h.name, err)
	}
	return slices.ContainsFunc(got.Validators, func(v *comet.Validator) bool { return bytes.Equal(v.Address, k.validator) })
}

// GoesOnWithout has the network make blocks at the hospital, none of which a server with these keys signs.
func (h *Hospital) GoesOnWithout(k ServerKeys, blocks int) {
	h.t.Helper()
	for range blocks {
		h.goesOn()
		commit, err := h.lastCommit()
		if err != nil {
			h.t.Fatalf("last commit at %s: %v", h.name, err)
		}
		if slices.ContainsFunc(commit.Signatures, func(s comet.CommitSig) bool { return bytes.Equal(s.ValidatorAddress, k.validator) }) {
			h.t.Fatalf("block %d has a signature of a key that was replaced", commit.Height)
		}
	}
}

// ReplaceAdmin has hospitals give another one, whose admins are lost, a new admin. Its admin is the new one from then on; the answer is the old
// one.
func (n *Network) ReplaceAdmin(of *Hospital, voters ...*Hospital) Staff {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	old, next := of.Admin(), n.Stranger()
	var proposal uint64
	for i, h := range voters {
		admin := h.Admin()
		if i == 0 {
			var err error
			if proposal, err = admin.client.ProposeAdmin(ctx, of.number, next.Address()); err != nil {
				n.t.Fatalf("%s proposes an admin for %s: %v", h.name, of.name, err)
			}
		}
		if err := admin.client.Vote(ctx, proposal, true); err != nil {
			n.t.Fatalf("%s votes: %v", h.name, err)
		}
	}
	of.appoint(ctx, next.person)
	return old
}

// appoint waits until the chain names a person as an admin of the hospital.
func (h *Hospital) appoint(ctx context.Context, next *person) {
	h.t.Helper()
	for {
		who, err := next.client.Principal(ctx)
		if err == nil && who.Hospital == h.number {
			break
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("%s has no new admin: %v", h.name, err)
		}
	}
	h.staff.mu.Lock()
	defer h.staff.mu.Unlock()
	h.staff.known[home.AccountAdmin] = next
}
