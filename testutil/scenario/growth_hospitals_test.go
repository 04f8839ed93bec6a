package scenario_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/internal/plot"
	"github.com/phrd/phrd/testutil/scenario"
)

// Hospitals share the work: where there are more of them each one takes part in all that is stored and released. `make growth` has four to
// seven, and draws what a version and a release cost each of them in processor time, the person's program included.
func TestWorkOfMoreHospitals(t *testing.T) {
	t.Parallel()
	counts, size := "4", hospitalWork{files: 10, patients: 1, alone: 1}
	if text := os.Getenv("PHRD_HOSPITALS"); text != "" {
		counts, size = text, hospitalWork{files: 500, patients: 4, alone: 9}
	}
	grown := &growth{
		figure: plot.Figure{Title: "Processor time of each hospital by the hospitals there are, as a multiple of what it is with the fewest", Unit: "×", Note: "hospitals"},
		names:  []string{"a version stored", "an unlock released"},
	}
	for _, text := range strings.Split(counts, ",") {
		count, err := strconv.Atoi(text)
		require.NoError(t, err, "PHRD_HOSPITALS are numbers of hospitals")
		t.Run(text, func(t *testing.T) {
			w := workOf(t, count, size)
			t.Logf("%d hospitals: each needs %s of a processor for a version and %s for a release; of unlocks alone the release came %v blocks after the approval; with many at once blocks came %s after one another",
				count, w.stored.Round(time.Microsecond), w.released.Round(time.Microsecond), w.blocks, w.interval.Round(time.Millisecond))
			grown.add(count, w.stored.Seconds(), w.released.Seconds())
		})
	}
	grown.draw(t, "growth-hospitals.svg")
}

// hospitalWork is how many files are stored together, of how many patients many unlocks are approved at once, and how many unlocks are approved
// while nothing else happens.
type hospitalWork struct{ files, patients, alone int }

// workTaken is what such work took: processor time of each hospital for a version and for a release, how many blocks after its approval each
// unlock was released that was alone, and the time between two blocks with many approvals and shares.
type workTaken struct {
	stored, released time.Duration
	blocks           []int
	interval         time.Duration
}

func workOf(t *testing.T, hospitals int, size hospitalWork) (w workTaken) {
	t.Helper()
	const asked = 16 // of each patient, as in TestManyUnlocksAreApprovedAtOnce
	net := scenario.New(t, scenario.Hospitals(hospitals), scenario.OpenUnlocks(asked))
	clinic := net.Hospital("clinic")
	patient := clinic.Patient("patient")
	files := make([]scenario.NewFile, size.files)
	for i := range files {
		files[i] = scenario.NewFile{Name: fmt.Sprintf("result-%d.txt", i), Content: fmt.Appendf(nil, "result %d", i)}
	}
	each := func(begin time.Duration, of int) time.Duration {
		return (processorTime(t) - begin) / time.Duration(of*hospitals)
	}
	begin := processorTime(t)
	versions := clinic.StoreAll(patient, files...)
	w.stored = each(begin, size.files)

	unlocks := map[*scenario.Patient][]scenario.Unlock{patient: patient.AskOften(versions[0], asked)}
	another := func(name string, times int) (*scenario.Patient, []scenario.Unlock) {
		other := clinic.Patient(name)
		return other, other.AskOften(clinic.Store(other, "chest.dcm"), times)
	}
	for len(unlocks) < size.patients {
		other, asked := another("patient "+strconv.Itoa(len(unlocks)+1), asked)
		unlocks[other] = asked
	}
	begin = processorTime(t)
	d := net.ApproveAtOnce(unlocks)
	w.released, w.interval = each(begin, asked*size.patients), d.Took/time.Duration(max(1, d.Blocks-1))
	for i := range size.alone {
		other, asked := another("patient alone "+strconv.Itoa(i+1), 1)
		d := net.ApproveAtOnce(map[*scenario.Patient][]scenario.Unlock{other: asked})
		w.blocks = append(w.blocks, d.Blocks-1)
	}
	return w
}
