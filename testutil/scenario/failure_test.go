package scenario_test

import (
	"slices"
	"testing"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// Four hospitals, of which three make blocks and three hold enough shares.
func TestHospitalsFail(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic, er, north, south := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er"), net.Hospital("north"), net.Hospital("south")
	scan := clinic.Store(alice, "chest.dcm")

	t.Run("the origin is away: it opens from other copies", func(t *testing.T) {
		net := net.In(t)
		reader := net.Without(scan)
		unlock := reader.Propose(scan, scenario.Treatment)
		net.Hospital("clinic").Endorse(unlock)
		alice.In(t).Approve(unlock)
		reader.Opens(scan)
		net.Hospital("clinic").Stop()
		reader.Opens(scan)
		net.Hospital("clinic").Start()
	})

	t.Run("two are away after the approval: it opens when one is back", func(t *testing.T) {
		net := net.In(t)
		clinic, er, north, south := clinic.In(t), er.In(t), north.In(t), south.In(t)
		unlock := er.Propose(scan, scenario.Treatment)
		clinic.Endorse(unlock)
		// The shares of two are not enough. That of the third is lost for a while, so that blocks go on.
		north.Stop()
		found := south.LoseShare()
		alice.In(t).Approve(unlock)
		net.HasShares(unlock, 2)
		er.CannotOpen(scan, phr.ErrNotReleased)
		south.Stop()
		er.CannotOpen(scan, phr.ErrNotReleased)
		found()
		south.Start()
		er.Opens(scan)
		north.Start()
		er.Opens(scan)
		net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened",
			"proposed", "endorsed", "approved", "released", "opened")
	})

	t.Run("a byte of a copy is flipped: nobody reads it, and the copy comes anew", func(t *testing.T) {
		net := net.In(t)
		holder, reader := net.Copying(scan)[0], net.Without(scan)
		unlock := reader.Propose(scan, scenario.Treatment)
		clinic.In(t).Endorse(unlock)
		alice.In(t).Approve(unlock)
		leaf := clinic.In(t).Leaves(scan)[0]
		block := clinic.In(t).Block(scan, leaf)
		holder.Stop()
		holder.FlipBytes(block)
		holder.Start()
		reader.Opens(scan)
		net.ToldOf(lossOf(holder, scan, 2))
		clinic.In(t).HasCopies(scan, 3)
		holder.Stop()
		if !holder.Holds(block) {
			t.Errorf("%s has not fetched the block anew", holder.Name())
		}
		holder.Start()
	})

	t.Run("the packs of a copy are deleted by hand: it is missed, and comes anew", func(t *testing.T) {
		net := net.In(t)
		clinic := clinic.In(t)
		photo := clinic.Store(alice.In(t), "photo.dcm")
		holder := net.Copying(photo)[0]
		block := clinic.Block(photo, clinic.Leaves(photo)[0])
		holder.Stop()
		holder.DeletePacks()
		if holder.Holds(block) {
			t.Fatalf("%s still holds the block", holder.Name())
		}
		holder.Start()
		net.EndsWith(photo, "stored", "opened", "copy_lost")
		clinic.IsWhole(photo)
		holder.Stop()
		if !holder.Holds(block) {
			t.Errorf("%s has not fetched the block anew", holder.Name())
		}
		holder.Start()
	})

	t.Run("a hospital restarts while it copies: the copies come", func(t *testing.T) {
		net := net.In(t)
		clinic := clinic.In(t)
		large := clinic.Upload(alice.In(t), scenario.NewRecord, "large.dcm", scenario.Content(48<<20))
		for _, h := range net.Copying(large) {
			h.Stop()
			h.Start()
		}
		clinic.HasCopies(large, 0)
	})

	t.Run("a server burns: it is restored from a backup, sees its twin, and signs again", func(t *testing.T) {
		net := net.In(t)
		clinic, er, north := clinic.In(t), er.In(t), north.In(t)
		safe := net.Safe()
		spine := clinic.Store(alice.In(t), "spine.dcm")
		for !slices.ContainsFunc(net.Copying(spine), func(h *scenario.Hospital) bool { return h.Number() == north.Number() }) {
			spine = clinic.Store(alice.In(t), "spine.dcm")
		}
		block := clinic.Block(spine, clinic.Leaves(spine)[0])
		backup := north.Backup(safe)
		north.Stop()

		began := time.Now()
		north.LosesHome()
		north.RestoreHome(backup, safe)
		if north.Holds(block) {
			t.Fatalf("a backup of %s holds blobs", north.Name())
		}
		before := net.Height()
		north.Start()
		ready := time.Since(began)
		if silent := north.SignsAgain(clinic) - before; silent <= 10 {
			t.Errorf("it signed the block that came as number %d", silent)
		}
		signs := time.Since(began)
		north.HoldsAgain(block)
		t.Logf("restored: ready after %.1f s, signed after %.1f s, held its blobs after %.1f s", ready.Seconds(), signs.Seconds(), time.Since(began).Seconds())
		north.Stop()

		twin := north.BackupWithKeyOf(er, safe)
		found := north.LosesHome()
		north.RestoreHome(twin, safe)
		north.IsTwin(clinic)
		found()
		north.Start() // it is an ordinary home again
		north.SignsAgain(clinic)
	})

	t.Run("the gateway restarts in the middle of an upload: the clerk goes on", func(t *testing.T) {
		clinic := clinic.In(t)
		content := scenario.Content(40 << 20)
		v := clinic.UploadInterrupted(alice.In(t), "long.dcm", content, len(content)/2, func() {
			clinic.Stop()
			clinic.Start()
		})
		clinic.HasCopies(v, 0)
	})
}

// lossOf is the entry of a hospital that has lost its copy of a version.
func lossOf(h *scenario.Hospital, v scenario.Version, held uint64) *auditv1.Entry {
	e := target(about(entryOf(h.Node(), "node", audit.KindCopyLost), v, scenario.Unlock{}), v.Object.String())
	e.Count = held
	return e
}
