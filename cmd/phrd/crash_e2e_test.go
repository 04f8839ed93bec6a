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
	// crashStride leaves out every second place in the short form.
	crashStride = 2
	// crashTime is how long a server may take until it passes its crash point, or until it has caught up.
	crashTime = 2 * time.Minute
)

// crashStage is how far the newest block had come when a validator ended, by the last of these lines in its log.
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
	log    string
	last   signed
}

// newCrasher stops a hospital and has it log what CometBFT does with each block, until the test ends.
func newCrasher(t *testing.T, n *localNet, number int) *crasher {
	t.Helper()
	c := &crasher{person: n.hospital(number), net: n, number: number, log: filepath.Join(t.TempDir(), "log")}
	n.turn(t, "stop", number)
	path := filepath.Join(c.home, "config", "config.toml")
	was, err := os.ReadFile(path)
	require.NoError(t, err)
	begin := bytes.Index(was, []byte("\nlog_level = "))
	require.Positive(t, begin)
	end := begin + 1 + bytes.IndexByte(was[begin+1:], '\n')
	text := append(bytes.Clone(was[:begin]), "\nlog_level = \"consensus:debug,state:info,*:error\""...)
	require.NoError(t, os.WriteFile(path, append(text, was[end:]...), 0o600))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, was, 0o600)) })
	return c
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

// signsOnward checks that the validator signed nothing for a step that lies before one for which it has signed.
func (c *crasher) signsOnward(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.home, "data", "priv_validator_state.json"))
	require.NoError(t, err)
	var now signed
	require.NoError(t, json.Unmarshal(text, &now))
	require.False(t, now.before(c.last), "signed %+v after %+v", now, c.last)
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

// A validator ends at each place at which CometBFT may leave a vote, a block or the state half written. Started again it goes on, and
// what it finds is what the others have. `make drill-crash` walks all places, and lets it catch up between any two.
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
	n.turn(t, "start", c.number)
	c.agrees(t, from)
	require.Greater(t, len(stages), 1, "all ended at the same stage")
	for _, s := range crashStages {
		require.True(t, !full || stages[s.name] > 0, "none ended when it had %s: %v", s.name, stages)
	}
	m, err := desk.Member(t.Context(), uint64(c.number))
	require.NoError(t, err)
	require.Equal(t, consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE, m.GetStatus(), "who signs twice is suspended")
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
