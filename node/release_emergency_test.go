package node_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

func (s accessOf) EmergencyAccess(_ context.Context, req *accessv1.QueryEmergencyAccessRequest) (*accessv1.QueryEmergencyAccessResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.n.emergency == nil || req.GetId() != s.n.emergency.GetEmergency().GetId() {
		return nil, status.Error(codes.NotFound, "no such emergency")
	}
	return clone(s.n.emergency), nil
}

func (s accessOf) EmergencyTerms(_ context.Context, req *accessv1.QueryEmergencyTermsRequest) (*accessv1.QueryEmergencyTermsResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.n.terms == nil || req.GetPatient() != s.n.patient {
		return &accessv1.QueryEmergencyTermsResponse{}, nil
	}
	return &accessv1.QueryEmergencyTermsResponse{Terms: clone(s.n.terms)}, nil
}

// boxed gives a version an emergency box.
func (n *custodyNet) boxed(v *recordsv1.Version) *recordsv1.Version {
	n.set(func() {
		v.Box = &recordsv1.BoxLock{Generation: 1, U: lock.HashToGroup(n.bytes(32)).Bytes(), UBar: lock.HashToGroup(n.bytes(32)).Bytes(), Hash: n.bytes(32)}
	})
	return v
}

// boxContext is E of a version's box, made without the code under test.
func (n *custodyNet) boxContext(v *recordsv1.Version) [64]byte {
	u, err := lock.ParsePoint(v.GetBox().GetU())
	if err != nil {
		n.t.Fatal(err)
	}
	uBar, err := lock.ParsePoint(v.GetBox().GetUBar())
	if err != nil {
		n.t.Fatal(err)
	}
	e, err := lock.EmergencyBox{
		Context: n.context(v), Generation: n.generationOf(lock.KeyEmergency), U: u, UBar: uBar, Pc: [32]byte(v.GetHeader().GetPc()),
	}.Hash()
	if err != nil {
		n.t.Fatal(err)
	}
	return e
}

// emergencies has a clinician of the er ask in an emergency and two other hospitals approve it, whose delay is over, and answers the ids of
// both parts.
func (n *custodyNet) emergencies(versions ...*recordsv1.Version) (first, box string) {
	n.t.Helper()
	requester := n.account(consortiumv1.Role_ROLE_CLINICIAN, er)
	first = n.approvedFor(requester, er, versions...)
	box = n.approvedOver(lock.KeyEmergency, requester, er, versions...)
	approval := func(hospital uint64) *accessv1.EmergencyApproval {
		return &accessv1.EmergencyApproval{Officer: n.account(consortiumv1.Role_ROLE_OFFICER, hospital), Hospital: hospital, At: n.now.Unix() - 100}
	}
	approvals := []*accessv1.EmergencyApproval{approval(clinic), approval(3)}
	n.set(func() {
		for _, id := range []string{first, box} {
			u := n.unlocks[id].GetUnlock()
			u.Emergency, u.EndorsementsNeeded, u.Endorsements = first, 2, nil
		}
		n.terms = &accessv1.EmergencyTerms{Patient: n.patient, EnabledBy: "phrd1patient", Approvals: 2, Delay: 60, EnabledAt: 1}
		n.emergency = &accessv1.QueryEmergencyAccessResponse{Status: accessv1.EmergencyStatus_EMERGENCY_STATUS_APPROVED, Emergency: &accessv1.Emergency{
			Id: first, BoxUnlock: box, Patient: n.patient, Requester: requester, Hospital: er, Custodian: clinic, Reason: "unconscious", ApprovalsNeeded: 2,
			Delay: 60, Approvals: approvals, RequestedAt: n.now.Unix() - 200, ExpiresAt: n.now.Unix() + 24*60*60, ApprovedAt: n.now.Unix() - 100,
		}}
	})
	return first, box
}

// kindOf gives a holder its share of a kind of key, which in this net is the same number.
func (h *holding) ofKind(kind lock.KeyKind) {
	share := h.n.shareOf(h.member)
	share.Kind = kind
	h.shares.set(share)
}

// A holder believes no other that an emergency is due: each line is one thing for which it stays silent, for either part, and it answers when
// that is put right.
func TestHolderChecksEmergencies(t *testing.T) {
	type scene struct {
		*custodyNet
		unlock    *accessv1.Unlock
		emergency *accessv1.Emergency
		terms     *accessv1.EmergencyTerms
		version   *recordsv1.Version
	}
	for _, tc := range []struct {
		name    string
		boxOnly bool
		spoil   func(s scene)
	}{
		{"no such emergency", false, func(s scene) { s.emergency.Id = "00" }},
		{"part of another emergency", false, func(s scene) { s.unlock.Emergency = "00" }},
		{"one that names another first part", false, func(s scene) {
			s.emergency.Id, s.emergency.BoxUnlock = s.emergency.GetBoxUnlock(), s.emergency.GetId()
			s.unlock.Emergency = s.emergency.GetId()
		}},
		{"another patient's", false, func(s scene) { s.emergency.Patient = lock.ID{9}.String() }},
		{"another requester's", false, func(s scene) { s.emergency.Requester = "phrd1x" }},
		{"another hospital's", false, func(s scene) { s.emergency.Hospital = 3 }},
		{"another custodian's", false, func(s scene) { s.emergency.Custodian = 3 }},
		{"ended", false, func(s scene) { s.emergency.EndedAt = 1 }},
		{"its time is over", false, func(s scene) { s.emergency.ExpiresAt = s.now.Unix() }},
		{"not approved", false, func(s scene) { s.emergency.ApprovedAt = 0 }},
		{"its delay is not over", false, func(s scene) { s.emergency.ApprovedAt = s.now.Unix() - 30 }},
		{"a delay beyond all bounds", false, func(s scene) { s.emergency.Delay = 1 << 63 }},
		{"the patient never agreed", false, func(s scene) { s.custodyNet.terms = nil }},
		{"the patient agrees no more", false, func(s scene) { s.terms.DisabledAt = 1 }},
		{"an approval is missing", false, func(s scene) { s.emergency.Approvals = s.emergency.GetApprovals()[1:] }},
		{"a hospital approved twice", false, func(s scene) { s.emergency.Approvals[1] = s.emergency.GetApprovals()[0] }},
		{"one more is needed", false, func(s scene) { s.emergency.ApprovalsNeeded = 3 }},
		{"the requester's hospital approved", false, func(s scene) {
			s.emergency.Approvals[0].Hospital = er
			s.principals[s.emergency.GetApprovals()[0].GetOfficer()].Hospital = er
		}},
		{"an officer of another hospital", false, func(s scene) { s.principals[s.emergency.GetApprovals()[0].GetOfficer()].Hospital = 4 }},
		{"who approved is no officer", false, func(s scene) {
			s.principals[s.emergency.GetApprovals()[0].GetOfficer()].Role = consortiumv1.Role_ROLE_CLINICIAN
		}},
		{"who approved is nobody", false, func(s scene) { delete(s.principals, s.emergency.GetApprovals()[0].GetOfficer()) }},
		{"a hospital that the patient did not name", false, func(s scene) { s.terms.Hospitals = []uint64{3, 4, 5} }},
		{"erased", false, func(s scene) { s.version.Tombstone = &recordsv1.Tombstone{Erasure: 1} }},
		{"another box", true, func(s scene) { s.version.Box.U = lock.HashToGroup(s.bytes(32)).Bytes() }},
		{"another content of the box", true, func(s scene) { s.version.Box.Hash[0] ^= 1 }},
		{"no box", true, func(s scene) { s.version.Box = nil }},
		{"a box under another key", true, func(s scene) { s.version.Box.Generation = 2 }},
		{"no part of an emergency", true, func(s scene) { s.unlock.Emergency = "" }},
		{"shares of the records key are asked", true, func(s scene) { s.unlock.Box = false }},
	} {
		for _, kind := range []lock.KeyKind{lock.KeyRecords, lock.KeyEmergency} {
			if tc.boxOnly && kind == lock.KeyRecords {
				continue
			}
			t.Run(tc.name, func(t *testing.T) {
				n := newCustodyNet(t)
				scan, _ := n.record()
				first, box := n.emergencies(n.boxed(scan))
				unlock, other := first, box
				if kind == lock.KeyEmergency {
					unlock, other = box, first
				}
				n.set(func() { delete(n.releases, other) })
				good, terms := clone(n.emergency), clone(n.terms)
				holder := n.holding(n.ranked(unlock)[0])
				holder.ofKind(kind)
				restore := n.snapshot()
				tc.spoil(scene{n, n.unlocks[unlock].GetUnlock(), n.emergency.GetEmergency(), n.terms, scan})
				holder.start()
				n.settled()
				requireEqual(t, "messages", len(n.sent()), 0)
				n.set(func() {
					restore()
					n.emergency, n.terms, n.headAge = good, terms, time.Second
				})
				n.requireTookInTime("put right", unlock, holder.member)
			})
		}
	}
}

// helper is a hospital that approved an emergency, with the vault to which a version's box is sealed.
type helper struct {
	*consentedScan
	emergency, box string
	entries        []byte
}

func newHelper(t *testing.T) *helper {
	t.Helper()
	h := &helper{consentedScan: newConsentedScan(t)}
	key := lock.Generation{Network: h.network, Kind: lock.KeyEmergency, Number: 1, X: h.dealt.X}
	recipient, err := seal.EmergencyRecipient(clinic)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := h.header.OpenEnvelope(h.blocks[h.header.Envelope])
	if err != nil {
		t.Fatal(err)
	}
	hospital, err := seal.HospitalRecipient(er)
	if err != nil {
		t.Fatal(err)
	}
	half, err := envelope.OpenOwn(h.header, hospital, h.vault[2])
	if err != nil {
		t.Fatal(err)
	}
	boxed, proof, err := envelope.Rebox(h.header, half, &seal.EmergencyTerms{
		Key: key, Vaults: []seal.VaultKey{{Recipient: recipient, Epoch: 1, Key: h.vault[1].Public()}},
	}, [20]byte{})
	if err != nil {
		t.Fatal(err)
	}
	s := proof.Statement
	h.set(func() {
		h.version.Box = &recordsv1.BoxLock{Generation: 1, U: s.U.Bytes(), UBar: s.UBar.Bytes(), Hash: s.Box[:]}
	})
	h.emergency, h.box = h.custodyNet.emergencies(h.version)
	h.set(func() {
		for _, id := range []string{h.emergency, h.box} {
			h.unlocks[id].Status = accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED
		}
		h.unlocks[h.emergency].Unlock.RequestKey = h.rk.Public().CID().String()
		h.custodyNet.emergency.Status = accessv1.EmergencyStatus_EMERGENCY_STATUS_RELEASED
	})
	secret, err := lock.Interpolate(h.dealt.Shares[:holdersNeeded])
	if err != nil {
		t.Fatal(err)
	}
	after := h.header
	if after.Envelope, err = boxed.CID(); err != nil {
		t.Fatal(err)
	}
	list, err := boxed.OpenBox(after, h.generationOf(lock.KeyEmergency), s.U.Mul(secret))
	if err != nil {
		t.Fatal(err)
	}
	h.entries = seal.AppendBoxEntry(nil, list[0])
	return h
}

func (h *helper) half(requester string, hospital uint64, entries []byte) ([]byte, error) {
	return h.capsules.EmergencyHalf(h.t.Context(), h.emergency, requester, hospital, entries, h.now.Unix(), func(_ context.Context, c lock.CID) ([]byte, error) {
		if block := h.blocks[c]; block != nil {
			return block, nil
		}
		return nil, errors.New("no such block")
	})
}

func (h *helper) asker() string { return h.custodyNet.emergency.GetEmergency().GetRequester() }

// The requester gets the owner's half of a hospital that approved.
func TestEmergencyHalf(t *testing.T) {
	h := newHelper(t)
	capsule, err := h.half(h.asker(), clinic, h.entries)
	if err != nil {
		t.Fatal(err)
	}
	asked := []seal.Asked{{Record: h.header.Context.Record, Version: 1, Lock: lock.LockBoth}}
	halves, err := seal.OpenCapsule(h.rk, h.network, [32]byte(mustHex(t, h.emergency)), asked, capsule)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.header.CheckHalf(*halves[0]); err != nil {
		t.Error(err)
	}
}

// Each line is one thing for which nothing is handed over.
func TestNoEmergencyHalf(t *testing.T) {
	bent := func(entries []byte) []byte {
		entries = bytes.Clone(entries)
		entries[len(entries)-1] ^= 1
		return entries
	}
	for _, tc := range []struct {
		name  string
		code  codes.Code
		spoil func(h *helper) (requester string, hospital uint64, entries []byte)
	}{
		{"another clinician", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			return h.account(consortiumv1.Role_ROLE_CLINICIAN, er), clinic, h.entries
		}},
		{"a hospital that did not approve", codes.NotFound, func(h *helper) (string, uint64, []byte) { return h.asker(), 4, h.entries }},
		{"no such emergency", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			requester := h.asker()
			h.custodyNet.emergency = nil
			return requester, clinic, h.entries
		}},
		{"approved and no more", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			h.custodyNet.emergency.Status = accessv1.EmergencyStatus_EMERGENCY_STATUS_APPROVED
			return h.asker(), clinic, h.entries
		}},
		{"the boxes are not released", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			h.unlocks[h.box].Status = accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED
			return h.asker(), clinic, h.entries
		}},
		{"the records are not released", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			h.unlocks[h.emergency].Status = accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED
			return h.asker(), clinic, h.entries
		}},
		{"ended", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			h.custodyNet.emergency.Emergency.EndedAt = 1
			return h.asker(), clinic, h.entries
		}},
		{"the patient agrees no more", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			h.terms.DisabledAt = 1
			return h.asker(), clinic, h.entries
		}},
		{"one approval, whatever the status says", codes.NotFound, func(h *helper) (string, uint64, []byte) {
			h.custodyNet.emergency.Emergency.Approvals = h.custodyNet.emergency.GetEmergency().GetApprovals()[:1]
			return h.asker(), clinic, h.entries
		}},
		{"no entries", codes.InvalidArgument, func(h *helper) (string, uint64, []byte) { return h.asker(), clinic, nil }},
		{"half an entry", codes.InvalidArgument, func(h *helper) (string, uint64, []byte) { return h.asker(), clinic, h.entries[1:] }},
		{"two entries for one version", codes.InvalidArgument, func(h *helper) (string, uint64, []byte) {
			return h.asker(), clinic, append(bytes.Clone(h.entries), h.entries...)
		}},
		{"a bent entry", codes.InvalidArgument, func(h *helper) (string, uint64, []byte) { return h.asker(), clinic, bent(h.entries) }},
		{"an entry of another version", codes.InvalidArgument, func(h *helper) (string, uint64, []byte) {
			h.version.Header.Pc = bytes.Clone(h.version.GetHeader().GetPc())
			h.version.Header.Pc[0] ^= 1
			return h.asker(), clinic, h.entries
		}},
		{"a key that is not here", codes.Unknown, func(h *helper) (string, uint64, []byte) {
			delete(h.vault, 1)
			return h.asker(), clinic, h.entries
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHelper(t)
			requester, hospital, entries := tc.spoil(h)
			capsule, err := h.half(requester, hospital, entries)
			if status.Code(err) != tc.code || capsule != nil {
				t.Errorf("got %v, want %v", err, tc.code)
			}
		})
	}
}
