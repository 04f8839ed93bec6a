package scenario_test

import (
	"slices"
	"testing"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// Five hospitals, three copies. One that holds a copy is gone for good: another one holds it soon, and nobody has done anything.
func TestLostHospitalIsReplaced(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(5), scenario.Silence(2*time.Second, 5*time.Second, 10*time.Second))
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	scan := clinic.Store(alice, "chest.dcm")
	before := net.Copying(scan)
	gone, node := before[0], clinic.NodeNumber(before[0])
	block := clinic.Block(scan, clinic.Leaves(scan)[0])
	gone.Stop()

	net.Tells(byChain(audit.KindNodeLost, number(node)))
	reassigned := target(about(&auditv1.Entry{Kind: audit.KindCopyReassigned, Role: audit.RoleChain, Count: 1, Outcome: ok}, scan, scenario.Unlock{}), scan.Object.String())
	net.Tells(reassigned)
	object := clinic.IsWhole(scan)
	if object.GetHeld() != 3 || len(object.GetCopies()) != 3 {
		t.Errorf("%d domains hold a copy, of %d copies", object.GetHeld(), len(object.GetCopies()))
	}
	if slices.ContainsFunc(object.GetCopies(), func(c *storagev1.Copy) bool { return c.GetNode() == node }) {
		t.Errorf("node %d is still to hold it", node)
	}
	health := clinic.Health()
	if health.GetRepairing()+health.GetEndangered()+health.GetUnrecoverable() != 0 {
		t.Errorf("objects fall short: %v", health)
	}
	if got := health.GetNodes()[node-1].GetStatus(); got != storagev1.NodeStatus_NODE_STATUS_LOST {
		t.Errorf("node %d is %s", node, got)
	}
	net.History(scan, "stored", "opened", "copy_reassigned")

	// It comes back after all, and need not hold the scan any more.
	gone.Start()
	net.Tells(target(entryOf(gone.Node(), "node", audit.KindNodeReturned), number(node)))
	if len(net.Copying(scan)) != 2 {
		t.Errorf("%d hospitals beside the origin hold a copy", len(net.Copying(scan)))
	}
	// What the chain counts is on the disk of who took over.
	for _, h := range net.Copying(scan) {
		if slices.ContainsFunc(before, func(b *scenario.Hospital) bool { return b.Number() == h.Number() }) {
			continue
		}
		h.Stop()
		if !h.Holds(block) {
			t.Errorf("%s has not fetched what it confirmed", h.Name())
		}
	}
}
