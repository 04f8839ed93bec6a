package scenario_test

import (
	"testing"

	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
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
