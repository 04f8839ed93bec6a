package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/phr"
)

// rogue is the program of an operator who breaks the rules; make e2e builds it and names it.
var rogue = os.Getenv("PHRD_ROGUE")

// newNetWith is a network whose hospitals agreed on other rules in its genesis, each a setting of the first state and its value there.
// It does not run yet.
func newNetWith(t *testing.T, count int, rules map[string]string) *localNet {
	t.Helper()
	n, err := makeLocalNet(program, count)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	})
	for number := 1; number <= count; number++ {
		path := filepath.Join(n.hospital(number).home, "config", "genesis.json")
		text := readAll(t, path)
		for setting, value := range rules {
			before := []byte(fmt.Sprintf("%q: \"0\"", setting))
			require.Equal(t, 1, bytes.Count(text, before), setting)
			text = bytes.Replace(text, before, []byte(fmt.Sprintf("%q: %q", setting, value)), 1)
		}
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	return n
}

// rogueProgram runs in place of a hospital's server. What it spoiled so far is in told, a line each.
type rogueProgram struct {
	cmd    *exec.Cmd
	spoils chan string
	told   []string
	faults bytes.Buffer
	ended  bool
}

// turnsRogue runs, in place of a hospital's server, which must not run, a program of its operator's that breaks the rules in one phase,
// by way of the first hospital's node.
func (n *localNet) turnsRogue(t *testing.T, number int, phase string) *rogueProgram {
	t.Helper()
	p := n.hospital(number)
	r := &rogueProgram{spoils: make(chan string)}
	r.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), rogue, "--home", p.home, "--passphrase-file", p.passphrase,
		"--node", fmt.Sprintf("127.0.0.1:%d", 9090+n.offset), "--at", phase)
	r.cmd.Stderr = &r.faults
	out, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	go func() {
		defer close(r.spoils)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.spoils <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		r.ends(t)
		if t.Failed() {
			t.Logf("the rogue of phase %s said:\n%s\n%s", phase, strings.Join(r.told, "\n"), r.faults.String())
		}
	})
	return r
}

// hasSpoiled waits until it has spoiled each of the messages.
func (r *rogueProgram) hasSpoiled(t *testing.T, messages ...string) {
	t.Helper()
	late := time.After(time.Minute)
	for _, message := range messages {
		for !slices.Contains(r.told, "spoiled "+message) {
			select {
			case line, ok := <-r.spoils:
				require.True(t, ok, "it ended before it spoiled %s", message)
				r.told = append(r.told, line)
			case <-late:
				require.Fail(t, "it did not spoil "+message)
			}
		}
	}
}

// ends ends it, if it runs.
func (r *rogueProgram) ends(t *testing.T) {
	t.Helper()
	if r.ended {
		return
	}
	r.ended = true
	require.NoError(t, r.cmd.Process.Signal(os.Interrupt))
	for line := range r.spoils {
		r.told = append(r.told, line)
	}
	require.NoError(t, r.cmd.Wait(), "%s", r.faults.String())
}

// recordsKey waits until the network's only key is as it should be.
func recordsKey(t *testing.T, c *phr.Client, what string, is func(phr.NetworkKey) bool) phr.NetworkKey {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		keys, err := c.NetworkKeys(ctx)
		require.NoError(t, err, what)
		require.Len(t, keys, 1)
		if is(keys[0]) {
			return keys[0]
		}
		<-tick.C
	}
}

// longestPause is the longest time between two blocks so far.
func (n *localNet) longestPause(t *testing.T) time.Duration {
	t.Helper()
	var longest time.Duration
	var after time.Time
	for height := heightOf(t, n.hospital(1)); height > 0; {
		var page struct {
			Metas []struct {
				Header struct{ Time time.Time } `json:"header"`
			} `json:"block_metas"`
		}
		require.NoError(t, n.rpc(t, 1, fmt.Sprintf("blockchain?minHeight=1&maxHeight=%d", height), &page))
		for _, meta := range page.Metas {
			if !after.IsZero() {
				longest = max(longest, after.Sub(meta.Header.Time))
			}
			after = meta.Header.Time
		}
		height -= int64(len(page.Metas))
	}
	return longest
}

// One of four hospitals has its operator run another program than ours, in a process of its own: it deals what does not open and answers
// falsely, complains about one that did nothing wrong, proves what it does not have, and gives wrong shares. The others make the key and
// renew it without what it spoiled, records open, and blocks go on.
func TestAHospitalWithAProgramOfItsOwn(t *testing.T) {
	if program == "" || rogue == "" {
		t.Skip("PHRD_BINARY and PHRD_ROGUE do not name the programs; make e2e does")
	}
	t.Parallel()
	n := newNetWith(t, hospitals, map[string]string{"round_window": "30"})
	// It is there before the first block, and deals while the key is made.
	r := n.turnsRogue(t, 4, "deals")
	n.turn(t, "start", 1, 2, 3)
	one := n.hospital(1)
	watcher := n.auditor(t, 1, "watcher")
	watch := watcher.dial(t)

	made := recordsKey(t, watch, "the key is made", func(k phr.NetworkKey) bool { return k.IsWhole() })
	r.hasSpoiled(t, "MsgSubmitDeal", "MsgSubmitJustification")
	r.ends(t)
	require.Equal(t, []uint64{1, 2, 3}, made.Round.GetQualified())
	require.Len(t, made.Holders, hospitals)

	// It complains, and the other one answers; its own deal counts.
	renew := func(phase, spoiled string, holding int) phr.NetworkKey {
		t.Helper()
		r := n.turnsRogue(t, 4, phase)
		before := recordsKey(t, watch, "the shares are held", func(phr.NetworkKey) bool { return true })
		var p struct{ Proposal uint64 }
		one.does(t, &p, "hospital", "propose", "reshare")
		for number := 1; number <= 3; number++ {
			n.hospital(number).does(t, nil, "hospital", "vote", fmt.Sprint(p.Proposal), "yes")
		}
		r.hasSpoiled(t, spoiled)
		key := recordsKey(t, watch, "the shares are renewed", func(k phr.NetworkKey) bool {
			confirmed := 0
			for _, h := range k.Holders {
				if h.GetConfirmed() {
					confirmed++
				}
			}
			return k.Key.GetShareEpoch() > before.Key.GetShareEpoch() && len(k.Holders) == hospitals && confirmed == holding
		})
		require.Equal(t, made.Key.GetPublicKey(), key.Key.GetPublicKey())
		require.Equal(t, before.Key.GetShareEpoch()+1, key.Key.GetShareEpoch())
		r.ends(t)
		return key
	}
	renewed := renew("complaints", "MsgSubmitComplaint", hospitals)
	require.Equal(t, []uint64{1, 2, 3, 4}, renewed.Round.GetQualified())

	// It proves to have a share that it has not, and holds none.
	for _, h := range renew("confirmations", "MsgConfirmShare", hospitals-1).Holders {
		require.Equal(t, h.GetIndex() != 4, h.GetConfirmed(), "hospital %d", h.GetIndex())
	}

	// With its share it gives wrong ones. Records open by those of the others, and the network notes whose share was wrong.
	r = n.turnsRogue(t, 4, "shares")
	recordsKey(t, watch, "it holds its share", func(k phr.NetworkKey) bool { return k.IsWhole() })
	c := castOf(t, n, 2)
	path, content := file(t, "scan.dcm", 3000)
	ref := c.store(t, path)
	eventually(t, time.Minute, "a wrong share is noted", func() bool {
		unlock := c.approved(t, ref)
		out := filepath.Join(t.TempDir(), "scan.dcm")
		c.doctor.does(t, nil, "record", "open", ref, "--unlock", unlock, "-o", out)
		require.Equal(t, content, readAll(t, out))
		keys, err := watch.NetworkKeys(t.Context())
		require.NoError(t, err)
		for _, h := range keys[0].Holders {
			if h.GetIndex() != 4 {
				require.Zero(t, h.GetBadShares())
			} else if h.GetBadShares() > 0 {
				return true
			}
		}
		return false
	})
	r.hasSpoiled(t, "MsgSubmitShares")
	require.Contains(t, strings.Join(c.kinds(t, ref[:strings.Index(ref, "/")]), " "), "released")
	require.Less(t, n.longestPause(t), 30*time.Second)
}
