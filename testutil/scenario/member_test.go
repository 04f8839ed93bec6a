package scenario_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// Hospitals come and go while the others run. One joins by a vote, catches up, validates and gets copies. One moves, and is found
// again. One leaves: others take over what it holds, endorse what it kept, and then shut it out. One burns down and is removed.
func TestHospitalsComeAndGo(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4), scenario.Silence(2*time.Second, 20*time.Second, time.Minute), scenario.Epochs(4*time.Second))
	alice, clinic, er, south := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er"), net.Hospital("south")
	kept, atER := south.Store(alice, "kept-by-south.dcm"), er.Store(alice, "kept-by-er.dcm")

	east := net.NewHospital("east")
	cannotReach(t, east, er, atER)
	east.Launch()
	net.Admit(east)
	net.Tells(byChain(audit.KindMemberAdmitted, number(east.Number())))
	east.IsReady()
	net.Validate(5)
	// With it a hospital may fail: four of five are more than two thirds, and three are not.
	clinic.Stop()
	er.Upload(alice, lock.ID{}, "while-another-is-away.dcm", scenario.Content(1000))
	clinic.Start()
	atEast := east.GetsCopies(er, alice)

	south.Moves(er)
	moved := south.Store(alice, "after-the-move.dcm")

	reaches(t, south, er, atER) // the twin of what is refused when it has left
	holds := uint64(0)          // placement alone says how many of these
	for _, v := range []scenario.Version{kept, moved, atER} {
		if isPlacedAt(er.IsWhole(v), south) {
			holds++
		}
	}
	south.BeginsToLeave()
	if got := south.BecomesMember(consortiumv1.MemberStatus_MEMBER_STATUS_LEFT, er.Clerk()); got.GetHandedOver() < holds || got.GetLeavingSince() == 0 ||
		got.GetLeftAt() < got.GetLeavingSince() || got.GetLeftEntry() == 0 {
		t.Errorf("what the chain says of how it left: %v", got)
	}
	net.Tells(byChain(audit.KindMemberLeft, number(south.Number())))
	left := south.BecomesMember(consortiumv1.MemberStatus_MEMBER_STATUS_LEFT, er.Clerk())
	at := logproof.Head{Kind: logproof.Selection, What: audit.KindMemberLeft, From: left.GetLeftAt(), To: left.GetLeftAt() + 1}
	if _, proven := net.Proves(clinic.Auditor().Exports(at)); len(proven) != 1 || proven[0].GetSequence() != left.GetLeftEntry() || proven[0].GetTarget() != number(south.Number()) {
		t.Errorf("what an auditor proves of how it left: %v", proven)
	}
	net.Validate(4)
	for _, v := range []scenario.Version{kept, moved} {
		if object := er.IsWhole(v); isPlacedAt(object, south) {
			t.Errorf("%s is placed on a hospital that left: %v", v.Name, object)
		}
	}
	south.Stop()
	cannotReach(t, south, er, atER)
	// What it kept is readable as before. Those who ask don't endorse for it, others do.
	unlock := er.Propose(kept, scenario.Treatment)
	own := er.Officer()
	own.CannotSend(&accessv1.MsgEndorseUnlock{Officer: own.Address(), Unlock: unlock.ID}, &accessv1.MsgEndorseUnlockResponse{}, access.ReasonWrongHospital)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(kept)

	// The one that joined burns down. What it held is placed again once nobody waits for it any more.
	east.Stop()
	net.Suspend(east, clinic, er, net.Hospital("north"))
	net.Remove(east)
	net.Tells(byChain(audit.KindMemberRemoved, number(east.Number())))
	if object := er.IsWhole(atEast); len(object.GetCopies()) != 3 {
		t.Errorf("after the removal: %v", object)
	}
	cannotReach(t, east, er, atER)
	// Three are left, as many as open anything: nobody else may go.
	if err := net.Hospital("north").RequestLeave(); scenario.Reason(err) != "consortium/31" {
		t.Errorf("a third one leaves, without whom no key opens: %v", err)
	}
	// Who trusts nothing but the hospitals of the genesis follows who signs blocks from one to the next: one came, two went.
	if blocks := net.ProvesItsLog(); blocks < 4 {
		t.Errorf("%d blocks lead to the log, want one for each change and the last", blocks)
	}
}

// isPlacedAt says whether a hospital's first storage node is to hold an object.
func isPlacedAt(object *storagev1.QueryObjectResponse, h *scenario.Hospital) bool {
	return slices.ContainsFunc(object.GetCopies(), func(c *storagev1.Copy) bool { return c.GetNode() == h.Number() })
}

// cannotReach checks that a hospital, which is stopped, is let in at neither port of another one.
func cannotReach(t *testing.T, from, to *scenario.Hospital, v scenario.Version) {
	t.Helper()
	from.Peer().CannotJoin(to)
	if err := from.Peer().FetchFrom(to, v); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("%s, which is no member, fetches from %s: %v", from.Name(), to.Name(), err)
	}
}

// reaches stops a hospital and checks that it is let in at both ports of another one.
func reaches(t *testing.T, from, to *scenario.Hospital, v scenario.Version) {
	t.Helper()
	from.Stop()
	from.Peer().Joins(to)
	if err := from.Peer().FetchFrom(to, v); err != nil {
		t.Errorf("%s fetches from %s: %v", from.Name(), to.Name(), err)
	}
	from.Start()
}
