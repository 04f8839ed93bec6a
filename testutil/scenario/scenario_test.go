package scenario_test

import (
	"os"
	"testing"

	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
)

func TestMain(m *testing.M) { os.Exit(scenario.Main(m)) }

func TestUnlockNeedsBothKeys(t *testing.T) {
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)

	clinic.Endorse(unlock)
	er.CannotOpen(scan, phr.ErrNotApproved)
	alice.Approve(unlock)
	er.Opens(scan)
	net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened")
}
