package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/keys"
)

const (
	// joinersSnapshot is after how many blocks the hospitals of this test make a snapshot.
	joinersSnapshot = 20
	// joinTime is how long a hospital may take from the vote until it takes part.
	joinTime = 4 * time.Minute
)

// firewall lets through what docs/operate.md names, and answers to what the machine itself asked.
const firewall = `table inet phrd {
	chain input {
		type filter hook input priority 0; policy drop;
		iif "lo" accept
		ct state established,related accept
		tcp dport { 26656, 4001, 8443 } accept
	}
}
`

// machines are network namespaces, each with an address and a firewall of its own, on one bridge.
type machines struct {
	t      *testing.T
	prefix string
	dir    string
}

// newMachines makes so many machines on a bridge of their own and removes them when the test ends. Where this machine can't, the test is left out, and says so.
func newMachines(t *testing.T, lan string, count int) *machines {
	t.Helper()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	for _, command := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("NOT RUN: machines of their own need the command %s (Debian: iproute2, nftables)", command)
		}
	}
	m := &machines{t: t, prefix: machinesPrefix() + lan + "-", dir: t.TempDir()}
	if out, err := m.ip("netns", "add", m.prefix+"lan"); err != nil {
		t.Skipf("NOT RUN: machines of their own need network namespaces, which root may make: %s", out)
	}
	t.Cleanup(func() {
		for n := range count + 1 {
			name := m.prefix + "lan"
			if n > 0 {
				name = m.name(n)
			}
			if out, err := m.ip("netns", "del", name); err != nil {
				t.Errorf("remove %s: %v: %s", name, err, out)
			}
		}
	})
	bridge := m.prefix + "lan"
	m.must("-n", bridge, "link", "add", "bridge", "type", "bridge")
	m.must("-n", bridge, "link", "set", "bridge", "up")
	for n := range count {
		n++
		port := fmt.Sprintf("port%d", n)
		m.must("netns", "add", m.name(n))
		m.must("-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", m.name(n))
		m.must("-n", bridge, "link", "set", port, "master", "bridge", "up")
		m.must("-n", m.name(n), "link", "set", "lo", "up")
		m.must("-n", m.name(n), "address", "add", m.address(n)+"/24", "dev", "eth0")
		m.must("-n", m.name(n), "link", "set", "eth0", "up")
		wall := exec.CommandContext(t.Context(), "ip", "netns", "exec", m.name(n), "nft", "-f", "-")
		wall.Stdin = strings.NewReader(firewall)
		out, err := wall.CombinedOutput()
		require.NoError(t, err, "firewall of machine %d: %s", n, out)
	}
	return m
}

// machinesPrefix begins the names of the machines. scripts/e2e-join says which it is, to remove what a killed test leaves.
func machinesPrefix() string {
	if prefix := os.Getenv("PHRD_MACHINES"); prefix != "" {
		return prefix
	}
	return fmt.Sprintf("phrd%d-", os.Getpid())
}

func (m *machines) name(n int) string    { return m.prefix + strconv.Itoa(n) }
func (m *machines) address(n int) string { return fmt.Sprintf("10.77.0.%d", n) }

// ip runs a command that also works when the test has ended.
func (m *machines) ip(args ...string) (string, error) {
	out, err := exec.CommandContext(context.WithoutCancel(m.t.Context()), "ip", args...).CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

func (m *machines) must(args ...string) {
	m.t.Helper()
	out, err := m.ip(args...)
	require.NoError(m.t, err, "ip %s: %s", strings.Join(args, " "), out)
}

// reaches tells whether a machine gets a connection to a port.
func (m *machines) reaches(from int, to string, port int) bool {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "ip", "netns", "exec", m.name(from), "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d", to, port)).Run() == nil
}

// listens are the ports on which a machine listens for others.
func (m *machines) listens(n int) (open []string) {
	m.t.Helper()
	out, err := m.ip("netns", "exec", m.name(n), "ss", "--tcp", "--udp", "--listening", "--numeric", "--no-header")
	require.NoError(m.t, err, out)
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		require.Greater(m.t, len(fields), 4, line)
		host, port, err := net.SplitHostPort(fields[4])
		require.NoError(m.t, err, line)
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			open = append(open, port)
		}
	}
	return open
}

// person is somebody whose home lies on a machine.
func (m *machines) person(n int, name string) person {
	p := person{home: filepath.Join(m.dir, name), passphrase: filepath.Join(m.dir, name+".passphrase"), machine: m.name(n)}
	require.NoError(m.t, os.WriteFile(p.passphrase, []byte("correct horse battery staple\n"), 0o600))
	return p
}

// hires registers somebody at a hospital, on its machine.
func (m *machines) hires(hospital person, n int, name, role string) person {
	m.t.Helper()
	p := m.person(n, name)
	require.NoError(m.t, os.Mkdir(p.home, 0o700))
	_, err := keys.Create(filepath.Join(p.home, "keys"), []byte("correct horse battery staple"), keys.WithWorkFactor(4))
	require.NoError(m.t, err)
	door, err := os.ReadFile(filepath.Join(hospital.home, "client.json"))
	require.NoError(m.t, err)
	require.NoError(m.t, os.WriteFile(filepath.Join(p.home, "client.json"), door, 0o600))
	if role == "" {
		return p
	}
	var key struct{ Address string }
	p.does(m.t, &key, "keys", "add", name)
	hospital.does(m.t, nil, "staff", "add", name, "--role", role, "--address", key.Address)
	return p
}

// inits makes the home of a hospital on a machine.
func (m *machines) inits(n int) person {
	m.t.Helper()
	p := m.person(n, fmt.Sprintf("hospital-%d", n))
	p.does(m.t, nil, "init", "--hospital", fmt.Sprintf("Hospital %d", n), "--site", "Vienna", "--time-zone", "Europe/Vienna",
		"--host", m.address(n), "--listen", "0.0.0.0", "--fast", "--capacity", "4GiB")
	m.setSnapshots(p, 1000)
	return p
}

// founds makes the homes of so many hospitals, each on a machine, and a network of them.
func (m *machines) founds(count int) (map[int]person, assembledNetwork) {
	m.t.Helper()
	hospitals := map[int]person{}
	args := []string{"network", "assemble", "--out", filepath.Join(m.dir, "network")}
	for n := range count {
		hospitals[n+1] = m.inits(n + 1)
		args = append(args, filepath.Join(hospitals[n+1].home, "member.json"))
	}
	var network assembledNetwork
	hospitals[1].does(m.t, &network, args...)
	for _, h := range hospitals {
		h.does(m.t, nil, "init", "--genesis", network.Genesis, "--hash", network.Hash)
	}
	return hospitals, network
}

// areReady waits until hospitals take part, and have made the network's key.
func (m *machines) areReady(hospitals map[int]person) {
	m.t.Helper()
	for n, h := range hospitals {
		eventually(m.t, 2*time.Minute, fmt.Sprintf("hospital %d is ready", n), func() bool { return h.runs(m.t, "status").code == 0 })
	}
	for n, h := range hospitals {
		require.Len(m.t, h.keys(m.t)[0].Holders, len(hospitals), "hospital %d sees the key", n)
	}
}

// steps gives what runs a part of the story; the first that fails ends it.
func (m *machines) steps() (step func(name string, run func(t *testing.T))) {
	whole := m.t
	return func(name string, run func(t *testing.T)) {
		if !whole.Run(name, func(t *testing.T) {
			m.t = t
			run(t)
		}) {
			whole.FailNow()
		}
		m.t = whole
	}
}

// showLogs shows how the logs of so many hospitals end when the test fails.
func (m *machines) showLogs(count int) {
	whole := m.t
	whole.Cleanup(func() {
		if !whole.Failed() {
			return
		}
		for n := range count {
			if text, err := os.ReadFile(m.log(n + 1)); err == nil {
				whole.Logf("the end of the log of hospital %d:\n%s", n+1, text[max(0, len(text)-3000):])
			}
		}
	})
}

// setSnapshots has a server make snapshots sooner than after the blocks that its settings say.
func (m *machines) setSnapshots(p person, was int) {
	m.t.Helper()
	path := filepath.Join(p.home, "config", "app.toml")
	text, err := os.ReadFile(path)
	require.NoError(m.t, err)
	for setting, value := range map[string]int{fmt.Sprintf("\nsnapshot-interval = %d\n", was): joinersSnapshot, "\nsnapshot-keep-recent = 2\n": 20} {
		require.Contains(m.t, string(text), setting)
		name, _, _ := strings.Cut(setting, "=")
		text = bytes.Replace(text, []byte(setting), fmt.Appendf(nil, "%s= %d\n", name, value), 1)
	}
	require.NoError(m.t, os.WriteFile(path, text, 0o600))
}

func (m *machines) log(n int) string { return filepath.Join(m.dir, fmt.Sprintf("log-%d", n)) }

// says tells whether the log of a hospital has these words.
func (m *machines) says(n int, words string) func() bool {
	return func() bool {
		text, err := os.ReadFile(m.log(n))
		return err == nil && strings.Contains(string(text), words)
	}
}

// Four hospitals, each on a machine with an address and a firewall of its own, found a network. A fifth joins by commands.
func TestHospitalsOnMachinesOfTheirOwn(t *testing.T) {
	const founders, fifth, annex = 4, 5, 6
	t.Parallel()
	m := newMachines(t, "join", annex)
	m.showLogs(annex)
	hospitals, stops := map[int]person{}, map[int]func() int{}
	var network assembledNetwork
	step := m.steps()

	step("four hospitals found a network", func(t *testing.T) {
		t.Helper()
		hospitals, network = m.founds(founders)
	})
	// The servers outlive the step that starts them.
	for n, h := range hospitals {
		stops[n] = h.serves(m.t, m.log(n))
	}
	step("they are ready", func(*testing.T) { m.areReady(hospitals) })
	step("only the named ports are open", func(t *testing.T) {
		t.Helper()
		for _, port := range []int{26656, 4001, 8443} {
			require.True(t, m.reaches(fifth, m.address(1), port), "port %d", port)
		}
		for _, port := range []int{26657, 9090, 1317} {
			require.False(t, m.reaches(fifth, m.address(1), port), "port %d", port)
			require.True(t, m.reaches(1, "127.0.0.1", port), "port %d", port)
		}
		// Without a firewall it would be the same.
		require.ElementsMatch(t, []string{"26656", "4001", "8443"}, m.listens(1))
	})

	c := &cast{localNet: &localNet{dir: m.dir}, clerk: m.hires(hospitals[1], 1, "desk", "clerk"), officer: m.hires(hospitals[1], 1, "officer", "officer"), alice: m.hires(hospitals[1], 2, "alice", "")}
	path, content := file(t, "chest.dcm", 3<<20+5)
	var ref string
	step("a patient's file is stored", func(t *testing.T) {
		t.Helper()
		var invitation struct{ Invitation string }
		c.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
		var joined struct{ Patient string }
		c.alice.does(t, &joined, "patient", "join", invitation.Invitation)
		c.patient = joined.Patient
		ref = c.store(t, path, "--wait", "copies")
	})

	var prints struct {
		Fingerprints map[string]string
	}
	hospitals[fifth] = m.inits(fifth)
	newcomer := hospitals[fifth]
	door := fmt.Sprintf("https://%s:8443", m.address(1))
	step("a fifth hospital hands itself in", func(t *testing.T) {
		t.Helper()
		newcomer.fails(t, 1, "another hash", "join", door, "--hash", strings.Repeat("0", 64))
		newcomer.fails(t, 1, "another certificate", "join", door, "--hash", network.Hash, "--fingerprint", strings.Repeat("0", 64))
		newcomer.fails(t, 1, "no network accepted", "start")
		newcomer.does(t, &prints, "join", door, "--hash", network.Hash)
		hospitals[1].fails(t, 1, "one of the first members", "join", door, "--hash", network.Hash)
	})
	stops[fifth] = newcomer.serves(m.t, m.log(fifth))
	step("it waits for the vote", func(t *testing.T) {
		t.Helper()
		eventually(t, time.Minute, "it waits", func() bool {
			r := newcomer.runs(t, "status")
			return r.code == 3 && strings.Contains(r.out, "until the hospitals admit it")
		})
	})
	step("the hospitals vote", func(t *testing.T) {
		t.Helper()
		var list []map[string]string
		hospitals[1].does(t, &list, "hospital", "candidates")
		require.Len(t, list, 1)
		for name, value := range prints.Fingerprints {
			require.Equal(t, value, list[0][name], name)
		}
		c.clerk.fails(t, 4, "administrators", "hospital", "candidates")
		declaration := filepath.Join(t.TempDir(), "member.json")
		hospitals[1].does(t, nil, "hospital", "candidates", "Hospital 5", "--out", declaration)
		var asked struct{ Proposal uint64 }
		hospitals[1].does(t, &asked, "hospital", "propose", "admit", declaration)
		for n := range founders {
			if r := hospitals[n+1].runs(t, "hospital", "vote", fmt.Sprint(asked.Proposal), "yes"); r.code != 0 {
				require.Contains(t, r.errors, "closed", "hospital %d", n+1)
			}
		}
	})
	step("it fetches the state and takes part", func(t *testing.T) {
		t.Helper()
		eventually(t, joinTime, "the state was fetched", m.says(fifth, "the chain's state was fetched"))
		eventually(t, joinTime, "the fifth hospital is ready", func() bool { return newcomer.runs(t, "status").code == 0 })
		require.NotContains(t, hospitals[1].does(t, nil, "hospital", "candidates"), "Hospital 5")
	})
	step("its validator signs", func(t *testing.T) {
		t.Helper()
		require.Zero(t, stops[2]())
		c.store(t, path)
		stops[2] = nil
	})
	stops[2] = hospitals[2].serves(m.t, m.log(2))
	step("it is chosen for copies", func(t *testing.T) {
		t.Helper()
		var copies struct {
			Copies []struct {
				Node uint64
				Copy string
			}
		}
		for range 20 {
			stored := c.store(t, path, "--wait", "copies")
			c.clerk.does(t, &copies, "storage", "status", stored)
			for _, one := range copies.Copies {
				if one.Node == fifth && one.Copy == "held" {
					return
				}
			}
		}
		t.Fatalf("none of 20 files is placed there: %v", copies)
	})
	step("a file that was stored before is read there", func(t *testing.T) {
		t.Helper()
		c.doctor = m.hires(newcomer, fifth, "weber", "clinician")
		c.approved(t, ref)
		out := filepath.Join(t.TempDir(), "opened.dcm")
		c.doctor.does(t, nil, "record", "open", ref, "-o", out)
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got))
		record, _, _ := strings.Cut(ref, "/")
		eventually(t, time.Minute, "the patient sees that it was opened", func() bool { return slices.Contains(c.kinds(t, record), "opened") })
	})
	store := m.person(annex, "annex")
	step("the fifth hospital adds a storage node", func(t *testing.T) {
		t.Helper()
		args := []string{
			"init", "--storage-only", "--genesis", network.Genesis, "--hash", network.Hash, "--hospital", "Hospital 5", "--site", "1",
			"--host", m.address(annex), "--capacity", "4GiB",
		}
		store.fails(t, 1, "none of its hospitals", args...)
		door := fmt.Sprintf("https://%s:8443", m.address(fifth))
		store.fails(t, 1, "not that of a first member", append(args, "--gateway", door)...)
		store.does(t, nil, append(args, "--gateway", door, "--fingerprint", prints.Fingerprints["gateway_fingerprint"])...)
		m.setSnapshots(store, 0)
		newcomer.does(t, nil, "hospital", "add-node", filepath.Join(store.home, "node.json"))
	})
	stops[annex] = store.serves(m.t, m.log(annex))
	step("which fetches the state too, and is alive", func(t *testing.T) {
		t.Helper()
		eventually(t, joinTime, "the state was fetched", m.says(annex, "the chain's state was fetched"))
		eventually(t, joinTime, "the node is alive", func() bool {
			var nodes []storageNode
			newcomer.does(t, &nodes, "hospital", "nodes", "5")
			return len(nodes) == 2 && nodes[1].Status == "alive"
		})
	})
	step("all stop", func(t *testing.T) {
		t.Helper()
		for n, stop := range stops {
			require.Zero(t, stop(), "hospital %d", n)
		}
	})
}
