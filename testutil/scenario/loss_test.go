package scenario_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phrd/phrd/testutil/scenario"
)

// drill is how large a drill of losses is. The large one is `make drill-loss`.
type drill struct {
	hospitals, objects int
	maxSize            int // bytes
	left               int // hospitals that are left at the end
}

// sizeOf is the drill that the environment asks for.
func sizeOf(t *testing.T) drill {
	t.Helper()
	switch size := os.Getenv("PHRD_DRILL"); size {
	case "", "short":
		return drill{hospitals: 5, objects: 12, maxSize: 3 << 20, left: 3}
	case "full":
		return drill{hospitals: 7, objects: 200, maxSize: 8 << 20, left: 2}
	default:
		t.Fatalf("PHRD_DRILL is %q, want short or full", size)
		return drill{}
	}
}

// most is how many versions one unlock names at most.
const most = 64

// report writes lines to the test's log, and to the file that `make drill-loss` prints.
type report struct {
	t    *testing.T
	text strings.Builder
}

func (r *report) line(format string, args ...any) {
	r.t.Helper()
	line := fmt.Sprintf(format, args...)
	r.t.Log(line)
	r.text.WriteString(line + "\n")
}

func (r *report) save() {
	r.t.Helper()
	if path := os.Getenv("PHRD_DRILL_REPORT"); path != "" {
		if err := os.WriteFile(path, []byte(r.text.String()), 0o600); err != nil {
			r.t.Error(err)
		}
	}
}

// seedOf is the seed that the environment names, or a new one.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("PHRD_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("PHRD_SEED: %v", err)
	}
	return seed
}

// Hospitals stop for good, one after another, and nobody does anything about it but vote them out of the set of validators, without
// which the others could not go on for long. Between two losses the network repairs itself. At the end as few are left as must hold
// every object, and all of it is there.
func TestLosingServersLosesNothing(t *testing.T) {
	t.Parallel()
	size, seed := sizeOf(t), seedOf(t)
	r := &report{t: t}
	defer r.save()
	r.line("seed %d: %d hospitals, %d objects", seed, size.hospitals, size.objects)
	random := rand.New(rand.NewPCG(seed, 0))

	net := scenario.New(t, scenario.Hospitals(size.hospitals), scenario.Silence(time.Second, 4*time.Second, 8*time.Second))
	clinic, reader := net.Hospital("clinic"), net.Hospital("er").Clinician()
	alice := net.Patient("alice")
	files := make([]scenario.NewFile, size.objects)
	bytes := 0
	for i := range files {
		// Half of them fit into a leaf, some are empty, some as large as it gets.
		n := random.IntN(size.maxSize >> (2 * random.IntN(8)))
		files[i] = scenario.NewFile{Name: fmt.Sprintf("image-%03d", i), Content: scenario.Content(n)}
		bytes += n
	}
	began := time.Now()
	versions := clinic.StoreAll(alice, files...)
	reader.Hospital().HealsWithin(scenario.StepTime)
	r.line("stored and copied %d bytes in %.1f s", bytes, time.Since(began).Seconds())
	// There is always a hospital that holds nothing of a record: the reader's, here.
	elsewhere := slices.IndexFunc(versions, func(v scenario.Version) bool {
		return !slices.ContainsFunc(net.Copying(v), func(h *scenario.Hospital) bool { return h.Number() == reader.Hospital().Number() })
	})
	if elsewhere < 0 {
		t.Fatalf("%s holds all %d objects", reader.Hospital().Name(), len(versions))
	}

	// Keys need more hospitals than copies do, so everything is released while all are there.
	unlocks := map[string]scenario.Unlock{}
	for part := range slices.Chunk(versions, most) {
		u := reader.Ask(time.Hour, scenario.Treatment, part...)
		clinic.Endorse(u)
		alice.Approve(u)
		for _, v := range part {
			unlocks[v.Name] = u
		}
	}
	lost := func(some []scenario.Version) (bytes int) {
		for _, v := range some {
			if !reader.Recovers(unlocks[v.Name], v) {
				bytes += len(v.Content)
				t.Errorf("%s of %d bytes is lost", v.Name, len(v.Content))
			}
		}
		return bytes
	}
	lost(versions[elsewhere : elsewhere+1]) // waits for the shares

	alive, gone := net.Hospitals(), []*scenario.Hospital{}
	for len(alive) > size.left {
		victims := slices.DeleteFunc(slices.Clone(alive), func(h *scenario.Hospital) bool { return h.Number() == reader.Hospital().Number() })
		victim := victims[random.IntN(len(victims))]
		alive = slices.DeleteFunc(alive, func(h *scenario.Hospital) bool { return h.Number() == victim.Number() })
		gone = append(gone, victim)
		began := time.Now()
		if len(alive) > 2 {
			victim.Stop()
			health := reader.Hospital().HealsWithin(scenario.StepTime, gone...)
			r.line("%s stopped: lost and repaired after %.1f s, %d copies held by %d", victim.Name(), time.Since(began).Seconds(), health.GetHeld(), len(alive))
			net.Suspend(victim, alive...)
		} else {
			// Of three validators none may fail unannounced, nor be voted out against its will: two are no more than two thirds. The
			// victim does not vote last, for its gateway ends its service with the decision.
			net.Suspend(victim, append([]*scenario.Hospital{alive[0], victim}, alive[1:]...)...)
			health := reader.Hospital().HealsWithin(scenario.StepTime, gone...)
			victim.Stop()
			r.line("%s was voted out and stopped after %.1f s, %d copies held by %d and by those who are gone", victim.Name(), time.Since(began).Seconds(), health.GetHeld(), len(alive))
		}
		lost(versions[:min(5, len(versions))])
	}
	began = time.Now()
	missing := lost(versions)
	r.line("opened %d objects at %s in %.1f s, %d hospitals left", len(versions), reader.Hospital().Name(), time.Since(began).Seconds(), len(alive))
	r.line("bytes lost: %d", missing)
}
