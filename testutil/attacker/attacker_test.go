package attacker_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/testutil/attacker"
)

func world(t *testing.T, hospitals int) *attacker.World {
	t.Helper()
	w, err := attacker.NewWorld(t.Context(), hospitals)
	require.NoError(t, err)
	return w
}

// closed fails when the loot opens a record, and returns what was tried.
func closed(t *testing.T, loot *attacker.Loot, record int) attacker.Tried {
	t.Helper()
	file, tried, err := loot.Open(t.Context(), record)
	require.ErrorIs(t, err, attacker.ErrClosed)
	require.Empty(t, file)
	return tried
}

// opens fails unless the loot opens a record.
func opens(t *testing.T, w *attacker.World, loot *attacker.Loot, record int) {
	t.Helper()
	file, _, err := loot.Open(t.Context(), record)
	require.NoError(t, err)
	require.True(t, bytes.Equal(w.File(record), file))
}

// walked fails unless some path whose name has each of these words was tried.
func walked(t *testing.T, tried attacker.Tried, words ...string) {
	t.Helper()
	for _, word := range words {
		found := 0
		for path, n := range tried {
			if strings.Contains(path, word) {
				found += n
			}
		}
		require.Positive(t, found, "nobody tried %q", word)
	}
}

// everywhere are paths that need no loot at all.
var everywhere = []string{
	"slot by wallet and pepper", "own half by a session", "own half renamed to", "capsule by a session",
	"sub-share by a session", "guessed half with a share of a release", "a release by another session",
	"network's half alone", "U fed again", "lifted U", "doubled U", "U plus a chosen point", "message sent again",
	"additive form: U plus own point", "additive form: blinded U plus own M", "unlock without approval", "approved unlock sent again",
	"release of the attacker's own version", "swapped batch", "the target in a batch",
}

func TestOneHospitalShortWithThePatient(t *testing.T) {
	w := world(t, 4)
	all := attacker.Tried{}
	for _, homes := range [][]uint64{{1, 2}, {3, 4}} {
		require.Len(t, homes, w.Threshold()-1)
		tried := closed(t, w.LootOf(true, homes...), attacker.Target)
		walked(t, tried, everywhere...)
		maps.Copy(all, tried)
		closed(t, w.LootOf(true, homes...), attacker.Network)
	}
	walked(t, all, "own half by the patient's vault with shares of one epoch", "own half by the patient's vault with shares of two epochs",
		"shares by position", "shares without weights", "sub-share by a hospital's vault", "capsule by a hospital's vault")
	opens(t, w, w.LootOf(true, 2, 3, 4), attacker.Target)
}

func TestAllHospitalsWithoutThePatient(t *testing.T) {
	w := world(t, 4)
	loot := w.Loot(w.Hospitals(), false)
	tried := closed(t, loot, attacker.Target)
	walked(t, tried, everywhere...)
	walked(t, tried, "slot by another secret", "vault under a guessed key", "guessed half with shares of one epoch", "own half by a hospital's vault", "capsule by a hospital's vault")
	// The network's half is really there: what it alone guards is open.
	opens(t, w, loot, attacker.Network)
	opens(t, w, w.Loot(w.Hospitals(), true), attacker.Target)
}

func TestThresholdManyAndThePatient(t *testing.T) {
	w := world(t, 4)
	for _, homes := range [][]uint64{{1, 2, 3}, {4, 2, 1}, {2, 3, 4}} {
		require.Len(t, homes, w.Threshold())
		opens(t, w, w.LootOf(true, homes...), attacker.Target)
		opens(t, w, w.LootOf(false, homes...), attacker.Network)
	}
}

func TestSevenHospitals(t *testing.T) {
	w := world(t, 7)
	require.Equal(t, 5, w.Threshold())
	closed(t, w.LootOf(true, 1, 3, 5, 7), attacker.Target)
	opens(t, w, w.LootOf(true, 1, 3, 5, 7, 6), attacker.Target)
}

// A patient consented to the wards of hospital 1, whose vault is half of what opens the record: neither that hospital, nor with it
// too few others, nor all others without it have both halves.
func TestAHospitalWithConsent(t *testing.T) {
	w := world(t, 4)
	for _, homes := range [][]uint64{{1}, {1, 4}, {2, 3, 4}} {
		tried := closed(t, w.LootOf(false, homes...), attacker.Granted)
		walked(t, tried, everywhere...)
	}
	opens(t, w, w.LootOf(false, 1, 2, 3), attacker.Granted)
	closed(t, w.LootOf(false, 1, 2, 3), attacker.Target)
}

func TestNothingButWhatIsPublic(t *testing.T) {
	w := world(t, 4)
	walked(t, closed(t, w.Loot(0, false), attacker.Target), everywhere...)
	closed(t, w.Loot(0, false), attacker.Network)
	closed(t, w.Loot(0, true), attacker.Target)
	// A requester opens what was approved for it, from public data and its session alone.
	opens(t, w, w.Loot(0, false), attacker.Decoy)
}

func TestAPhishedWalletNeedsThePepper(t *testing.T) {
	w := world(t, 4)
	// Hospital 1 keeps the pepper. The other three could release the network's half.
	closed(t, w.Phished(2, 3, 4), attacker.Target)
	closed(t, w.Phished(1, 2), attacker.Target)
	opens(t, w, w.Phished(1, 2, 3), attacker.Target)
}

// All hospitals together, with all shares of both keys, all vaults and all stores, open nothing of a patient who did not agree to emergencies.
// Whose record has a box they open, as the patient was told: with the shares of both keys and one emergency vault, and with one of these less
// they don't.
func TestAllHospitalsInAnEmergency(t *testing.T) {
	w := world(t, 5)
	all := w.Loot(w.Hospitals(), false)
	tried := closed(t, all, attacker.Target)
	walked(t, tried, "box of the version", "box lifted from another version by shares of the emergency key and a hospital's emergency vault")
	opens(t, w, all, attacker.Agreed)
	closed(t, w.LootOf(false, 1, 2, 3, 4), attacker.Agreed)
	tried = closed(t, all.WithoutEmergencyVaults(), attacker.Agreed)
	walked(t, tried, "box of the version by shares of the emergency key and a hospital's vault")
}
