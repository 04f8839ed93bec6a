package scenario_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/phrd/phrd/testutil/scenario"
)

// A large film changes in one place. Its new version lies at the same hospitals, and each of them gets and keeps little more than the
// leaf that changed. The old version is erased: the new one still opens, and nothing is left of what the old one had alone. Then the
// new one is erased as well, and no leaf is left.
func TestNewVersionCostsWhatChanged(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	net := scenario.New(t, scenario.Hospitals(5))
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	film := clinic.StoreContent(alice, "film.mp4", scenario.Content(24*mib))
	unlock := clinic.Propose(film, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	clinic.Opens(film)

	before := map[string]int64{}
	for _, h := range net.Hospitals() {
		before[h.Name()] = h.StoredBytes()
	}
	changed := bytes.Clone(film.Content)
	changed[10*mib] ^= 1
	next := clinic.Revise(film, unlock, changed)
	if next.Version != 2 || next.Reused < 23*mib {
		t.Fatalf("version %d, of which %d bytes were there", next.Version, next.Reused)
	}
	holders := net.Holders(next)
	if !maps.Equal(holders, net.Holders(film)) {
		t.Errorf("held by %v, and the version before by %v", holders, net.Holders(film))
	}
	for _, h := range net.Hospitals() {
		grown := h.StoredBytes() - before[h.Name()]
		t.Logf("%s: %d bytes more", h.Name(), grown)
		if most := int64(mib + 128<<10); holders[h.Number()] && (grown < mib || grown > most) {
			t.Errorf("%s holds %d bytes more, want one leaf and at most %d", h.Name(), grown, most)
		}
	}

	unlock = clinic.Propose(next, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	clinic.Opens(next)
	own, both := clinic.Only(film, next)
	if len(both) < 23 || len(own) < 4 {
		t.Fatalf("%d blocks are of both versions, %d of the first alone", len(both), len(own))
	}
	alice.Erase(film)
	if c := alice.Certificate(film, 0); !slices.Contains(c.GetRemains(), "shared_leaves") {
		t.Errorf("remains %v", c.GetRemains())
	}
	clinic.Opens(next)
	holder := net.Copying(next)[0]
	holder.Stop()
	if holder.HoldsAny(own) {
		t.Errorf("%s holds a block of the erased version alone", holder.Name())
	}
	for _, block := range both {
		if !holder.Holds(block) {
			t.Errorf("%s has lost a leaf of the version that stays", holder.Name())
		}
	}
	holder.Start()
	last := clinic.BlocksOf(next)
	alice.Erase(next)
	if c := alice.Certificate(next, 0); slices.Contains(c.GetRemains(), "shared_leaves") {
		t.Errorf("remains %v", c.GetRemains())
	}
	for _, h := range net.Hospitals() {
		h.Stop()
		if h.HoldsAny(last) {
			t.Errorf("%s holds a block of an erased version", h.Name())
		}
	}
}

// Many small files are stored with one transaction for each hundred.
func TestManyFilesTakeFewTransactions(t *testing.T) {
	t.Parallel()
	const store = "phrd.records.v1.MsgStoreVersions"
	net := scenario.New(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	before := net.Executed()[store]
	files := make([]scenario.NewFile, 300)
	for i := range files {
		files[i] = scenario.NewFile{Name: fmt.Sprintf("result-%d.txt", i), Content: fmt.Appendf(nil, "result %d", i)}
	}
	results := clinic.StoreAll(alice, files...)
	if n := net.Executed()[store] - before; n != 3 {
		t.Errorf("%d messages", n)
	}
	last := results[len(results)-1]
	clinic.HasCopies(last, 0)
	unlock := er.Propose(last, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(last)
	net.HasWholeLog()
}
