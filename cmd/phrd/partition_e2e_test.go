package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// healTime is how long connections may take to come back when a line is whole again: each side sends again after pauses that double.
	healTime = 2 * time.Minute
)

// cuts drops whatever a machine gets or sends that one of the matches describes (nft(8)), until heals. It drops without an answer, as a
// line does that is cut.
func (m *machines) cuts(n int, arriving, leaving []string) {
	m.t.Helper()
	table := "table inet cut {\n"
	for chain, matches := range map[string][]string{"input": arriving, "output": leaving} {
		table += fmt.Sprintf("chain %s {\ntype filter hook %s priority -1; policy accept;\n", chain, chain)
		for _, match := range matches {
			table += match + " drop\n"
		}
		table += "}\n"
	}
	wall := exec.CommandContext(m.t.Context(), "ip", "netns", "exec", m.name(n), "nft", "-f", "-")
	wall.Stdin = strings.NewReader(table + "}\n")
	out, err := wall.CombinedOutput()
	require.NoError(m.t, err, "cut off machine %d: %s", n, out)
}

// heals ends what cuts began.
func (m *machines) heals(n int) {
	m.t.Helper()
	m.must("netns", "exec", m.name(n), "nft", "delete", "table", "inet", "cut")
}

// isolates cuts a machine off from others, in both directions.
func (m *machines) isolates(n int, others ...int) {
	m.t.Helper()
	var arriving, leaving []string
	for _, other := range others {
		arriving, leaving = append(arriving, "ip saddr "+m.address(other)), append(leaving, "ip daddr "+m.address(other))
	}
	m.cuts(n, arriving, leaving)
}

// pending is a command that was begun and has not been looked at since.
type pending struct {
	cmd         *exec.Cmd
	out, errors bytes.Buffer
}

// begins begins a command that may take long.
func (p person) begins(t *testing.T, args ...string) *pending {
	t.Helper()
	// It is waited for after the step that begins it.
	b := &pending{cmd: p.command(context.WithoutCancel(t.Context()), args...)}
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.errors
	require.NoError(t, b.cmd.Start())
	return b
}

// ends waits for the command.
func (b *pending) ends() result {
	_ = b.cmd.Wait() // its exit code is what counts
	return result{b.cmd.ProcessState.ExitCode(), b.out.String(), b.errors.String()}
}

// partitioned is the story of a network whose lines are cut.
type partitioned struct {
	*machines
	*cast
	hospitals map[int]person
	stored    []string // versions whose store was acknowledged
}

// stores stores a file at the first hospital and returns the version.
func (s *partitioned) stores(t *testing.T, path string, more ...string) string {
	t.Helper()
	ref := s.cast.store(t, path, more...)
	s.stored = append(s.stored, ref)
	return ref
}

// copyAt is what the chain says of a hospital's copy of a version, empty where it is to have none.
func (s *partitioned) copyAt(t *testing.T, ref string, node uint64) string {
	t.Helper()
	var copies struct {
		Copies []struct {
			Node uint64
			Copy string
		}
	}
	r := s.clerk.runs(t, "storage", "status", ref, "--json")
	require.NoError(t, json.Unmarshal([]byte(r.out), &copies), r.errors)
	for _, c := range copies.Copies {
		if c.Node == node {
			return c.Copy
		}
	}
	return ""
}

// storesFor stores files until one of them is to be copied to a hospital.
func (s *partitioned) storesFor(t *testing.T, path string, node uint64, more ...string) string {
	t.Helper()
	for range 20 {
		if ref := s.stores(t, path, more...); s.copyAt(t, ref, node) != "" {
			return ref
		}
	}
	t.Fatalf("none of 20 files is placed at hospital %d", node)
	return ""
}

// holds waits until a hospital has confirmed its copy.
func (s *partitioned) holds(t *testing.T, ref string, node uint64) {
	t.Helper()
	eventually(t, healTime, fmt.Sprintf("hospital %d holds %s", node, ref), func() bool { return s.copyAt(t, ref, node) == "held" })
}

// saysWhy waits until a hospital that is not ready says why.
func (s *partitioned) saysWhy(t *testing.T, n int, words string) {
	t.Helper()
	eventually(t, healTime, fmt.Sprintf("hospital %d says %q", n, words), func() bool {
		r := s.hospitals[n].runs(t, "status")
		return r.code == 3 && strings.Contains(r.out, words)
	})
}

// settled looks at what became of a store that was begun while a line was cut: it was acknowledged, and then it is there, or it said
// that it is in no block.
func (s *partitioned) settled(t *testing.T, p *pending) {
	t.Helper()
	r := p.ends()
	if r.code == 0 {
		var all []storedFile
		require.NoError(t, json.Unmarshal([]byte(r.out), &all), r.out)
		require.Len(t, all, 1)
		s.stored = append(s.stored, fmt.Sprintf("%s/%d", all[0].Record, all[0].Version))
		return
	}
	require.Equal(t, 3, r.code, r.errors)
	require.Contains(t, r.errors, "in no block yet")
}

// isWhole checks that everything whose store was acknowledged is there, with all its copies.
func (s *partitioned) isWhole(t *testing.T) {
	t.Helper()
	for _, ref := range s.stored {
		eventually(t, healTime, ref+" has all its copies", func() bool {
			// The patient sees what every hospital stored.
			r := s.alice.runs(t, "storage", "status", ref)
			return r.code == 0 && strings.Contains(r.out, "whole")
		})
	}
}

// Four hospitals whose lines are cut: those of the blobs, and all those of one; `make e2e-join` goes on with those between two and two.
func TestHospitalsCutOff(t *testing.T) {
	t.Parallel()
	const count, far = 4, 4
	m := newMachines(t, "cut", count)
	m.showLogs(count)
	s := &partitioned{machines: m}
	stops := map[int]func() int{}
	step := m.steps()

	step("four hospitals found a network", func(t *testing.T) {
		t.Helper()
		s.hospitals, _ = m.founds(count)
	})
	for n, h := range s.hospitals {
		stops[n] = h.serves(t, m.log(n))
	}
	step("they are ready", func(*testing.T) { m.areReady(s.hospitals) })
	s.cast = &cast{
		localNet: &localNet{dir: m.dir}, clerk: m.hires(s.hospitals[1], 1, "desk", "clerk"), officer: m.hires(s.hospitals[1], 1, "officer", "officer"),
		doctor: m.hires(s.hospitals[2], 2, "weber", "clinician"), alice: m.hires(s.hospitals[1], 1, "alice", ""),
	}
	remote := m.hires(s.hospitals[far], far, "remote", "clerk")
	var invitation struct{ Invitation string }
	s.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
	var joined struct{ Patient string }
	s.alice.does(t, &joined, "patient", "join", invitation.Invitation)
	s.patient = joined.Patient
	path, content := file(t, "chest.dcm", 3<<20+5)

	step("nothing arrives on the blob port of one from where a file was stored: others send its copy", func(t *testing.T) {
		t.Helper()
		m.cuts(far, []string{"ip saddr " + m.address(1) + " tcp sport 4001", "ip saddr " + m.address(1) + " tcp dport 4001"}, nil)
		s.holds(t, s.storesFor(t, path, far), far)
		m.heals(far)
	})
	// What was not carried comes when all lines are whole again: the last steps look at it.
	step("no blob reaches one: a courier brings a copy, which counts", func(t *testing.T) {
		t.Helper()
		m.cuts(far, []string{"tcp sport 4001", "tcp dport 4001"}, nil)
		waits, carried := s.storesFor(t, path, far, "--wait", "minimum"), s.storesFor(t, path, far, "--wait", "minimum")
		disk := filepath.Join(t.TempDir(), "scan.car")
		s.hospitals[1].as("admin").does(t, nil, "object", "export", carried, "-o", disk)
		require.Equal(t, "assigned", s.copyAt(t, carried, far))
		s.hospitals[far].as("admin").does(t, nil, "object", "import", disk)
		s.holds(t, carried, far)
		require.Equal(t, "assigned", s.copyAt(t, waits, far), "what was not carried is not there")
		m.heals(far)
	})

	var alone *pending
	step("one is cut off: the others go on", func(t *testing.T) {
		t.Helper()
		m.isolates(far, 1, 2, 3)
		alone = remote.begins(t, "record", "store", path, "--patient", s.patient, "--wait", "none", "--json")
		s.storesFor(t, path, far, "--wait", "minimum")
		ref := s.stored[0]
		s.approved(t, ref)
		out := filepath.Join(t.TempDir(), "opened.dcm")
		s.doctor.does(t, nil, "record", "open", ref, "-o", out)
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got))
	})
	if os.Getenv("PHRD_CUTS") == "full" {
		s.standsStill(step, far, alone)
	} else {
		step("it is reached again", func(t *testing.T) {
			t.Helper()
			m.heals(far)
			s.settled(t, alone)
		})
	}
	step("what was acknowledged is there, with all copies", func(t *testing.T) {
		t.Helper()
		m.areReady(s.hospitals)
		s.stores(t, path, "--wait", "copies")
		s.isWhole(t)
	})
	step("all stop", func(t *testing.T) {
		t.Helper()
		for n, stop := range stops {
			require.Zero(t, stop(), "hospital %d", n)
		}
	})
}

// standsStill is the longer part of the story, in which a hospital is cut off until it says so, and then two from two, until a store
// that was begun at the first one is given up.
func (s *partitioned) standsStill(step func(name string, run func(t *testing.T)), far int, alone *pending) {
	path, _ := file(s.t, "later.dcm", 5000)
	step("it says that it is cut off", func(t *testing.T) {
		t.Helper()
		s.saysWhy(t, far, "the last block is ")
		found := s.hospitals[far].examined(t, 1)
		require.Equal(t, "fail", found["chain"].Status, "%+v", found["chain"])
	})
	var here *pending
	step("two and two are cut off from each other: the chain stands still, and nobody is promised anything", func(t *testing.T) {
		t.Helper()
		s.isolates(3, 1, 2)
		s.heals(far)
		s.isolates(far, 1, 2)
		here = s.clerk.begins(t, "record", "store", path, "--patient", s.patient, "--wait", "none", "--json")
		was := heightOf(t, s.hospitals[1])
		r := alone.ends()
		require.Equal(t, 3, r.code, r.errors)
		require.Contains(t, r.errors, "in no block yet")
		require.LessOrEqual(t, heightOf(t, s.hospitals[1]), was+1, "what was on its way may have come")
	})
	step("they reach each other again: it goes on by itself", func(t *testing.T) {
		t.Helper()
		s.heals(3)
		s.heals(far)
		s.settled(t, here)
	})
}
