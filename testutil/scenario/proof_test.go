package scenario_test

import (
	"testing"

	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// What a patient is told about who looked, and what an auditor is told of an hour, an outsider verifies with the genesis alone.
// Nobody exports what they may not read.
func TestLogIsProvenToAnOutsider(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, bob, clinic, er := net.Patient("alice"), net.Patient("bob"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened")

	report, entries := net.Proves(alice.Exports(logproof.Head{Kind: logproof.Patient, Patient: alice.Number}))
	if !report.Complete {
		t.Error("a patient's log is not complete")
	}
	told := map[string]bool{}
	for _, e := range entries {
		if e.GetPatient() != alice.Number {
			t.Errorf("alice is told %v", e)
		}
		told[e.GetKind()] = true
	}
	for _, kind := range []string{audit.KindStored, audit.KindProposed, audit.KindEndorsed, audit.KindApproved, audit.KindReleased, audit.KindOpened} {
		if !told[kind] {
			t.Errorf("alice is not told what was %s", kind)
		}
	}

	auditor := clinic.Auditor()
	first, last := entries[0].GetTime(), entries[len(entries)-1].GetTime()
	report, period := net.Proves(auditor.Exports(logproof.Head{Kind: logproof.Period, From: first, To: last}))
	if !report.Complete || report.Until != last || len(period) == 0 {
		t.Errorf("of the time from %d to %d are proven %d entries until %d", first, last, len(period), report.Until)
	}
	for _, e := range period {
		if e.GetTime() < first || e.GetTime() >= last {
			t.Errorf("entry %v is of another time", e)
		}
	}
	report, opened := net.Proves(auditor.Exports(logproof.Head{Kind: logproof.Selection, Record: scan.Record.String(), What: audit.KindOpened}))
	if report.Complete || len(opened) == 0 || opened[0].GetActor() != er.Clinician().Address() {
		t.Errorf("who opened: %v, complete %t", opened, report.Complete)
	}

	alice.CannotExport(logproof.Head{Kind: logproof.Period}, phr.ErrForbidden)
	bob.CannotExport(logproof.Head{Kind: logproof.Patient, Patient: alice.Number}, phr.ErrForbidden)
	clinic.Clerk().CannotExport(logproof.Head{Kind: logproof.Period}, phr.ErrForbidden)
	alice.CannotExport(logproof.Head{Kind: logproof.Patient, Patient: alice.Number}, logproof.ErrFormat, []byte("a note"))
	net.Stranger().CannotExport(logproof.Head{Kind: logproof.Patient, Patient: alice.Number}, phr.ErrForbidden)
	net.ProvesItsLog()

	// Somebody outside signs how far the log has grown, and again when it has grown further; exports show both.
	witness := net.Witness("auditor.example")
	early := witness.Signs()
	clinic.Store(alice, "later.dcm")
	late := witness.Signs()
	report, _ = net.Proves(auditor.Exports(logproof.Head{Kind: logproof.Period, From: first, To: last}, early, late))
	if w := report.Witnesses; len(w) != 2 || w[0].Checkpoint.Size >= w[1].Checkpoint.Size || w[1].Checkpoint.Size > report.Size {
		t.Errorf("witnesses %v of a log of %d", w, report.Size)
	}
}
