package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
)

// An approval that shows anything else than what was proposed, or comes too early, twice or too late, does not count.
func TestWrongSignaturesDoNotCount(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	first, second := clinic.Store(alice, "before.dcm"), clinic.Store(alice, "after.dcm")
	doctor := er.Clinician()
	unlock := doctor.Ask(time.Hour, scenario.Treatment, first, second)
	cannot := func(reason string, change func(*accessv1.MsgApproveUnlock)) {
		t.Helper()
		m := alice.Approval(unlock)
		change(m)
		alice.CannotSend(m, &accessv1.MsgApproveUnlockResponse{}, reason)
	}
	unchanged := func(*accessv1.MsgApproveUnlock) {}

	cannot(access.ReasonNotEndorsed, unchanged)
	clinic.Endorse(unlock)
	clinic.Officer().CannotEndorse(unlock, access.ReasonRepeatedEndorsement)
	clinic.Director().CannotEndorse(unlock, access.ReasonAlreadyEndorsed)

	cannot(access.ReasonHospitalDiffers, func(m *accessv1.MsgApproveUnlock) { m.Hospital = "north" })
	cannot(access.ReasonHospitalDiffers, func(m *accessv1.MsgApproveUnlock) { m.Hospital = access.OwnReading })
	cannot(access.ReasonPurposeDiffers, func(m *accessv1.MsgApproveUnlock) { m.Purpose = "HRESCH" })
	cannot(access.ReasonUntilDiffers, func(m *accessv1.MsgApproveUnlock) { m.Until = "2035-01-01T00:00:00Z" })
	cannot(access.ReasonRecordsDiffer, func(m *accessv1.MsgApproveUnlock) { slices.Reverse(m.Records) })
	cannot(access.ReasonRecordsDiffer, func(m *accessv1.MsgApproveUnlock) { m.Records = m.Records[:1] })
	cannot(access.ReasonRecordsDiffer, func(m *accessv1.MsgApproveUnlock) { m.Records[1] = m.Records[0] })
	cannot(access.ReasonCapsuleMissing, func(m *accessv1.MsgApproveUnlock) { m.Capsule = "" })
	cannot(fmt.Sprintf("%s/%d", access.ModuleName, access.ErrUnknownUnlock.ABCICode()), func(m *accessv1.MsgApproveUnlock) { m.Unlock = strings.Repeat("0", 64) })
	doctor.CannotOpen(first, phr.ErrNotApproved)

	alice.Approve(unlock)
	doctor.Opens(first)
	doctor.Opens(second)
	cannot(access.ReasonAlreadyApproved, unchanged)
	alice.CannotDeny(unlock, access.ReasonAlreadyApproved)

	// Whoever sends the proposal again gets no second unlock, neither the requester nor somebody else.
	again := net.ProposalOf(unlock)
	doctor.CannotSend(again, &accessv1.MsgProposeUnlockResponse{}, access.ReasonRepeatedPoint)
	stolen := net.ProposalOf(unlock)
	stolen.Requester = net.Hospital("north").Clinician().Address()
	net.Hospital("north").Clinician().CannotSend(stolen, &accessv1.MsgProposeUnlockResponse{}, access.ReasonRepeatedPoint)
}

// A transaction counts once, and on one chain.
func TestTransactionsAreNotReplayed(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	deny := &accessv1.MsgDenyUnlock{Signer: alice.Address(), Unlock: unlock.ID}

	tx := alice.Sign("phrd-2", deny)
	if _, err := alice.Broadcast(tx, deny); scenario.Reason(err) != "sdk/4" {
		t.Fatalf("a transaction of another chain: %v", err)
	}
	tx = alice.Sign(scenario.ChainID, deny)
	if _, err := alice.Broadcast(tx, deny); err != nil {
		t.Fatal(err)
	}
	net.Stands(unlock, accessv1.UnlockStatus_UNLOCK_STATUS_DENIED)
	if _, err := alice.Broadcast(tx, deny); scenario.Reason(err) != "sdk/19" && scenario.Reason(err) != "sdk/32" {
		t.Fatalf("a transaction again: %v", err)
	}
	if _, err := net.Hospital("north").Clerk().Broadcast(tx, deny); scenario.Reason(err) != "sdk/19" && scenario.Reason(err) != "sdk/32" {
		t.Fatalf("a transaction again at another hospital: %v", err)
	}
	net.History(scan, "stored", "proposed", "denied")
}

// The holders' shares alone are half a key: without what the owner's vault holds nothing opens.
func TestNetworkAloneOpensNothing(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	// The approval is signed, as by a stolen wallet, and names a capsule that nobody can make.
	if err := alice.Send(alice.Approval(unlock), &accessv1.MsgApproveUnlockResponse{}); err != nil {
		t.Fatal(err)
	}
	net.Stands(unlock, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED)
	er.Clinician().Reads(scan, unlock) // ciphertext
	er.CannotOpen(scan, phr.ErrNotReleased)
	net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened")
}

func TestFilesOfEverySize(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	var files []scenario.Version
	for _, size := range []int{0, 1, seal.ChunkSize - 1, seal.ChunkSize, seal.ChunkSize + 1} {
		files = append(files, clinic.Upload(alice, scenario.NewRecord, "file of a size", scenario.Content(size)))
	}
	doctor := er.Clinician()
	unlock := doctor.Ask(time.Hour, scenario.Treatment, files...)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	for _, f := range files {
		doctor.Opens(f)
	}
}
