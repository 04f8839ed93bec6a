package scenario_test

import (
	"sync"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/testutil/scenario"
)

// together does something for hospitals at the same time.
func together(do func(*scenario.Hospital), all ...*scenario.Hospital) {
	var group sync.WaitGroup
	for _, h := range all {
		group.Go(func() { do(h) })
	}
	group.Wait()
}

// A hospital's share is what opens an unlock, or not: two others gave theirs. Before it gives its own the unlock is withdrawn, denied, or
// over. Whatever the hospital is shown by its own disk, by its clock and by those whom it reaches, its share stays where it is; and the
// same hospital gives it for what stands.
func TestAHospitalOfThePastGivesNoShare(t *testing.T) {
	t.Parallel()
	net := scenario.New(t)
	alice, clinic, er, north, south := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er"), net.Hospital("north"), net.Hospital("south")
	scan := clinic.Store(alice, "chest.dcm")
	clinic.RecordsKey(isWhole)
	south.Auditor()
	const (
		silence   = "shares can't be given yet"
		approved  = accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED
		denied    = accessv1.UnlockStatus_UNLOCK_STATUS_DENIED
		expired   = accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED
		withdrawn = accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED
	)

	// What waits for one more share, of south or of er.
	foundER, found := er.LoseShare(), south.LoseShare()
	asked := func(lifetime time.Duration) scenario.Unlock {
		u := er.Clinician().Ask(lifetime, scenario.Treatment, scan)
		clinic.Endorse(u)
		return u
	}
	toDeny, toWithdraw, toExpire := asked(time.Hour), asked(time.Hour), asked(45*time.Second)
	for _, u := range []scenario.Unlock{toExpire, toWithdraw} {
		alice.Approve(u)
		net.HasShares(u, 2)
		south.Knows(u, approved)
	}
	south.Stop()
	found()
	rollBack := south.CopyHome()
	alice.Withdraw(toWithdraw)
	alice.Deny(toDeny)
	net.Stands(toExpire, expired)
	foundER()
	gaveNone := func() {
		t.Helper()
		south.GaveNoShare(net, toWithdraw, 2)
		south.GaveNoShare(net, toExpire, 2)
		south.GaveNoShare(net, toDeny, 0)
	}

	// It lags: with its share it comes up from the past, and sees what became of what waits for it.
	south.Start()
	south.Knows(toWithdraw, withdrawn)
	south.Knows(toDeny, denied)
	gaveNone()

	// Its disk is set back, with everything on it, and it is cut off. The network has gone on for some blocks without it, so that it signs
	// nothing twice later.
	south.Stop()
	clinic.GoesOnWithout(south.ServerKeys(), 3)
	together((*scenario.Hospital).Stop, clinic, er, north)
	rollBack()
	says := south.Listens()
	south.Launch()
	says(silence)
	south.SendsNoShare()
	together((*scenario.Hospital).Start, clinic, er, north)
	south.IsReady()
	south.Knows(toWithdraw, withdrawn)
	gaveNone()

	// The twin: what stands opens with its share, and not without.
	foundER = er.LoseShare()
	opened := asked(time.Hour)
	alice.Approve(opened)
	er.Opens(scan)
	south.GaveShare(net, opened)

	// It runs on while the others are gone: its newest block is seconds old, and says that it should give a share.
	found = south.LoseShare()
	late := asked(time.Hour)
	alice.Approve(late)
	net.HasShares(late, 2)
	south.Knows(late, approved)
	says = south.Listens()
	together((*scenario.Hospital).Stop, clinic, north)
	found()
	says(silence)
	south.SendsNoShare()
	south.Stop()
	together((*scenario.Hospital).Start, clinic, north)
	alice.Withdraw(late)
	south.Start()
	south.Knows(late, withdrawn)
	south.GaveNoShare(net, late, 2)
	opensAnew(t, alice, er, clinic, scan)
	foundER()
}
