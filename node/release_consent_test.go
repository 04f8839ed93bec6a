package node_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
)

// Consent answers the one consent that there is.
func (s accessOf) Consent(_ context.Context, req *accessv1.QueryConsentRequest) (*accessv1.QueryConsentResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.n.consent == nil || req.GetNumber() != 7 {
		return nil, status.Error(codes.NotFound, "no such consent")
	}
	return clone(s.n.consent), nil
}

// Record answers the record of a version.
func (s recordsOf) Record(_ context.Context, req *recordsv1.QueryRecordRequest) (*recordsv1.QueryRecordResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	v := s.n.versions[req.GetId()]
	if v == nil {
		return nil, status.Error(codes.NotFound, "no such record")
	}
	return &recordsv1.QueryRecordResponse{Record: &recordsv1.Record{
		Id: v.GetRecord(), Patient: v.GetHeader().GetPatient(), Custodian: v.GetHeader().GetCustodian(), Class: recordsv1.Class_CLASS_IMAGING,
	}}, nil
}

// consented has a consent in the place of the owner's signature under an unlock.
func (n *custodyNet) consented(unlock string) {
	n.set(func() {
		u := n.unlocks[unlock].GetUnlock()
		u.Approval.Capsule, u.Approval.Consent, u.Approval.At = "", 7, n.now.Unix()
		n.consent = &accessv1.QueryConsentResponse{Status: accessv1.ConsentStatus_CONSENT_STATUS_LIVE, Consent: &accessv1.Consent{
			Number: 7, Patient: n.patient, GrantedBy: u.GetApproval().GetBy(), Hospital: er, Ward: 12, Classes: []recordsv1.Class{recordsv1.Class_CLASS_IMAGING},
			Purpose: "TREAT", Until: u.GetExpiresAt(), GrantedAt: n.now.Unix(), UsesADay: 1,
		}}
		n.principals[u.GetRequester()].Wards = []uint32{12}
	})
}

// A holder believes no other that a consent stood in for the owner: each line is one thing for
// which it stays silent, and it answers when that is put right.
func TestHolderChecksConsents(t *testing.T) {
	type scene struct {
		*custodyNet
		unlock    *accessv1.Unlock
		requester *consortiumv1.Principal
		consent   *accessv1.Consent
	}
	for _, tc := range []struct {
		name  string
		spoil func(s scene)
	}{
		{"no such consent", func(s scene) { s.custodyNet.consent = nil }},
		{"another number", func(s scene) { s.consent.Number = 8 }},
		{"withdrawn", func(s scene) { s.custodyNet.consent.Status = accessv1.ConsentStatus_CONSENT_STATUS_WITHDRAWN }},
		{"withdrawn, whatever the status says", func(s scene) { s.consent.WithdrawnAt = 1 }},
		{"ended", func(s scene) { s.custodyNet.consent.Status = accessv1.ConsentStatus_CONSENT_STATUS_ENDED }},
		{"another patient's", func(s scene) { s.consent.Patient = lock.ID{9}.String() }},
		{"granted by another account", func(s scene) { s.consent.GrantedBy = "phrd1mallory" }},
		{"to another clinician", func(s scene) { s.consent.Staff = "phrd1x" }},
		{"to another ward", func(s scene) { s.consent.Ward = 13 }},
		{"to another hospital", func(s scene) { s.consent.Hospital = clinic }},
		{"of a clinician who left the ward", func(s scene) { s.requester.Wards = nil }},
		{"for another purpose", func(s scene) { s.consent.Purpose = "HRESCH" }},
		{"it ends earlier", func(s scene) { s.consent.Until-- }},
		{"granted after the approval", func(s scene) { s.consent.GrantedAt++ }},
		{"for another class", func(s scene) { s.consent.Classes = []recordsv1.Class{recordsv1.Class_CLASS_RESULT} }},
		{"for another record", func(s scene) { s.consent.Classes, s.consent.Records = nil, []string{lock.ID{9}.String()} }},
		{"for nothing", func(s scene) { s.consent.Classes = nil }},
		{"without an endorsement", func(s scene) { s.unlock.Endorsements = nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newCustodyNet(t)
			scan, _ := n.record()
			unlock := n.approved(scan)
			n.consented(unlock)
			holder := n.holding(n.ranked(unlock)[0])
			u, good := n.unlocks[unlock].GetUnlock(), clone(n.consent)
			restore := n.snapshot()
			tc.spoil(scene{custodyNet: n, unlock: u, requester: n.principals[u.GetRequester()], consent: n.consent.GetConsent()})
			holder.start()
			n.settled()
			requireEqual(t, "messages", len(n.sent()), 0)
			n.set(func() {
				restore()
				n.consent = good
				n.headAge = time.Second
			})
			n.requireTookInTime("put right", unlock, holder.member)
		})
	}
}
