package scenario

import (
	"bytes"
	"slices"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/phr"
)

// HealsWithin waits until every object has again as many copies as it shall, none of them at those that are gone, and answers the last it
// was told. Where too few hospitals are left for that, it waits until every object has its minimum at them.
func (h *Hospital) HealsWithin(limit time.Duration, gone ...*Hospital) *storagev1.QueryHealthResponse {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.stepFor(limit)
	defer cancel()
	var health *storagev1.QueryHealthResponse
	for {
		var err error
		if health, err = clerk.client.Health(ctx); err == nil && isHealed(health, gone) {
			return health
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("it does not heal within %s: %v: %v", limit, err, health)
		}
	}
}

// target is how many copies the network wants where nobody changed its rules.
const target = 3

func isHealed(health *storagev1.QueryHealthResponse, gone []*Hospital) bool {
	if health.GetPlacing()+health.GetEndangered()+health.GetUnrecoverable() > 0 || health.GetSweeping() > 0 {
		return false
	}
	if len(health.GetNodes())-len(gone) < target {
		return true // no object can be whole, so what those who are gone have stays in the books
	}
	if health.GetRepairing() > 0 {
		return false
	}
	for _, n := range health.GetNodes() {
		if slices.ContainsFunc(gone, func(h *Hospital) bool { return h.number == n.GetMember() }) && n.GetUsage().GetObjects() > 0 {
			return false
		}
	}
	return true
}

// votedOut is how many blocks after a vote the set of validators is the new one (CometBFT applies updates of a block two blocks later).
const votedOut = 2

// Suspend has the hospitals vote another one out, whether it runs or not, and waits until blocks need it no more.
func (n *Network) Suspend(other *Hospital, voters ...*Hospital) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	var proposal uint64
	for i, h := range voters {
		admin := h.Admin()
		if i == 0 {
			var err error
			if proposal, err = admin.client.ProposeSuspension(ctx, other.number); err != nil {
				n.t.Fatalf("%s proposes to suspend %s: %v", h.name, other.name, err)
			}
		}
		// The last votes may come after the decision.
		if err := admin.client.Vote(ctx, proposal, true); err != nil && Reason(err) == "" {
			n.t.Fatalf("%s votes: %v", h.name, err)
		}
	}
	for {
		member, err := voters[0].Admin().client.Member(ctx, other.number)
		if err == nil && member.GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_SUSPENDED {
			break
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%s is not suspended: %v", other.name, err)
		}
	}
	seen, err := voters[0].height(ctx)
	for height := seen; err == nil && height <= seen+votedOut; height, err = voters[0].height(ctx) {
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("no blocks come after the vote about %s", other.name)
		}
	}
	if err != nil {
		n.t.Fatalf("height at %s: %v", voters[0].name, err)
	}
}

// Recovers opens a version under an unlock and tells whether it is what was stored.
func (p Person) Recovers(u Unlock, v Version) bool {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, content, err := p.open(ctx, u, v)
	if err != nil {
		p.t.Logf("%s is lost: %v", v.Name, err)
	}
	return err == nil && bytes.Equal(content, v.Content)
}

// StoreAll has the hospital's clerk store files of a patient together.
func (h *Hospital) StoreAll(patient *Patient, files ...NewFile) []Version {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	versions := make([]Version, len(files))
	each := func(yield func(phr.NewVersion) bool) {
		for _, f := range files {
			if !yield(imaging(patient, f.Name, f.Content)) {
				return
			}
		}
	}
	err := clerk.client.StoreAll(ctx, each, func(place int, stored *phr.Stored, err error) {
		f := files[place]
		if err != nil {
			h.t.Errorf("%s stores %s: %v", h.name, f.Name, err)
			return
		}
		versions[place] = Version{Name: f.Name, Content: f.Content, Patient: patient, Stored: *stored}
	})
	if err != nil || h.t.Failed() {
		h.t.Fatalf("%s stores %d files: %v", h.name, len(files), err)
	}
	return versions
}

// NewFile is a file that nobody has stored yet.
type NewFile struct {
	Name    string
	Content []byte
}
