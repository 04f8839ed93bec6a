package scenario_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// notForStorage is the reason for which a role is refused a message.
const notForStorage = "phrd-ante/8"

// ofStorage are the messages that a further storage node may send.
var ofStorage = []string{
	"phrd.storage.v1.MsgAttestErasures", "phrd.storage.v1.MsgConfirmCopies", "phrd.storage.v1.MsgDisputeProofs", "phrd.storage.v1.MsgHeartbeat",
	"phrd.storage.v1.MsgReportLostCopies", "phrd.storage.v1.MsgSubmitProofs",
}

// A hospital adds a server at a second site. It only stores: it gets copies, proves them, and serves them while the hospital's own
// server is down. When it is retired others take over, and then nobody talks to it any more.
func TestStorageNode(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4), scenario.Silence(2*time.Second, 20*time.Second, time.Minute), scenario.Epochs(4*time.Second))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	first := er.Store(alice, "before.dcm")
	annex := clinic.NewStorageNode("annex")

	// Before it is registered it is a stranger at both ports, and waits.
	annex.Peer().CannotJoin(er)
	if err := annex.Peer().FetchFrom(er, first); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("a node that is not registered fetches: %v", err)
	}
	annex.Start()
	annex.Says("no hospital's node admits this storage node")
	annex.Register()
	net.Tells(target(entryOf(clinic.Admin(), "admin", audit.KindStorageNodeRegistered), number(annex.Number())))
	annex.Becomes(storagev1.NodeStatus_NODE_STATUS_ALIVE)
	if got := net.Validators(); got != 4 {
		t.Errorf("%d validators, want the 4 hospitals", got)
	}

	scan := er.Store(alice, "chest.dcm")
	for tries := 0; !annex.IsToHold(scan); tries++ {
		if tries == 20 {
			t.Fatal("none of 20 files is placed on a node that has by far the most room")
		}
		scan = er.Store(alice, "chest.dcm")
	}
	annex.Holds(scan)
	annex.Proves()

	t.Run("its account may send storage messages and no other", func(t *testing.T) {
		account := annex.Account()
		for _, name := range messages() {
			if !slices.Contains(ofStorage, name) {
				account.CannotSend(scenario.Blank(t, name, account.Address()), nil, notForStorage)
			}
		}
		if err := account.Send(&storagev1.MsgHeartbeat{Node: account.Address(), Free: 1 << 39}, &storagev1.MsgHeartbeatResponse{}); err != nil {
			t.Errorf("it may not say that it is there: %v", err)
		}
	})

	// The hospital's own server is down. Who knows its keys reads from the annex.
	clinic.Stop()
	annex.Serves(clinic.Peer(), scan)
	clinic.Start()

	// The twin of the beginning and of the end: now both ports let it in.
	annex.Stop()
	annex.Peer().Joins(er)
	if err := annex.Peer().FetchFrom(er, scan); err != nil {
		t.Errorf("a registered node fetches: %v", err)
	}
	annex.Start()

	annex.Retire()
	annex.Becomes(storagev1.NodeStatus_NODE_STATUS_RETIRED)
	if object := er.IsWhole(scan); object.GetHeld() != 3 || annex.IsToHold(scan) {
		t.Errorf("after the node was drained: %v", object)
	}
	annex.Stop()
	annex.Peer().CannotJoin(er)
	if err := annex.Peer().FetchFrom(er, scan); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("a node that is shut out fetches: %v", err)
	}
	// Everybody else goes on, and the node is not missed.
	er.Store(alice, "after.dcm")
	for _, n := range er.Health().GetNodes() {
		want := storagev1.NodeStatus_NODE_STATUS_ALIVE
		if n.GetNode() == annex.Number() {
			want = storagev1.NodeStatus_NODE_STATUS_RETIRED
		}
		if n.GetStatus() != want {
			t.Errorf("node %d is %s, want %s", n.GetNode(), n.GetStatus(), want)
		}
	}
}
