package scenario_test

import (
	"testing"
	"time"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// between is how many blocks lie between two snapshots of these stories.
const between = 40

// A hospital hands its member.json in at a member's gateway, waits for the vote, and begins with a snapshot: three of four hospitals keep rotten
// ones, of which it meets some or none; TestRottenPartsOfASnapshotAreRefused shows what it does then. Then it is a member like the others, and so is a storage node that begins the same way.
func TestHospitalJoinsBySnapshot(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4), scenario.Snapshots(between), scenario.Silence(2*time.Second, 20*time.Second, time.Minute), scenario.Epochs(4*time.Second))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := er.Store(alice, "before.dcm")
	net.HasSnapshot()
	for _, h := range net.Hospitals() {
		if h.Name() != "er" {
			h.RotSnapshots()
		}
	}

	east := net.NewHospital("east")
	east.Snapshots(between)
	east.Joins(er)
	er.AsksToJoin(east)
	east.Launch()
	east.Says("waits until the hospitals admit it")
	net.Admit(east)
	net.Tells(byChain(audit.KindMemberAdmitted, number(east.Number())))
	east.Says("the chain's state was fetched")
	east.IsReady()
	if first := east.FirstBlock(); first <= between {
		t.Errorf("it read block %d, and so carried out those before the snapshot", first)
	}
	// State sync brought the log whole, also what is older than its first block.
	east.HasWholeLog()
	net.Validate(5)
	// Its validator signs: with another one away the network goes on.
	clinic.Stop()
	er.Store(alice, "while-another-is-away.dcm")
	clinic.Start()
	east.GetsCopies(er, alice)
	// What was stored before is read through it.
	unlock := east.Propose(scan, "TREAT")
	er.Endorse(unlock)
	alice.Approve(unlock)
	east.Opens(scan)

	annex := er.NewStorageNode("annex")
	annex.Snapshots(between)
	annex.Start()
	annex.Says("no hospital's node admits this storage node")
	annex.Register()
	annex.Becomes(storagev1.NodeStatus_NODE_STATUS_ALIVE)
	if first := annex.FirstBlock(); first <= between {
		t.Errorf("the storage node read block %d", first)
	}
}
