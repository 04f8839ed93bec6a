package scenario

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// appointed is for how long a network's auditor is appointed.
const appointed = 365 * 24 * time.Hour

// appoint puts an auditor of the whole log into a genesis that nobody has accepted yet, as founders may agree on one.
func (n *network) appoint(made *home.Network) error {
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	n.auditor = key
	made.Consortium.Staff = append(made.Consortium.Staff, consortium.Staff{
		Address: key.Address(), Role: consortium.ROLE_AUDITOR, Since: made.Consortium.Members[0].Since, Until: time.Now().Add(appointed).Unix(),
	})
	return changeState(made, func(codec codec.Codec, state map[string]json.RawMessage) (err error) {
		state[consortium.ModuleName], err = codec.MarshalJSON(made.Consortium)
		return err
	})
}

// Auditor reads the whole log at the hospital's gateway: the members appointed it in the genesis.
func (h *Hospital) Auditor() Staff {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	p, err := h.auditor(ctx)
	if err != nil {
		h.t.Fatalf("auditor at %s: %v", h.name, err)
	}
	return Staff{Person{h.t, p}, h.hospital}
}

// auditor opens the auditor's program once.
func (h *hospital) auditor(ctx context.Context) (*person, error) {
	h.staff.mu.Lock()
	defer h.staff.mu.Unlock()
	if _, err := h.adminOnce(ctx); err != nil {
		return nil, err
	}
	const id = "auditor of the members"
	if p := h.staff.known[id]; p != nil {
		return p, nil
	}
	p, err := h.dial(ctx, h.network.auditor)
	if err != nil {
		return nil, err
	}
	h.staff.known[id] = p
	return p, nil
}

// SeesWhatConcerns compares, for an auditor of one hospital, the list of the log with what the auditor sees entry by entry: they are the
// same, and hold what the hospital's people did, what others did with the records in its custody or under unlocks that it asked for, and
// nothing that is another hospital's alone.
func (n *Network) SeesWhatConcerns(who Person, h *Hospital) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	all, err := n.Hospital(names[0]).Auditor().log(ctx)
	if err != nil {
		n.t.Fatalf("the whole log: %v", err)
	}
	listed, err := who.log(ctx)
	if err != nil {
		n.t.Fatalf("what concerns %s: %v", h.name, err)
	}
	shown := map[uint64]bool{}
	for _, e := range listed {
		shown[e.GetSequence()] = true
	}
	kinds := map[string]int{}
	for _, e := range all {
		_, err := who.client.Entry(ctx, e.GetSequence())
		if err != nil && !errors.Is(err, phr.ErrNotFound) {
			n.t.Fatalf("entry %d: %v", e.GetSequence(), err)
		}
		if seen := err == nil; seen != shown[e.GetSequence()] && e.GetActor() != who.Address() && e.GetTarget() != who.Address() {
			n.t.Errorf("an auditor of %s sees entry %d alone: %t, in the list: %t: %v", h.name, e.GetSequence(), seen, !seen, e)
		}
		if own := e.GetHospital() == h.number; own && !shown[e.GetSequence()] {
			n.t.Errorf("an auditor of %s does not see %v", h.name, e)
		} else if shown[e.GetSequence()] && !own {
			kinds[e.GetKind()]++
		}
	}
	if kinds[audit.KindApproved] == 0 || kinds[audit.KindReleased] == 0 || kinds[audit.KindLoggedIn] == 0 {
		n.t.Errorf("an auditor of %s sees of what others did only %v", h.name, kinds)
	}
	if len(listed) >= len(all) {
		n.t.Errorf("an auditor of %s sees %d of %d entries", h.name, len(listed), len(all))
	}
	if err := who.client.ExportLog(ctx, io.Discard, phr.Export{Head: logproof.Head{Kind: logproof.Period}}); !errors.Is(err, phr.ErrForbidden) {
		n.t.Errorf("an auditor of %s exports the whole log: %v", h.name, err)
	}
}
