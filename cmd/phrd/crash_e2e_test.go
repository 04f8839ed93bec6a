package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
)

const (
	// crashPoints is how many places CometBFT passes from a validator's vote to the block after it: two votes, five places while it
	// stores the block, four while it carries the block out. FAIL_TEST_INDEX=k ends the process at the k-th place that it passes.
	crashPoints = 11
	// caughtUpPoints are those of two blocks more, which a validator that was away carries out first and which are counted too.
	caughtUpPoints = 8
	// crashStride leaves out most places in the short form.
	crashStride = 5
	// crashTries is how often the server ends at one place until it was the one that is meant: after a vote that was read again there is one
	// place less.
	crashTries = 4
	// crashTime is how long a server may take until it passes its crash point, or until it has caught up.
	crashTime = 2 * time.Minute
)

// crashPlaces are how far the newest block is at each of CometBFT's places, in the order in which a validator passes them.
var crashPlaces = [crashPoints]string{
	"voted", "voted", "decided", "decided", "decided", "executed", "executed", "committed", "committed", "committed", "committed",
}

// crashStages are how far the newest block had come when a validator ended, by the last of these lines in its log.
var crashStages = []struct{ line, name string }{
	{"Received message from cs.internalMsgQueue", "voted"},
	{"finalizing commit of block", "decided"},
	{"executed block", "executed"},
	{"committed state", "committed"},
}

// signed is what a validator signed last (priv_validator_state.json).
type signed struct {
	Height int64 `json:"height,string"`
	Round  int32 `json:"round"`
	Step   int8  `json:"step"`
	// Bytes that were signed.
	Bytes string `json:"signbytes"`
}

func (s signed) before(o signed) bool {
	if s.Height != o.Height {
		return s.Height < o.Height
	}
	if s.Round != o.Round {
		return s.Round < o.Round
	}
	return s.Step < o.Step
}

// crasher is a hospital whose server ends again and again while the others go on.
type crasher struct {
	person
	net    *localNet
	number int
	was    map[string]string // its settings
	last   signed
}

// crashSettings have CometBFT log what it does with each block.
var crashSettings = map[string]string{"log_level": "consensus:debug,state:info,*:error"}

// newCrasher stops a hospital and changes its settings until the test ends.
func newCrasher(t *testing.T, n *localNet, number int) *crasher {
	t.Helper()
	c := &crasher{person: n.hospital(number), net: n, number: number}
	n.turn(t, "stop", number)
	c.was = c.sets(t, crashSettings)
	t.Cleanup(func() { c.sets(t, c.was) })
	return c
}

// sets changes settings of CometBFT that are text, and returns what they were.
func (p person) sets(t *testing.T, settings map[string]string) map[string]string {
	t.Helper()
	path := filepath.Join(p.home, "config", "config.toml")
	lines := strings.Split(string(readAll(t, path)), "\n")
	was := map[string]string{}
	for i, line := range lines {
		name, value, _ := strings.Cut(line, " = ")
		if setting, ok := settings[name]; ok {
			was[name], lines[i] = strings.Trim(value, `"`), fmt.Sprintf("%s = %q", name, setting)
		}
	}
	require.Len(t, was, len(settings))
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return was
}

// crashes runs the server until it ends at the k-th crash point that it passes, and tells how far its newest block was then.
func (c *crasher) crashes(t *testing.T, k int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), crashTime)
	defer cancel()
	cmd := c.command(ctx, "start")
	cmd.Env = append(cmd.Env, fmt.Sprintf("FAIL_TEST_INDEX=%d", k))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	require.Error(t, err, "it ends")
	require.NoError(t, ctx.Err(), "it never passed crash point %d", k)
	lines := strings.Split(said.String(), "\n")
	tail := strings.Join(lines[max(0, len(lines)-20):], "\n")
	require.Contains(t, said.String(), fmt.Sprintf("*** fail-test %d ***\n", k), tail)
	c.signsOnward(t)
	stage := "replayed"
	for _, line := range lines {
		for _, s := range crashStages {
			if strings.Contains(line, s.line) {
				stage = s.name
			}
		}
	}
	return stage
}

// signsOnward checks that the validator signed nothing for a step that lies before one for which it has signed, and nothing else for
// the same step.
func (c *crasher) signsOnward(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.home, "data", "priv_validator_state.json"))
	require.NoError(t, err)
	var now signed
	require.NoError(t, json.Unmarshal(text, &now))
	require.False(t, now.before(c.last), "signed %+v after %+v", now, c.last)
	require.True(t, c.last.before(now) || now.Bytes == c.last.Bytes, "signed %+v and %+v", now, c.last)
	c.last = now
}

// rpc asks a hospital's CometBFT on loopback.
func (n *localNet) rpc(t *testing.T, number int, path string, result any) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/%s", 26657+n.offset+10*(number-1), path), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Result, result)
}

// appState is the block that a node's state of the chain is of, and its hash.
type appState struct {
	Response struct {
		Height int64  `json:"last_block_height,string"`
		Hash   []byte `json:"last_block_app_hash"`
	}
}

// block is what is looked at of a block.
type block struct {
	ID struct {
		Hash string `json:"hash"`
	} `json:"block_id"`
	Block struct {
		Header struct {
			AppHash string `json:"app_hash"`
		}
		Evidence struct{ Evidence []json.RawMessage }
	}
}

// agrees waits until the hospital has the others' newest block, and checks that it has the same blocks and the same state as they,
// and that nobody has shown it to have signed twice.
func (c *crasher) agrees(t *testing.T, from int64) {
	t.Helper()
	var theirs, own appState
	require.NoError(t, c.net.rpc(t, 1, "abci_info", &theirs))
	eventually(t, crashTime, "it catches up", func() bool {
		return c.net.rpc(t, c.number, "abci_info", &own) == nil && own.Response.Height >= theirs.Response.Height
	})
	// The state after a block is named by the block that follows.
	var next block
	eventually(t, crashTime, "a block follows", func() bool {
		return c.net.rpc(t, 1, fmt.Sprintf("block?height=%d", own.Response.Height+1), &next) == nil
	})
	require.Equal(t, fmt.Sprintf("%X", own.Response.Hash), next.Block.Header.AppHash, "height %d", own.Response.Height)
	for height := from; height <= own.Response.Height; height++ {
		var a, b block
		require.NoError(t, c.net.rpc(t, 1, fmt.Sprintf("block?height=%d", height), &a))
		require.NoError(t, c.net.rpc(t, c.number, fmt.Sprintf("block?height=%d", height), &b))
		require.Equal(t, a, b)
		require.Empty(t, a.Block.Evidence.Evidence, "height %d", height)
	}
}

// A validator among others ends at places at which CometBFT may leave a vote, a block or the state half written, while it catches up or
// takes part. Started again it goes on, and what it finds is what the others have. `make drill-crash` walks many more places, and lets
// it catch up between any two.
func TestValidatorEndsAtCrashPoints(t *testing.T) {
	n := startNet(t)
	points, stride, full := crashPoints, crashStride, os.Getenv("PHRD_CRASHES") == "full"
	if full {
		points, stride = points+caughtUpPoints, 1
	}
	desk := n.hire(t, 1, "crash-desk", "clerk").dial(t)
	from := heightOf(t, n.hospital(1))
	c := newCrasher(t, n, 3)
	blocks := keepsAsking(t, desk)
	stages := map[string]int{}
	for k := 0; k < points; k += stride {
		stage := c.crashes(t, k)
		stages[stage]++
		t.Logf("ended at place %d: %s", k, stage)
		if full {
			n.turn(t, "start", c.number)
			c.agrees(t, from)
			n.turn(t, "stop", c.number)
			c.signsOnward(t)
		}
	}
	blocks()
	c.sets(t, c.was)
	n.turn(t, "start", c.number)
	c.agrees(t, from)
	for _, s := range crashStages {
		require.True(t, !full || stages[s.name] > 0, "none ended when it had %s: %v", s.name, stages)
	}
	m, err := desk.Member(t.Context(), uint64(c.number))
	require.NoError(t, err)
	require.Equal(t, consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE, m.GetStatus(), "who signs twice is suspended")
}

// Alone a validator passes the places one after another, whatever the machine does: it ends at each of them and goes on from there, and
// the blocks that it had made stay.
func TestValidatorAloneEndsAtEachCrashPoint(t *testing.T) {
	t.Parallel()
	c, log := newCrasherAlone(t), filepath.Join(t.TempDir(), "log")
	blocks := map[int64]block{}
	for k, want := range crashPlaces {
		for stage, try := "", 1; stage != want; try++ {
			require.LessOrEqual(t, try, crashTries, "place %d was %s", k, stage)
			stage = c.crashes(t, k)
			t.Logf("ended at place %d: %s", k, stage)
			stop := c.serves(t, log)
			eventually(t, crashTime, "it goes on", func() bool { return c.runs(t, "status").code == 0 })
			c.agrees(t, 1)
			c.keeps(t, blocks)
			require.Zero(t, stop())
			c.signsOnward(t)
		}
	}
	require.NotEmpty(t, blocks)
}

// newCrasherAlone makes a network of one hospital.
func newCrasherAlone(t *testing.T) *crasher {
	t.Helper()
	p := newOperator(t)
	offset, err := freeOffset()
	require.NoError(t, err)
	p.does(t, nil, initArguments("Hospital", offset)...)
	var n assembledNetwork
	p.does(t, &n, "network", "assemble", "--out", filepath.Join(filepath.Dir(p.home), "network"), filepath.Join(p.home, "member.json"))
	p.does(t, nil, "init", "--genesis", n.Genesis, "--hash", n.Hash)
	p.sets(t, crashSettings)
	p.sets(t, map[string]string{"create_empty_blocks_interval": "500ms"})
	// What it signed is there from the first block on.
	stop := p.serves(t, filepath.Join(t.TempDir(), "log"))
	eventually(t, crashTime, "it is ready", func() bool { return p.runs(t, "status").code == 0 })
	require.Zero(t, stop())
	return &crasher{person: p, net: &localNet{offset: offset}, number: 1}
}

// keeps checks that the blocks that it had are those that it has, and notes the newer ones.
func (c *crasher) keeps(t *testing.T, blocks map[int64]block) {
	t.Helper()
	var now appState
	require.NoError(t, c.net.rpc(t, c.number, "abci_info", &now))
	for height := int64(1); height <= now.Response.Height; height++ {
		var b block
		require.NoError(t, c.net.rpc(t, c.number, fmt.Sprintf("block?height=%d", height), &b))
		if old, ok := blocks[height]; ok {
			require.Equal(t, old, b, "height %d", height)
		}
		blocks[height] = b
	}
}

// keepsAsking has blocks come, by transactions, until it is told to end.
func keepsAsking(t *testing.T, desk *phr.Client) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			if _, err := desk.Invite(ctx, time.Hour); err != nil && ctx.Err() == nil {
				t.Errorf("three of four hospitals carry nothing out: %v", err)
				return
			}
		}
	})
	return func() { cancel(); asking.Wait() }
}
