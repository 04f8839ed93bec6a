package scenario_test

import (
	"net/http"
	"testing"

	"github.com/phrd/phrd/testutil/scenario"
)

// A hospital that holds nothing opens a scan. Then all others are away, and it opens the scan again from what it has kept. Later it
// mirrors all pictures, and has those too that it never opened. What Alice erases is in neither.
func TestTheSameDataEverywhere(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	// Two scans that one and the same hospital does not hold; it opens the first.
	var scan, unread scenario.Version
	var reader *scenario.Hospital
	for stored := map[uint64]scenario.Version{}; reader == nil; {
		v := clinic.Store(alice, "chest.dcm")
		without := net.Without(v)
		if first, ok := stored[without.Number()]; ok {
			scan, unread, reader = first, v, without
		}
		stored[without.Number()] = v
	}
	var unlocks []scenario.Unlock
	for _, v := range []scenario.Version{scan, unread} {
		unlock := reader.Propose(v, scenario.Treatment)
		clinic.Endorse(unlock)
		alice.Approve(unlock)
		unlocks = append(unlocks, unlock)
	}
	reader.Opens(scan)
	reader.Clinician().Reads(scan, unlocks[0])
	gone, kept := clinic.BlocksOf(scan), clinic.BlocksOf(unread)

	for _, h := range net.Hospitals() {
		if h.Number() != reader.Number() {
			h.Stop()
		}
	}
	reader.Opens(scan)
	path := "/records/" + unread.Record.String() + "/versions/1/content?unlock=" + unlocks[1].ID
	if status, body := reader.Clinician().Call(http.MethodGet, path, nil); status != http.StatusServiceUnavailable {
		t.Errorf("what only others hold answers %d %.200s", status, body)
	}
	reader.Stop()
	if !reader.HasCached(gone[2]) || reader.HasCached(kept[2]) {
		t.Error("the cache holds something else than what was opened")
	}

	reader.Mirrors("imaging", "1GiB")
	net.Wake()
	reader.Measures(`phrd_mirror_fetches_total{end="done"} 2`, `phrd_mirror_objects{here="no"} 0`, "phrd_mirror_full 0")
	alice.Erase(scan)
	alice.Certificate(scan, 0)
	later := clinic.Store(alice, "later.dcm")
	fetched := `phrd_mirror_fetches_total{end="done"} 3`
	if net.Without(later).Number() != reader.Number() {
		fetched = `phrd_mirror_fetches_total{end="done"} 2` // the chain has it hold this one
	}
	reader.Measures(fetched, `phrd_mirror_objects{here="no"} 0`)
	clinic.IsWhole(later)
	net.HasWholeLog()
	reader.Stop()
	if reader.HoldsAny(gone) {
		t.Error("what was erased is here")
	}
	for _, block := range kept {
		if !reader.Holds(block) || reader.HasCached(block) {
			t.Error("a block of a picture is not in the mirror")
		}
	}
}
