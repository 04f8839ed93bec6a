package scenario_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/testutil/scenario"
)

// drainShort is how many unlocks are approved at once where PHRD_DRAIN says nothing else.
const drainShort = 48

// Patients approve many unlocks at once: each is released, and blocks go on. `make drain` does it with a thousand, for its figures. That a
// block asks for a bounded number is x/access/keeper's test.
func TestManyUnlocksAreApprovedAtOnce(t *testing.T) {
	t.Parallel()
	total := drainShort
	if text := os.Getenv("PHRD_DRAIN"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "PHRD_DRAIN is a number of unlocks")
		total = n
	}
	const each = 16 // with what a patient sends before, the chain takes no more messages of one at once
	net := scenario.New(t, scenario.OpenUnlocks(each))
	clinic := net.Hospital("clinic")
	unlocks := map[*scenario.Patient][]scenario.Unlock{}
	for asked := 0; asked < total; {
		patient := clinic.Patient("patient " + strconv.Itoa(len(unlocks)+1))
		times := min(each, total-asked)
		unlocks[patient] = patient.AskOften(clinic.Store(patient, "chest.dcm"), times)
		asked += times
	}
	d := net.ApproveAtOnce(unlocks)
	t.Logf("%d unlocks approved, at most %d in one block; released within %d blocks and %s: a block asked for at most %d, and brought at most %d shares and %d releases; the longest came %s after the one before it",
		total, d.Approved, d.Blocks, d.Took, d.Asked, d.Shares, d.Released, d.Longest)
	if d.Asked == 0 || d.Shares == 0 || d.Blocks == 0 {
		t.Errorf("figures of nothing: %+v", d)
	}
}
