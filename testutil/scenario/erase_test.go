package scenario_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

// Alice erases a scan that was copied and opened. Nobody can ask for it or open it any more, and it is on no disk: neither at those
// that held it, nor at the one that opened it, nor at one that was away meanwhile, nor at one that brings an old backup back. What is
// beside it stays.
func TestErasedScanIsNowhere(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	scan := clinic.Store(alice, "chest.dcm")
	next := clinic.StoreNext(scan, "after.dcm")
	// The er holds no copy of its own: it has what it opened.
	reader := net.Without(scan)
	unlock := reader.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	reader.Opens(scan)
	gone, stays := clinic.BlocksOf(scan), clinic.BlocksOf(next)
	away := net.Copying(scan)[0]
	away.Stop()
	backup := away.BackUp()

	if alice.Erase(scan) != 0 {
		t.Error("the erasure waits for somebody")
	}
	net.Tells(about(&auditv1.Entry{Kind: audit.KindErased, Actor: alice.Address(), Role: "patient", Outcome: ok}, scan, scenario.Unlock{}))
	net.Stands(unlock, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED)
	net.Tells(target(about(byChain(audit.KindWithdrawn, ""), scan, unlock), scan.Ref.String()))
	alice.CannotErase(records.ReasonErased, scan)
	clinic.Clerk().CannotErase(records.ReasonNotOwner, next)
	if _, err := reader.Clinician().Client().Propose(t.Context(), phr.Request{
		Versions: []phr.Ref{scan.Ref}, Purpose: scenario.Treatment, Lifetime: time.Hour,
	}); scenario.Reason(err) != access.ReasonErased {
		t.Errorf("propose: %v", err)
	}
	content := "/records/" + scan.Record.String() + "/versions/1/content"
	if status, body := clinic.Clerk().Call(http.MethodGet, content, nil); status != http.StatusGone {
		t.Errorf("an erased version answers %d %s", status, body)
	}
	if status, body := reader.Clinician().Call(http.MethodGet, content+"?unlock="+unlock.ID, nil); status != http.StatusForbidden {
		t.Errorf("a withdrawn unlock answers %d %s", status, body)
	}

	if c := alice.Certificate(scan, 1); c.GetMissing() != 1 || len(c.GetNodes()) != 4 {
		t.Errorf("one hospital is away: %v", c)
	}
	away.Start()
	c := alice.Certificate(scan, 0)
	for _, n := range c.GetNodes() {
		if n.GetAttestation().GetBackupDays() != 30 {
			t.Errorf("node %d names backups of %d days", n.GetNode(), n.GetAttestation().GetBackupDays())
		}
	}
	attested := target(about(entryOf(away.Node(), "node", audit.KindErasureAttested), scan, scenario.Unlock{}), scan.Object.String())
	attested.Count = 30
	net.ToldOf(attested)

	net.Sleep(func() {
		for _, h := range net.Hospitals() {
			if h.HoldsAny(gone) {
				t.Errorf("%s holds a block that was erased", h.Name())
			}
		}
		if !clinic.HoldsAny(stays) {
			t.Error("what was not erased is gone")
		}
		away.Restore(backup)
		if !away.HoldsAny(gone) {
			t.Error("the backup does not hold what was erased since")
		}
	})
	away.HasErased(clinic)
	unlock = reader.Propose(next, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	reader.Opens(next)
	if !slices.Equal(c.GetRemains(), []string{"tombstone", "lock_header", "log_entries"}) {
		t.Errorf("remains %v", c.GetRemains())
	}
	net.HasWholeLog()
	away.Stop()
	if away.HoldsAny(gone) {
		t.Errorf("%s holds a block that came back from a backup", away.Name())
	}
}
