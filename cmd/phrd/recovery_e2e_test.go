package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What the commands of recoveries and emergencies print under --json, as far as the tests look at it.
type (
	shownRecovery struct {
		Recovery          uint64
		By                string
		Approvals, Needed int
	}
	shownEmergency struct {
		ID       string `json:"emergency"`
		Status   string
		Approved []uint64 `json:"approved_by"`
		Finding  string
	}
	finishedRecovery struct {
		Patient      string
		RecoveryCode string `json:"recovery_code"`
	}
)

// invites has the clerk invite somebody.
func (c *cast) invites(t *testing.T) string {
	t.Helper()
	var invitation struct{ Invitation string }
	c.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
	return invitation.Invitation
}

// storeFor stores a file for a patient and returns "<record>/<version>".
func (c *cast) storeFor(t *testing.T, path, patient string) string {
	t.Helper()
	var stored []storedFile
	c.clerk.does(t, &stored, "record", "store", path, "--wait", "none", "--patient", patient)
	return fmt.Sprintf("%s/%d", stored[0].Record, stored[0].Version)
}

// opensFor has the clinician ask for a version, its patient approve from a home, and opens it.
func (c *cast) opensFor(t *testing.T, owner person, ref string, content []byte) {
	t.Helper()
	unlock := c.propose(t, ref)
	c.officer.does(t, nil, "unlock", "endorse", unlock)
	owner.does(t, nil, "unlock", "approve", unlock, "--yes")
	out := filepath.Join(t.TempDir(), "opened")
	c.doctor.does(t, nil, "record", "open", ref, "--unlock", unlock, "-o", out)
	require.Equal(t, content, readAll(t, out))
}

// Five hospitals, whose people lose wallets, come of age, and are brought in unconscious; and somebody outside who watches the log.
func TestWhoCannotSign(t *testing.T) {
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	t.Parallel()
	n := newNetWith(t, five, map[string]string{"recovery_delay": "5"})
	n.turn(t, "start")
	n.decides(t, "key", "--kind", "emergency")
	n.decides(t, "key", "--kind", "guardians")
	c := castOf(t, n, 4)
	for number := 1; number <= five; number++ {
		n.hospital(number).does(t, nil, "hospital", "emergency-vault")
	}
	require.Len(t, n.hospital(1).keys(t), 3)

	t.Run("unconscious", c.unconscious)
	t.Run("a lost wallet", c.loses)
	t.Run("a child comes of age", c.comesOfAge)
	t.Run("a witness", c.witness)
}

// Alice agreed to emergencies and can't answer. Officers of two hospitals approve, the delay passes, and the clinician opens; then it is
// reviewed, and taken back.
func (c *cast) unconscious(t *testing.T) {
	path, content := file(t, "chest.dcm", 5000)
	before := c.store(t, path)
	c.doctor.fails(t, 1, "", "emergency", "request", before)
	var agreed struct {
		InForce bool   `json:"in_force"`
		Sealed  int    `json:"sealed_anew"`
		Delay   string `json:"delay"`
	}
	c.alice.fails(t, 2, "--yes", "emergency", "enable", "--delay", "10s")
	c.alice.does(t, &agreed, "emergency", "enable", "--approvals", "2", "--delay", "10s", "--yes")
	require.True(t, agreed.InForce)
	require.Equal(t, 1, agreed.Sealed)

	var asked unlockID
	c.doctor.does(t, &asked, "emergency", "request", before, "--reason", "unconscious")
	out := filepath.Join(t.TempDir(), "chest.dcm")
	c.doctor.fails(t, 3, "", "emergency", "open", asked.Unlock, "-o", out, "--wait", "1s")
	for _, number := range []int{2, 3} {
		officer := c.hire(t, number, fmt.Sprintf("officer-%d", number), "officer")
		officer.does(t, nil, "emergency", "approve", asked.Unlock)
	}
	c.doctor.does(t, nil, "emergency", "open", asked.Unlock, before, "-o", out, "--wait", "2m")
	require.Equal(t, content, readAll(t, out))
	var told []shownEmergency
	c.alice.does(t, &told, "emergency", "list")
	require.Len(t, told, 1)
	require.Equal(t, "released", told[0].Status)
	require.ElementsMatch(t, []uint64{2, 3}, told[0].Approved)
	c.doctor.does(t, nil, "emergency", "end", asked.Unlock)
	c.doctor.fails(t, 4, "unreviewed", "emergency", "request", before)
	c.officer.does(t, &told, "emergency", "list", "--unreviewed")
	require.Len(t, told, 1)
	c.officer.does(t, nil, "emergency", "review", asked.Unlock, "--finding", "justified")
	var shown shownEmergency
	c.alice.does(t, &shown, "emergency", "show", asked.Unlock)
	require.Equal(t, shownEmergency{ID: asked.Unlock, Status: "ended", Approved: told[0].Approved, Finding: "justified"}, shown)
	c.alice.does(t, nil, "emergency", "disable")
	c.doctor.fails(t, 1, "", "emergency", "request", before)
}

// Vera loses her wallet, her computer and her words. Two guardians know her; with their shares and the hospitals' all her records open by
// another wallet. One of them alone is not enough.
func (c *cast) loses(t *testing.T) {
	vera, wanda, xaver := c.machine(t, "vera"), c.machine(t, "wanda"), c.machine(t, "xaver")
	number, _ := c.joins(t, vera)
	var guardians []string
	for _, p := range []person{wanda, xaver} {
		guardian, _ := c.joins(t, p)
		guardians = append(guardians, guardian)
	}
	path, content := file(t, "head.dcm", 4000)
	ref := c.storeFor(t, path, number)
	vera.does(t, nil, append([]string{"guardian", "set", "--threshold", "2", "--delay", "5s"}, guardians...)...)
	var named struct{ Guardians []string }
	vera.does(t, &named, "guardian", "show")
	require.ElementsMatch(t, guardians, named.Guardians)
	wanda.does(t, nil, "guardian", "check", number)
	require.Contains(t, xaver.does(t, nil, "guardian", "list"), number)
	require.NoError(t, os.RemoveAll(vera.home))

	next := c.machine(t, "vera-anew")
	var asked shownRecovery
	next.does(t, &asked, "recovery", "propose", number, "--invitation", c.invites(t))
	recovery := fmt.Sprint(asked.Recovery)
	wanda.does(t, nil, "guardian", "approve", recovery, "--yes")
	next.does(t, &asked, "recovery", "status", recovery)
	require.Equal(t, []any{"guardians", 1, 2}, []any{asked.By, asked.Approvals, asked.Needed})
	next.fails(t, 3, "", "recovery", "finish", recovery)
	xaver.does(t, nil, "recovery", "approve", recovery, "--yes")
	c.finishes(t, next, recovery, "", number)
	next.does(t, nil, "vault", "relock", "--all")
	c.opensFor(t, next, ref, content)
	wanda.does(t, nil, "guardian", "check", number)

	// She still has this one, and sees who asks once more.
	thief := c.machine(t, "thief")
	thief.does(t, &asked, "recovery", "propose", number, "--invitation", c.invites(t))
	next.does(t, nil, "recovery", "cancel", fmt.Sprint(asked.Recovery))
	wanda.fails(t, 4, "ended", "guardian", "approve", fmt.Sprint(asked.Recovery), "--yes")
	next.does(t, nil, "guardian", "remove")
	wanda.fails(t, 1, "", "guardian", "check", number)
}

// finishes has somebody take the place of a lost wallet as soon as the delay is over and the hospitals have given their shares.
func (c *cast) finishes(t *testing.T, p person, recovery, words, patient string) (code string) {
	t.Helper()
	var done finishedRecovery
	eventually(t, time.Minute, "the recovery is finished", func() bool {
		exit, told := p.says(t, words, &done, "recovery", "finish", recovery)
		require.Contains(t, []int{0, 3}, exit, told)
		return exit == 0
	})
	require.Equal(t, patient, done.Patient)
	require.Len(t, strings.Fields(done.RecoveryCode), 24)
	return done.RecoveryCode
}

// A mother has the wallet of her daughter, and says when it ends. Then it signs nothing, and the daughter, whom two hospitals have seen,
// opens by the words that she was given.
func (c *cast) comesOfAge(t *testing.T) {
	mother := c.machine(t, "mother")
	number, code := c.joins(t, mother)
	path, content := file(t, "knee.dcm", 3500)
	ref := c.storeFor(t, path, number)
	mother.fails(t, 2, "--yes", "patient", "hand-over", "2099-01")
	on := time.Now().Add(10 * time.Second).Truncate(time.Second).UTC()
	var shown struct {
		Until          time.Time
		Representative bool
	}
	mother.does(t, &shown, "patient", "hand-over", on.Format(time.RFC3339), "--yes")
	require.Equal(t, on, shown.Until)
	require.False(t, shown.Representative)
	eventually(t, time.Minute, "the mother's wallet ends", func() bool { return mother.runs(t, "record", "list").code != 0 })

	daughter := c.machine(t, "daughter")
	var asked shownRecovery
	daughter.does(t, &asked, "recovery", "propose", number, "--invitation", c.invites(t))
	recovery := fmt.Sprint(asked.Recovery)
	c.officer.does(t, nil, "recovery", "approve", recovery, "--yes")
	daughter.does(t, &asked, "recovery", "status", recovery)
	require.Equal(t, []any{"hospitals", 1, 2}, []any{asked.By, asked.Approvals, asked.Needed})
	c.hire(t, 5, "officer-5", "officer").does(t, nil, "recovery", "approve", recovery, "--yes")
	next := c.finishes(t, daughter, recovery, code, number)
	require.NotEqual(t, code, next)
	daughter.does(t, nil, "vault", "relock", "--all")
	c.opensFor(t, daughter, ref, content)
}

// Somebody outside the hospitals follows the log and signs how far it has grown; an export says so, and holds against that signature and
// against no other.
func (c *cast) witness(t *testing.T) {
	dir := t.TempDir()
	outside := person{home: filepath.Join(dir, "witness"), program: c.program}
	genesis := filepath.Join(c.hospital(1).home, "config", "genesis.json")
	outside.fails(t, 1, "hash", "witness", "init", "--name", "auditor.example", "--genesis", genesis, "--hash", strings.Repeat("0", 64))
	var made struct{ Name, Key, Home string }
	outside.does(t, &made, "witness", "init", "--name", "auditor.example", "--genesis", genesis, "--hash", sumOf(t, genesis))
	var seen struct {
		Size uint64 `json:"log_size"`
		Path string
	}
	outside.does(t, &seen, "witness", "run", "--once")
	first := seen.Size
	require.Positive(t, first)
	c.invites(t)
	eventually(t, time.Minute, "the log has grown", func() bool {
		outside.does(t, &seen, "witness", "run", "--once")
		return seen.Size > first
	})

	export := filepath.Join(dir, "log.ndjson")
	auditor := c.auditor(t, 1, "auditor")
	auditor.does(t, nil, "audit", "export", export, "--witness", seen.Path)
	verify := []string{"audit", "verify", export, "--genesis", genesis, "--witness"}
	said, code := offline(t, append(verify, made.Key)...)
	require.Zero(t, code, said)
	other := person{home: filepath.Join(dir, "other"), program: c.program}
	other.does(t, &made, "witness", "init", "--name", "auditor.example", "--genesis", genesis, "--hash", sumOf(t, genesis))
	said, code = offline(t, append(verify, made.Key)...)
	require.NotZero(t, code, said)
}
