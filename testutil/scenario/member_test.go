package scenario_test

import (
	"errors"
	"testing"
	"time"

	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// A hospital joins by a vote, while the others run: it catches up from the first block, validates, gets copies and proves them.
func TestHospitalJoins(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4), scenario.Silence(2*time.Second, 20*time.Second, time.Minute), scenario.Epochs(4*time.Second))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := er.Store(alice, "before.dcm")
	east := net.NewHospital("east")

	// Nobody knows it yet, at either port.
	east.Peer().CannotJoin(er)
	if err := east.Peer().FetchFrom(er, scan); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("a hospital that is no member fetches: %v", err)
	}
	east.Launch()
	net.Admit(east)
	net.Tells(byChain(audit.KindMemberAdmitted, number(east.Number())))
	east.IsReady()
	net.Validate(5)
	// With it a hospital may fail: four of five are more than two thirds, and three are not.
	clinic.Stop()
	er.Upload(alice, lock.ID{}, "while-another-is-away.dcm", scenario.Content(1000))
	clinic.Start()
	east.GetsCopies(er, alice)
}
