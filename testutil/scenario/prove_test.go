package scenario_test

import (
	"testing"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// Four hospitals prove what they hold. The packs of one are gone while it runs, and it goes on to say that it is there: it misses its
// proof, its copy counts no more, another hospital gets it, and the log tells. Nobody else loses anything.
func TestHospitalThatCannotProveItsCopyIsReplaced(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Silence(3*time.Second, time.Minute, 2*time.Minute), scenario.Epochs(10*time.Second))
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	scan := clinic.Store(alice, "chest.dcm")
	letter := clinic.Store(alice, "letter.dcm")
	holder, spare := net.Copying(scan)[0], net.Without(scan)
	node := clinic.NodeNumber(holder)
	block := clinic.Block(scan, clinic.Leaves(scan)[0])
	// As long as everybody has what it says, everybody proves it.
	epoch := net.HaveProven(3, 0)
	for _, n := range clinic.Health().GetNodes() {
		if n.GetStrikes() != 0 {
			t.Errorf("node %d failed %d challenges", n.GetNode(), n.GetStrikes())
		}
	}

	holder.DeletePacks()
	net.EndsWith(scan, "proof_missed", "copy_reassigned")
	missed := about(&auditv1.Entry{Kind: audit.KindProofMissed, Role: audit.RoleChain, Target: number(node), Count: 2, Outcome: ok}, scan, scenario.Unlock{})
	net.Told(missed, phr.LogFilter{Record: scan.Record.String(), Kind: audit.KindProofMissed})
	for _, v := range []scenario.Version{scan, letter} {
		object := clinic.IsWhole(v)
		if object.GetHeld() != 3 {
			t.Errorf("%d domains hold %s", object.GetHeld(), v.Name)
		}
	}
	holds := map[uint64]bool{}
	for _, h := range net.Copying(scan) {
		holds[h.Number()] = true
	}
	if holds[holder.Number()] || !holds[spare.Number()] {
		t.Errorf("copies are at %v, want one at %s and none at %s", holds, spare.Name(), holder.Name())
	}
	// The others prove what they hold, and nothing is held against them.
	net.HaveProven(3, epoch.GetNumber())
	for _, n := range clinic.Health().GetNodes() {
		if isHolder := n.GetNode() == node; isHolder != (n.GetStrikes() > 0) {
			t.Errorf("node %d failed %d challenges", n.GetNode(), n.GetStrikes())
		}
	}
	spare.Stop()
	if !spare.Holds(block) {
		t.Errorf("%s has not fetched what it confirmed", spare.Name())
	}
}
