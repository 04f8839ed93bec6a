package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// release is the program of the last release; make e2e builds it and names it.
var release = os.Getenv("PHRD_RELEASE")

// upgradeBlocks is how many blocks lie between the proposal of an upgrade and the upgrade, so that the votes are in.
const upgradeBlocks = 30

// isPast tells whether a hospital's node has a block behind a height, whether it is ready or not.
func isPast(t *testing.T, p person, height int64) bool {
	t.Helper()
	var s struct{ Height int64 }
	r := p.runs(t, "status", "--json")
	return json.Unmarshal([]byte(r.out), &s) == nil && s.Height > height
}

// heightOf is the newest block of a hospital's node.
func heightOf(t *testing.T, p person) int64 {
	t.Helper()
	var s struct{ Height int64 }
	p.does(t, &s, "status")
	return s.Height
}

// newNetOf is a network of its own that another program runs.
func newNetOf(t *testing.T, program string) *localNet {
	t.Helper()
	n, err := newLocalNet(program)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// copyOf copies a program, so that it can be replaced.
func copyOf(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "phrd")
	require.NoError(t, os.WriteFile(path, readAll(t, program), 0o700))
	return path
}

// sumOf is the SHA-256 of a file in hex.
func sumOf(t *testing.T, path string) string {
	t.Helper()
	sum := sha256.Sum256(readAll(t, path))
	return hex.EncodeToString(sum[:])
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// told are the hospitals whose servers have ended, by number.
func told(ended map[int]bool) []int {
	var numbers []int
	for number := 1; number <= hospitals; number++ {
		if ended[number] {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// patience is how long the story of an upgrade waits for a step: servers of two programs start many times, beside other tests.
const patience = 8 * time.Minute

// A network of the last release becomes one of this program: the hospitals vote for a height, the servers end before it, each hospital
// installs the program that was voted for, and what was stored is there. Who starts the wrong program learns so.
func TestUpgrade(t *testing.T) {
	if program == "" || release == "" {
		t.Skip("PHRD_BINARY and PHRD_RELEASE do not name the programs; make e2e does")
	}
	t.Parallel() // most of it waits for blocks of an idle network
	before := copyOf(t, release)
	n := newNetOf(t, before)
	one, four := n.hospital(1), n.hospital(4)
	one.does(t, nil, "staff", "add", "desk", "--role", "clerk")
	path, _ := file(t, "letter.txt", 3000)
	var stored []storedFile
	one.as("desk").does(t, &stored, "record", "store", path, "--wait", "copies")
	pat := n.machine(t, "pat")
	pat.program = before
	var invitation struct{ Invitation string }
	one.as("desk").does(t, &invitation, "patient", "invite", "--for", "1h")
	var joined struct{ Patient string }
	pat.does(t, &joined, "patient", "join", invitation.Invitation)
	var kept []storedFile
	one.as("desk").does(t, &kept, "record", "store", path, "--wait", "copies", "--patient", joined.Patient)
	one.fails(t, 1, "no upgrade is due", "upgrade", "install", program, "--target", before)

	// A program for no upgrade goes by its hash alone.
	sum := sumOf(t, program)
	other := copyOf(t, release)
	one.fails(t, 1, "not the program that was agreed on", "upgrade", "install", program, "--target", other, "--sha256", strings.Repeat("0", 64))
	one.does(t, nil, "upgrade", "install", program, "--target", other, "--sha256", sum)
	require.Equal(t, sum, sumOf(t, other))
	require.Equal(t, sumOf(t, release), sumOf(t, other+".previous"))
	// One that a vote planned without naming it does so too, and must know the upgrade.
	plan := filepath.Join(one.home, "data", "upgrade-info.json")
	require.NoError(t, os.WriteFile(plan, []byte(`{"name":"v9.9.9","height":1000000}`), 0o600))
	newer := person{home: one.home, passphrase: one.passphrase, program: program}
	newer.fails(t, 1, "nobody said which file", "upgrade", "install", program, "--target", other)
	newer.fails(t, 1, "does not know upgrade", "upgrade", "install", program, "--target", other, "--sha256", sum)
	require.NoError(t, os.Remove(plan))

	// What is voted for is this very file.
	var v struct{ Upgrades []string }
	newer.does(t, &v, "version")
	require.NotEmpty(t, v.Upgrades)
	name := v.Upgrades[len(v.Upgrades)-1]
	height := heightOf(t, one) + upgradeBlocks
	var p struct{ Proposal uint64 }
	one.does(t, &p, "hospital", "propose", "upgrade", name, strconv.FormatInt(height, 10), "--binary", program)
	for number := 1; number <= 3; number++ { // more than two thirds of four
		n.hospital(number).does(t, nil, "hospital", "vote", fmt.Sprint(p.Proposal), "yes")
	}
	eventually(t, patience, "the upgrade is planned", func() bool {
		var planned struct {
			Name  string
			Knows bool
		}
		one.does(t, &planned, "upgrade", "status")
		return planned.Name == name && !planned.Knows
	})
	// The new program is not for the blocks before.
	n.turn(t, "stop", 4)
	early := person{home: four.home, passphrase: four.passphrase, program: program}
	early.fails(t, 5, "not due yet", "start")
	n.turn(t, "start", 4)

	// Blocks come by themselves, every few seconds; transactions bring them sooner. A server that runs still keeps another from starting. One that
	// ends may leave the others a vote short of the block: two are enough to see, and the others end when these are back.
	ended := map[int]bool{}
	ends := func(number int, with string) bool {
		h := n.hospital(number)
		r := person{home: h.home, passphrase: h.passphrase, program: with}.runs(t, "start")
		ended[number] = ended[number] || r.code == 5 && strings.Contains(r.errors, "an upgrade is due")
		return ended[number]
	}
	eventually(t, patience, "servers end before the upgrade", func() bool {
		for number := 1; number <= hospitals; number++ {
			ends(number, before)
		}
		if len(told(ended)) == 0 {
			one.as("desk").runs(t, "patient", "invite", "--for", "1h")
		}
		return len(told(ended)) >= 2
	})
	first := n.hospital(told(ended)[0])
	// No other file takes its place.
	first.fails(t, 1, "not the program that was agreed on", "upgrade", "install", release, "--target", before)
	first.fails(t, 1, "not the program that was agreed on", "upgrade", "install", path, "--target", before)
	var done struct{ Upgrade, Previous string }
	first.does(t, &done, "upgrade", "install", program, "--target", before)
	require.Equal(t, name, done.Upgrade)

	// Those that were a vote short end as soon as others are back, which may be too few to be ready. Three of four make the block, and the
	// last one lags.
	order := told(ended)
	returned := order[:min(len(order), hospitals-1)]
	n.turn(t, "start --no-wait", returned...)
	for number := 1; number <= hospitals; number++ {
		if !ended[number] {
			eventually(t, patience, "a server that was a vote short ends", func() bool { return ends(number, done.Previous) })
			order = append(order, number)
		}
	}
	for _, number := range order[len(returned) : hospitals-1] {
		n.turn(t, "start --no-wait", number)
	}
	eventually(t, patience, "blocks behind the upgrade", func() bool { return isPast(t, first, height) })
	last := n.hospital(order[hospitals-1])
	laggard := person{home: last.home, passphrase: last.passphrase, program: done.Previous}
	laggard.fails(t, 5, "an upgrade is due", "start")
	n.turn(t, "start", order[hospitals-1])
	eventually(t, patience, "the last hospital is there", func() bool { return isPast(t, last, height) })
	four.does(t, nil, "staff", "add", "desk", "--role", "clerk")
	var again []storedFile
	four.as("desk").does(t, &again, "record", "store", path, "--wait", "copies")
	require.EqualValues(t, stored[0].Copies.Target, again[0].Copies.Held)
	var shown json.RawMessage
	four.as("desk").does(t, &shown, "record", "show", again[0].Record)
	one.as("desk").does(t, &shown, "record", "show", stored[0].Record)
	// Its key was dealt. The hospitals make one that nobody knows, and what is stored from then on is locked under it.
	require.Equal(t, "dealt", one.keys(t)[0].Origin)
	one.does(t, &p, "hospital", "propose", "key")
	for number := 1; number <= 3; number++ {
		n.hospital(number).does(t, nil, "hospital", "vote", fmt.Sprint(p.Proposal), "yes")
	}
	eventually(t, patience, "the new key is there", func() bool { return len(one.keys(t)) == 2 })
	newest := one.keys(t)[1]
	require.Equal(t, "dkg", newest.Origin)
	require.EqualValues(t, 2, newest.Generation)
	require.Len(t, newest.Holders, hospitals)
	four.as("desk").does(t, &again, "record", "store", path, "--wait", "copies")
	// What was stored before is counted, and its owner locks it anew. A vault of before has no slots in the network until it is written anew.
	locks := func() (locks []uint64) {
		for _, key := range one.keys(t) {
			locks = append(locks, key.Versions)
		}
		return locks
	}
	require.Equal(t, []uint64{3, 1}, locks())
	var vault shownVault
	pat.does(t, &vault, "vault", "show")
	require.Equal(t, shownVault{
		Epoch: 1, Revision: 1, Generation: 2, Slots: []string{"wallet", "code"}, Epochs: map[string]int{"1": 1}, Generations: map[string]int{"1": 1}, Relock: 1,
	}, vault)
	var sealed sealedAnew
	pat.does(t, &sealed, "vault", "relock")
	require.Equal(t, 1, sealed.Versions)
	require.Equal(t, []uint64{2, 2}, locks())
	var rotated rotatedVault
	pat.does(t, &rotated, "vault", "rotate")
	exported := filepath.Join(t.TempDir(), "pat.key")
	pat.does(t, nil, "keys", "export", "patient", "--out", exported, "--export-passphrase-file", pat.passphrase)
	laptop := n.machine(t, "pat-laptop")
	laptop.does(t, nil, "keys", "import", "patient", "--in", exported, "--export-passphrase-file", pat.passphrase)
	door := four.door(t)
	var back struct{ Patient string }
	code, said := laptop.says(t, rotated.RecoveryCode, &back, "patient", "recover", "--gateway", door.Gateway, "--fingerprint", door.Fingerprint)
	require.Zero(t, code, said)
	require.Equal(t, joined.Patient, back.Patient)
	// The program of before does not go on where the network is now.
	n.turn(t, "stop", order[hospitals-1])
	laggard.fails(t, 5, "older than the network", "start")
}

// Every server of this program ends before a block that is for another one, whatever it was doing, and none is left a vote short.
func TestServersEndForAnUpgrade(t *testing.T) {
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	t.Parallel()
	n := newNetOf(t, program)
	one := n.hospital(1)
	one.does(t, nil, "staff", "add", "desk", "--role", "clerk")
	height := heightOf(t, one) + upgradeBlocks/2
	var p struct{ Proposal uint64 }
	one.does(t, &p, "hospital", "propose", "upgrade", "v9.9.9", strconv.FormatInt(height, 10), "--binary", program)
	for number := 1; number <= 3; number++ {
		n.hospital(number).does(t, nil, "hospital", "vote", fmt.Sprint(p.Proposal), "yes")
	}
	// Transactions bring blocks, and the last ones wait for a block that never comes.
	ended := map[int]bool{}
	eventually(t, patience, "all servers end before the upgrade", func() bool {
		if len(told(ended)) == 0 {
			one.as("desk").runs(t, "patient", "invite", "--for", "1h")
		}
		for number := 1; number <= hospitals; number++ {
			if r := n.hospital(number).runs(t, "start"); r.code == 5 && strings.Contains(r.errors, "an upgrade is due") {
				ended[number] = true
			}
		}
		return len(told(ended)) == hospitals
	})
}
