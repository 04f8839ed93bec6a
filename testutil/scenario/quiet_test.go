package scenario_test

import (
	"testing"
	"time"

	"github.com/phrd/phrd/testutil/scenario"
)

func TestEmptyBlocksChangeNothing(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.EmptyBlocks(100*time.Millisecond))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened")
	net.StaysQuiet(20)
}
