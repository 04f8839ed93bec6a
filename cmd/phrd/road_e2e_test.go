package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// What the commands print under --json, as far as the tests look at it.
type (
	storedFile struct {
		Record  string
		Version uint64
		Bytes   uint64
		Reused  uint64
		File    string
		Copies  struct{ Held, Target uint32 }
	}
	openedFile struct {
		Name, Path, SHA256 string
		MediaType          string `json:"media_type"`
		Size, Bytes        uint64
	}
	unlockID struct{ Unlock string }
	unlocks  []struct{ ID, Status string }
	entries  []struct{ Kind, Outcome, Role, Unlock string }
)

// cast are the people of the story, who come once: a clerk and two officers of hospital 1, a clinician of hospital 4, and
// the patient alice.
type cast struct {
	*localNet
	clerk, officer, second, doctor, alice person
	patient                               string
}

var people *cast

func newCast(t *testing.T) *cast {
	t.Helper()
	n := startNet(t)
	if people != nil {
		return people
	}
	people = castOf(t, n, 4)
	return people
}

// castOf hires the people of a network, with the clinician at one of its hospitals.
func castOf(t *testing.T, n *localNet, asks int) *cast {
	t.Helper()
	c := &cast{
		localNet: n, clerk: n.hire(t, 1, "desk", "clerk"), officer: n.hire(t, 1, "officer", "officer"), doctor: n.hire(t, asks, "weber", "clinician"),
		second: n.hospital(1).as("second"), alice: n.machine(t, "alice"),
	}
	// This one's key lies in the hospital's home, beside the hospital's vault.
	n.hospital(1).does(t, nil, "staff", "add", "second", "--role", "officer")
	var invitation struct{ Invitation string }
	c.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
	var joined struct {
		Patient      string
		RecoveryCode string `json:"recovery_code"`
		WalletSlot   bool   `json:"wallet_slot"`
	}
	c.alice.does(t, &joined, "patient", "join", invitation.Invitation)
	require.Len(t, strings.Fields(joined.RecoveryCode), 24)
	require.True(t, joined.WalletSlot)
	c.patient = joined.Patient
	c.alice.fails(t, 1, "already", "patient", "join", invitation.Invitation)
	return c
}

// machine is a home on a person's own machine, with an empty key store.
func (n *localNet) machine(t *testing.T, name string) person {
	t.Helper()
	p := person{home: filepath.Join(n.dir, name), passphrase: filepath.Join(n.dir, "passphrases", name), program: n.program}
	require.NoError(t, os.WriteFile(p.passphrase, []byte("correct horse battery staple\n"), 0o600))
	require.NoError(t, os.Mkdir(p.home, 0o700))
	// A test has no time for a slow hash.
	_, err := keys.Create(filepath.Join(p.home, "keys"), []byte("correct horse battery staple"), keys.WithWorkFactor(4))
	require.NoError(t, err)
	return p
}

// hire registers somebody at a hospital who keeps the key on a machine of their own.
func (n *localNet) hire(t *testing.T, hospital int, name, role string) person {
	t.Helper()
	return n.joins(t, hospital, name, func(address string) {
		n.hospital(hospital).does(t, nil, "staff", "add", name, "--role", role, "--address", address)
	})
}

// auditor is somebody with the key on a machine of their own, at a hospital's gateway, whom the hospitals appoint to see the whole log.
func (n *localNet) auditor(t *testing.T, hospital int, name string) person {
	t.Helper()
	return n.joins(t, hospital, name, func(address string) { n.appoints(t, hospital, name, address) })
}

// decides has the first hospital propose something, and as many vote for it as it takes. It answers the proposal's number.
func (n *localNet) decides(t *testing.T, proposal ...string) string {
	t.Helper()
	members, err := filepath.Glob(filepath.Join(n.dir, "hospital-*"))
	require.NoError(t, err)
	var p struct{ Proposal uint64 }
	n.hospital(1).does(t, &p, append([]string{"hospital", "propose"}, proposal...)...)
	number := fmt.Sprint(p.Proposal)
	for voter := 1; voter <= 2*len(members)/3+1; voter++ {
		n.hospital(voter).does(t, nil, "hospital", "vote", number, "yes")
	}
	return number
}

// appoints has the hospitals appoint an auditor of the whole log, and waits until the auditor's hospital knows.
func (n *localNet) appoints(t *testing.T, hospital int, name, address string) {
	t.Helper()
	until := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	number := n.decides(t, "auditor", name, "--address", address, "--until", until)
	eventually(t, time.Minute, "the auditor's hospital knows of the appointment", func() bool {
		var shown struct{ Proposal struct{ Status string } }
		n.hospital(hospital).does(t, &shown, "hospital", "proposals", number)
		return shown.Proposal.Status == "PROPOSAL_STATUS_EXECUTED"
	})
}

// joins makes somebody's machine, with a key that known makes an account of.
func (n *localNet) joins(t *testing.T, hospital int, name string, known func(address string)) person {
	t.Helper()
	p := n.machine(t, name)
	door, err := os.ReadFile(filepath.Join(n.hospital(hospital).home, "client.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(p.home, "client.json"), door, 0o600))
	var key struct{ Address string }
	p.does(t, &key, "keys", "add", name)
	known(key.Address)
	return p
}

// file writes a file of random bytes.
func file(t *testing.T, name string, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	_, err := rand.NewChaCha8([32]byte{byte(size), 1}).Read(content)
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path, content
}

// store stores a file for alice and returns "<record>/<version>".
func (c *cast) store(t *testing.T, path string, more ...string) string {
	t.Helper()
	var stored []storedFile
	args := append([]string{"record", "store", path, "--wait", "none"}, more...)
	if !slices.Contains(more, "--record") && !slices.Contains(more, "--own") {
		args = append(args, "--patient", c.patient)
	}
	c.clerk.does(t, &stored, slices.DeleteFunc(args, func(s string) bool { return s == "--own" })...)
	require.Len(t, stored, 1)
	return fmt.Sprintf("%s/%d", stored[0].Record, stored[0].Version)
}

func (c *cast) propose(t *testing.T, refs ...string) string {
	t.Helper()
	var u unlockID
	c.doctor.does(t, &u, append([]string{"unlock", "propose", "--for", "1h"}, refs...)...)
	// A patient has few unlocks open at once, and all tests ask alice. One that has ended meanwhile is refused, which is as good.
	t.Cleanup(func() {
		if err := c.doctor.command(context.WithoutCancel(t.Context()), "unlock", "close", u.Unlock).Run(); err != nil {
			t.Logf("close unlock: %v", err)
		}
	})
	return u.Unlock
}

func (c *cast) approved(t *testing.T, refs ...string) string {
	t.Helper()
	u := c.propose(t, refs...)
	c.officer.does(t, nil, "unlock", "endorse", u)
	c.alice.does(t, nil, "unlock", "approve", u, "--yes")
	return u
}

// kinds are the kinds of the entries that alice sees of a record, oldest first.
func (c *cast) kinds(t *testing.T, record string) []string {
	t.Helper()
	var log entries
	c.alice.does(t, &log, "audit", "log", "--record", record)
	var kinds []string
	for _, e := range slices.Backward(log) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// eventually asks until something holds; the condition runs a command, so it is its own pause.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %s: %s", limit, what)
}

func TestRoad(t *testing.T) {
	c := newCast(t)
	path, content := file(t, "chest à jeun.dcm", 3<<20+5)
	var stored []storedFile
	c.clerk.does(t, &stored, "record", "store", path, "--patient", strings.ToLower(c.patient), "--wait", "copies")
	require.EqualValues(t, 3, stored[0].Copies.Held)
	require.EqualValues(t, 3, stored[0].Copies.Target)
	require.EqualValues(t, len(content), stored[0].Bytes)
	record := stored[0].Record
	ref := record + "/1"
	for _, p := range []person{c.clerk, c.alice} {
		require.Contains(t, p.does(t, nil, "record", "list"), record)
		require.Contains(t, p.does(t, nil, "record", "show", ref), "3 of 3")
		p.does(t, nil, "record", "history", record)
	}

	// Nobody has signed.
	unlock := c.propose(t, ref)
	out := filepath.Join(t.TempDir(), "opened.dcm")
	c.doctor.fails(t, 3, "waits for signatures", "record", "open", ref, "-o", out)
	var inbox unlocks
	c.alice.does(t, &inbox, "unlock", "list")
	require.NotContains(t, fmt.Sprint(inbox), unlock, "it reaches the patient when it is endorsed")
	c.alice.fails(t, 3, "endorsement", "unlock", "approve", unlock, "--yes")
	c.doctor.fails(t, 4, "refused", "unlock", "endorse", unlock)

	c.officer.does(t, nil, "unlock", "endorse", unlock[:12])
	c.alice.does(t, &inbox, "unlock", "list")
	require.Contains(t, fmt.Sprint(inbox), unlock)
	c.alice.fails(t, 2, "--yes", "unlock", "approve", unlock)
	var approval struct {
		Hospital, Purpose string
		Versions          []string
		CheckedAt         []string `json:"checked_at"`
		Independent       bool
	}
	c.alice.does(t, &approval, "unlock", "approve", unlock[:12], "--yes")
	require.Equal(t, "Hospital 04", approval.Hospital)
	require.Equal(t, "TREAT", approval.Purpose)
	require.Equal(t, []string{ref}, approval.Versions)
	require.Len(t, approval.CheckedAt, 2)
	require.True(t, approval.Independent)

	var opened openedFile
	c.doctor.does(t, &opened, "record", "open", ref, "-o", out)
	require.Equal(t, "chest à jeun.dcm", opened.Name)
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got))
	c.doctor.fails(t, 1, "exist", "record", "open", ref, "-o", out)
	c.doctor.fails(t, 2, "folder", "record", "open", ref, "-o", filepath.Dir(out))
	require.Equal(t, string(content[100:200]), c.doctor.does(t, nil, "record", "open", ref, "-o", "-", "--range", "100-199"))
	require.Equal(t, string(content[len(content)-3:]), c.doctor.does(t, nil, "record", "open", ref, "-o", "-", "--range", "-3"))
	c.doctor.fails(t, 2, "--range", "record", "open", ref, "-o", "-", "--range", fmt.Sprintf("0-%d", len(content)))

	// The hospital that stored it is lost; the same session opens it elsewhere.
	c.turn(t, "stop", 1)
	c.doctor.does(t, &opened, "record", "open", ref, "-o", out, "--force")
	got, err = os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got))
	c.turn(t, "start", 1)
	require.Equal(t, []string{filepath.Base(out)}, names(t, filepath.Dir(out)), "nothing is left beside the file")

	eventually(t, 30*time.Second, "the story stands in the log", func() bool {
		kinds := c.kinds(t, record)
		at := 0
		for _, kind := range []string{"stored", "proposed", "endorsed", "approved", "released", "opened"} {
			i := slices.Index(kinds[at:], kind)
			if i < 0 {
				return false
			}
			at += i
		}
		return true
	})
	c.doctor.does(t, nil, "unlock", "close", unlock)
	c.doctor.fails(t, 1, "no unlock of this home", "record", "open", ref, "-o", out, "--force")
	c.doctor.fails(t, 4, "withdrawn", "unlock", "withdraw", unlock)
}

// names are the files in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestVersionsOfARecord(t *testing.T) {
	c := newCast(t)
	one, first := file(t, "a", 1)
	two, second := file(t, "b", 2)
	ref := c.store(t, one)
	record := strings.TrimSuffix(ref, "/1")
	require.Equal(t, record+"/2", c.store(t, two, "--record", record))
	c.clerk.fails(t, 2, "one file", "record", "store", one, two, "--record", record)
	c.approved(t, ref, record)
	for version, content := range map[string][]byte{"/1": first, "/2": second, "": second} {
		require.Equal(t, string(content), c.doctor.does(t, nil, "record", "open", record+version, "-o", "-"))
	}
}

// A ward has an account that stores and one that asks in the same home. Whoever works there changes a file and stores it as a new
// version by the unlock with which it was opened: what did not change is there already.
func TestNewVersionByAnUnlock(t *testing.T) {
	c := newCast(t)
	ward := c.hire(t, 1, "ward", "clerk")
	clerk, reader := ward.as("ward"), ward.as("reader")
	var key struct{ Address string }
	ward.does(t, &key, "keys", "add", "reader")
	c.hospital(1).does(t, nil, "staff", "add", "reader", "--role", "clinician", "--address", key.Address)

	path, content := file(t, "film", 3<<20)
	ref := c.store(t, path)
	record := strings.TrimSuffix(ref, "/1")
	var asked unlockID
	reader.does(t, &asked, "unlock", "propose", "--for", "1h", ref)
	c.officer.does(t, nil, "unlock", "endorse", asked.Unlock)
	c.alice.does(t, nil, "unlock", "approve", asked.Unlock, "--yes")

	content[0] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
	var stored []storedFile
	clerk.does(t, &stored, "record", "store", path, "--record", record, "--unlock", asked.Unlock)
	require.EqualValues(t, 2, stored[0].Version)
	require.Greater(t, stored[0].Reused, uint64(2<<20), "all but the first leaf")
	c.approved(t, record)
	require.Equal(t, string(content), c.doctor.does(t, nil, "record", "open", record, "-o", "-"))

	c.clerk.fails(t, 2, "no account of this home", "record", "store", path, "--record", record, "--unlock", asked.Unlock)
	clerk.fails(t, 2, "--record", "record", "store", path, "--unlock", asked.Unlock)
}

func TestErase(t *testing.T) {
	c := newCast(t)
	one, _ := file(t, "a", 5000)
	two, second := file(t, "b", 5000)
	ref := c.store(t, one)
	record := strings.TrimSuffix(ref, "/1")
	c.store(t, two, "--record", record)
	unlock := c.approved(t, ref)
	c.doctor.does(t, nil, "record", "open", ref, "--unlock", unlock, "-o", "-")

	c.alice.fails(t, 2, "nobody to ask", "record", "erase", ref)
	c.alice.fails(t, 2, "name the version", "record", "erase", record, "--yes")
	c.alice.fails(t, 1, "not erased", "record", "erase", "--certificate", ref)
	c.officer.fails(t, 4, "not_owner", "record", "erase", ref, "--yes")
	require.Contains(t, c.alice.does(t, nil, "record", "erase", ref, "--yes"), "erased "+ref)
	c.alice.fails(t, 4, "erased", "record", "erase", ref, "--yes")
	c.doctor.fails(t, 4, "ended", "record", "open", ref, "--unlock", unlock, "-o", "-")
	c.doctor.fails(t, 4, "erased", "unlock", "propose", "--for", "1h", ref)
	require.Contains(t, c.alice.does(t, nil, "record", "list"), "2, 1 erased")
	require.Contains(t, c.alice.does(t, nil, "record", "show", ref), "erased")
	require.Eventually(t, func() bool {
		r := c.alice.runs(t, "record", "erase", "--certificate", ref)
		return r.code == 0 && strings.Count(r.out, "deleted, attested") == 4
	}, time.Minute, 200*time.Millisecond)
	c.officer.fails(t, 4, "not_asked", "record", "approve-erasure", "77")

	c.approved(t, record)
	require.Equal(t, string(second), c.doctor.does(t, nil, "record", "open", record, "-o", "-"))
}

func TestHospitalsOwnRecord(t *testing.T) {
	c := newCast(t)
	path, content := file(t, "rota.xlsx", 5000)
	ref := c.store(t, path, "--own", "--class", "other")
	unlock := c.propose(t, ref)
	c.second.does(t, nil, "unlock", "endorse", unlock)
	c.second.fails(t, 4, "same_person", "unlock", "approve", unlock, "--yes")
	c.officer.does(t, nil, "unlock", "withdraw", unlock)
	unlock = c.propose(t, ref)
	c.officer.does(t, nil, "unlock", "endorse", unlock)
	c.officer.fails(t, 1, "no vault", "unlock", "approve", unlock, "--yes")
	c.second.does(t, nil, "unlock", "approve", unlock, "--yes")
	require.Equal(t, string(content), c.doctor.does(t, nil, "record", "open", ref, "-o", "-"))
	c.alice.fails(t, 1, "not found", "record", "show", ref)
}

func TestOwnReading(t *testing.T) {
	c := newCast(t)
	path, content := file(t, "letter.pdf", 0)
	ref := c.store(t, path, "--class", "document")
	var u unlockID
	c.alice.does(t, &u, "unlock", "propose", ref, "--purpose", "PATRQT", "--for", "10m")
	c.alice.does(t, nil, "unlock", "approve", u.Unlock, "--yes")
	require.Equal(t, string(content), c.alice.does(t, nil, "record", "open", ref, "-o", "-"))
}

func TestDenied(t *testing.T) {
	c := newCast(t)
	path, _ := file(t, "x", 10)
	ref := c.store(t, path)
	unlock := c.propose(t, ref)
	c.officer.does(t, nil, "unlock", "endorse", unlock)
	c.doctor.fails(t, 4, "not_party", "unlock", "deny", unlock)
	c.alice.does(t, nil, "unlock", "deny", unlock)
	c.alice.fails(t, 4, "ended", "unlock", "approve", unlock, "--yes")
	c.doctor.fails(t, 4, "ended", "record", "open", ref, "--unlock", unlock, "-o", "-")
	require.Contains(t, c.doctor.does(t, nil, "unlock", "show", unlock), "denied")
	require.NotContains(t, c.alice.does(t, nil, "unlock", "list"), unlock[:12])
	require.Contains(t, c.alice.does(t, nil, "unlock", "list", "--all"), unlock[:12])
}

// Two of four hospitals fall right after the approval: too few shares, and no blocks. Opening ends in time and says so; with
// one of them back, and the approval completed, it opens.
func TestSharesThatAreMissing(t *testing.T) {
	c := newCast(t)
	path, content := file(t, "x", 100)
	ref := c.store(t, path)
	for try := 1; ; try++ {
		unlock := c.propose(t, ref)
		c.officer.does(t, nil, "unlock", "endorse", unlock)
		ctx, cancel := context.WithCancel(t.Context())
		approving := c.alice.command(ctx, "unlock", "approve", unlock, "--yes")
		require.NoError(t, approving.Start())
		c.killAtApproval(t, unlock, 2, 3)
		cancel()
		_ = approving.Wait() // cut short, whatever it was doing
		r := c.doctor.runs(t, "record", "open", ref, "--unlock", unlock, "-o", filepath.Join(t.TempDir(), "x"), "--timeout", "3s")
		if r.code == 3 {
			c.turn(t, "start", 2)
			c.alice.does(t, nil, "unlock", "approve", unlock, "--yes")
			require.Equal(t, string(content), c.doctor.does(t, nil, "record", "open", ref, "--unlock", unlock, "-o", "-"))
			c.turn(t, "start", 3)
			return
		}
		require.Zero(t, r.code, r.errors)
		c.turn(t, "start", 2, 3)
		require.Less(t, try, 3, "the shares were faster each time")
	}
}

// killAtApproval ends hospitals the moment that an unlock is approved.
func (c *cast) killAtApproval(t *testing.T, unlock string, numbers ...int) {
	t.Helper()
	var pids []int
	for _, number := range numbers {
		text, err := os.ReadFile(filepath.Join(c.hospital(number).home, "phrd.pid"))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	client := c.doctor.dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		u, err := client.Unlock(ctx, unlock)
		require.NoError(t, err)
		if u.GetApproval() != nil {
			break
		}
		<-tick.C
	}
	for _, pid := range pids {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
}

// dial connects as this person within the test.
func (p person) dial(t *testing.T) *phr.Client {
	t.Helper()
	passphrase, err := keys.Passphrase(p.passphrase, false)
	require.NoError(t, err)
	store, err := keys.Open(filepath.Join(p.home, "keys"), passphrase)
	require.NoError(t, err)
	accounts, err := store.Accounts()
	require.NoError(t, err)
	require.Len(t, accounts, 1)
	key, err := store.Account(accounts[0])
	require.NoError(t, err)
	door := p.door(t)
	client, err := phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: door.Fingerprint, Key: key})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// door is the gateway that this person's home knows.
func (p person) door(t *testing.T) (door phr.Door) {
	t.Helper()
	encoded, err := os.ReadFile(filepath.Join(p.home, "client.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &door))
	return door
}
