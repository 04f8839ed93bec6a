package phr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// Who looked is listed newest first, with the reason that stands in the log beside the unlock; reads that follow each other are one
// look, and others' entries and those of others' patients are none.
func TestWhoLooked(t *testing.T) {
	c := newCast(t)
	alice, bob, scan := lock.ID{1}.String(), lock.ID{2}.String(), lock.ID{3}.String()
	const asked, consented, urgent = "aa", "bb", "cc"
	opened := func(at int64, patient, actor, unlock string, count uint64) *auditv1.Entry {
		return &auditv1.Entry{
			Time: at, Kind: "opened", Patient: patient, Actor: actor, Role: "clinician", Hospital: 2, Unlock: unlock, Outcome: auditv1.Outcome_OUTCOME_OK, Count: count,
			Subjects: []*auditv1.Subject{{Record: scan, Version: 1, Length: count}},
		}
	}
	step := func(kind, unlock, purpose, target string) *auditv1.Entry {
		return &auditv1.Entry{Time: 1, Kind: kind, Patient: alice, Unlock: unlock, Purpose: purpose, Target: target, Outcome: auditv1.Outcome_OUTCOME_OK}
	}
	refused := opened(9000, alice, "eve", "", 0)
	refused.Outcome, refused.Reason = auditv1.Outcome_OUTCOME_REFUSED, "no_unlock"
	denied := step("approved", urgent, "", "")
	denied.Outcome, denied.Reason = auditv1.Outcome_OUTCOME_REFUSED, "not_the_owner"
	c.entries = nil
	for _, e := range []*auditv1.Entry{
		step("proposed", asked, "TREAT", ""), step("endorsed", asked, "TREAT", ""), step("approved", asked, "TREAT", ""),
		opened(1000, alice, "doctor", asked, 100), opened(1100, alice, "doctor", asked, 20), opened(1200, bob, "doctor", "dd", 7),
		opened(5000, alice, "doctor", asked, 3), // an hour later
		step("proposed", consented, "HRESCH", ""), step("consent_used", consented, "HRESCH", "12"), opened(6000, alice, "resident", consented, 50),
		step("emergency_requested", urgent, "ETREAT", "unconscious"), denied, opened(7000, alice, "resident", urgent, 60),
		opened(8000, alice, "clerk", "", 70), refused,
	} {
		e.Sequence = uint64(len(c.entries)) + 1
		c.entries = append(c.entries, e)
	}
	var got []phr.Look
	for look, err := range c.alice.WhoLooked(t.Context(), alice) {
		require.NoError(t, err)
		require.Equal(t, c.members[1].Name, look.HospitalName)
		require.Equal(t, scan, look.Record)
		got = append(got, phr.Look{Actor: look.Actor, From: look.From, Until: look.Until, Bytes: look.Bytes, Refused: look.Refused, Grounds: look.Grounds})
	}
	require.Equal(t, []phr.Look{
		{Actor: "eve", From: 9000, Until: 9000, Refused: "no_unlock"},
		{Actor: "clerk", From: 8000, Until: 8000, Bytes: 70},
		{Actor: "resident", From: 7000, Until: 7000, Bytes: 60, Grounds: phr.Grounds{Purpose: "ETREAT", Emergency: "unconscious"}},
		{Actor: "resident", From: 6000, Until: 6000, Bytes: 50, Grounds: phr.Grounds{Purpose: "HRESCH", Consent: 12}},
		{Actor: "doctor", From: 5000, Until: 5000, Bytes: 3, Grounds: phr.Grounds{Purpose: "TREAT", Approved: true}},
		{Actor: "doctor", From: 1000, Until: 1100, Bytes: 120, Grounds: phr.Grounds{Purpose: "TREAT", Approved: true}},
	}, got)
}
