package node_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/node"
)

// quiet returns a log that a test shows only when it is verbose.
func quiet(t *testing.T) *slog.Logger {
	t.Helper()
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// confirmation is a message that a chain with one node and one object carries out.
func confirmation(t *testing.T, l *ledger, c *node.Client) *storagev1.MsgConfirmCopies {
	t.Helper()
	number := l.addNode(c.Account(), "", "")
	id, _ := blobtest.Block(1, 100)
	l.place(&storagev1.Object{Cid: id.String(), Size: 100}, number)
	return &storagev1.MsgConfirmCopies{Node: c.Account(), Objects: []string{id.String()}}
}

// submission is a Submit under way.
type submission struct {
	result node.Result
	err    error
	done   chan struct{}
}

func submit(ctx context.Context, c *node.Client, message proto.Message) *submission {
	s := &submission{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.result, s.err = c.Submit(ctx, message)
	}()
	return s
}

func (s *submission) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func TestSubmitReturnsWhatBecameOfAMessage(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	c := l.client(t, newKey(t), nil)
	message := confirmation(t, l, c)
	result, err := c.Submit(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	var response storagev1.MsgConfirmCopiesResponse
	if err := result.Response(&response); err != nil {
		t.Fatal(err)
	}
	if r := response.GetResults(); len(r) != 1 || r[0].GetOutcome() != auditv1.Outcome_OUTCOME_OK || r[0].GetObject() != message.GetObjects()[0] {
		t.Errorf("results %v", r)
	}
	if result.Height <= 10 || len(result.Hash) != 64 {
		t.Errorf("included at %d as %s", result.Height, result.Hash)
	}
	if err := result.Response(&storagev1.MsgReportLostCopiesResponse{}); err == nil {
		t.Error("read as the response of another message")
	}
}

func TestManySubmissionsAtOnceAreAllCarriedOut(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	c := l.client(t, newKey(t), nil)
	message := confirmation(t, l, c)
	const many = 40
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			if _, err := c.Submit(t.Context(), message); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	// Had two had the same timeout, one would have been refused and sent again.
	if sent := l.broadcasts(); sent != many || len(l.batches) != many {
		t.Errorf("%d sent, %d carried out, want %d", sent, len(l.batches), many)
	}
}

func TestNothingIsSentWhileTheNodeIsNotReady(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(l *ledger)
		cure  func(l *ledger)
	}{
		{"before the first block after a start", func(*ledger) {}, (*ledger).commit},
		{"while it is catching up", func(l *ledger) {
			l.set(func() { l.catchingUp = true })
			l.commit()
		}, func(l *ledger) { l.set(func() { l.catchingUp = false }) }},
		{"while its last block is old", func(l *ledger) { l.commitAt(time.Now().Add(-node.MaxHeadAge - time.Second)) }, (*ledger).commit},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t)
			var asked atomic.Int64
			l.set(func() {
				l.broken = func(method string) error {
					if method == "/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock" {
						asked.Add(1)
					}
					return nil
				}
			})
			c := l.client(t, newKey(t), nil)
			message := confirmation(t, l, c)
			if _, err := c.Ready(t.Context()); !errors.Is(err, node.ErrNotReady) {
				t.Errorf("at the start: got %v, want %v", err, node.ErrNotReady)
			}
			test.spoil(l)
			if _, err := c.Ready(t.Context()); !errors.Is(err, node.ErrNotReady) {
				t.Errorf("got %v, want %v", err, node.ErrNotReady)
			}
			s := submit(t.Context(), c, message)
			eventually(t, "the client has asked ten times", func() bool { return asked.Load() > 10 })
			if sent := l.broadcasts(); sent != 0 || !s.running() {
				t.Fatalf("%d transactions were sent, running %t", sent, s.running())
			}
			test.cure(l)
			eventually(t, "the transaction is sent", func() bool { return l.broadcasts() == 1 })
			l.commit()
			<-s.done
			if s.err != nil {
				t.Error(s.err)
			}
		})
	}
}

func TestSubmitEndsWithItsContext(t *testing.T) {
	l := newLedger(t)
	c := l.client(t, newKey(t), nil)
	message := confirmation(t, l, c)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Submit(ctx, message); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, node.ErrNotReady) {
		t.Errorf("got %v, want %v and why", err, context.DeadlineExceeded)
	}
}

func TestRefusalsThatPassAreTriedAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		err  node.TxError
		want error
	}{
		{"full mempool", node.TxError{Codespace: "sdk", Code: 20, Log: "mempool is full"}, nil},
		{"used-up rate", node.TxError{Codespace: "consortium", Code: 3, Log: "too many messages, try again later"}, nil},
		{"a node that just started", node.TxError{Codespace: "sdk", Code: 18, Log: "unordered tx ttl exceeds 10m0s: invalid request"}, nil},
		{"twin: unauthorized", node.TxError{Codespace: "consortium", Code: 4, Log: "signer may not do this"}, node.ErrRefused},
		{"twin: invalid request", node.TxError{Codespace: "sdk", Code: 18, Log: "invalid request"}, node.ErrRefused},
		{"twin: out of gas", node.TxError{Codespace: "sdk", Code: 11, Log: "out of gas"}, node.ErrRefused},
	} {
		for _, where := range []string{"mempool", "block"} {
			t.Run(test.name+" in the "+where, func(t *testing.T) {
				l := newLedger(t)
				l.commitAlways()
				c := l.client(t, newKey(t), nil)
				message := confirmation(t, l, c)
				refusals := 0
				refuse := func() *node.TxError {
					if refusals == 1 {
						return nil
					}
					refusals++
					return &test.err
				}
				l.set(func() {
					if where == "mempool" {
						l.check = func(int) *node.TxError { return refuse() }
					} else {
						l.deliver = func(proto.Message) *node.TxError { return refuse() }
					}
				})
				_, err := c.Submit(t.Context(), message)
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				var refused *node.TxError
				if test.want != nil && (!errors.As(err, &refused) || *refused != test.err) {
					t.Errorf("refusal is %v", refused)
				}
				want := 2
				if test.want != nil {
					want = 1
				}
				if sent := l.broadcasts(); sent != want {
					t.Errorf("%d transactions were sent, want %d", sent, want)
				}
			})
		}
	}
}

func TestLostConnectionIsTriedAgain(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	c := l.client(t, newKey(t), nil)
	message := confirmation(t, l, c)
	failures := map[string]int{}
	l.set(func() {
		l.broken = func(method string) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			if failures[method]++; failures[method] <= 1 {
				return status.Error(codes.Unavailable, "connection refused")
			}
			return nil
		}
	})
	if _, err := c.Submit(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if len(failures) < 5 {
		t.Errorf("only %v failed", failures)
	}
	if len(l.batches) != 1 {
		t.Errorf("carried out %d times", len(l.batches))
	}
}

// clock is a clock that a test can turn.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func TestTransactionThatTheMempoolLostIsSentAgain(t *testing.T) {
	l := newLedger(t)
	var watch clock
	c := l.client(t, newKey(t), func(config *node.ClientConfig) { config.Now = watch.now })
	message := confirmation(t, l, c)
	if _, err := c.Ready(t.Context()); !errors.Is(err, node.ErrNotReady) {
		t.Fatal(err)
	}
	l.commit()
	s := submit(t.Context(), c, message)
	eventually(t, "the transaction is sent", func() bool { return l.broadcasts() == 1 })
	l.set(func() { l.mempool = nil })
	watch.ahead.Store(int64(11 * time.Second))
	eventually(t, "the transaction is sent again", func() bool { return l.broadcasts() == 2 })
	l.commitAt(watch.now())
	<-s.done
	if s.err != nil || len(l.batches) != 1 {
		t.Errorf("carried out %d times, %v", len(l.batches), s.err)
	}
}

func TestTransactionThatWasNotIncludedInTimeIsSignedAnew(t *testing.T) {
	l := newLedger(t)
	var watch clock
	c := l.client(t, newKey(t), func(config *node.ClientConfig) { config.Now = watch.now })
	message := confirmation(t, l, c)
	if _, err := c.Ready(t.Context()); !errors.Is(err, node.ErrNotReady) {
		t.Fatal(err)
	}
	l.commit()
	s := submit(t.Context(), c, message)
	eventually(t, "the transaction is sent", func() bool { return l.broadcasts() == 1 })
	l.set(func() { l.mempool = nil })
	watch.ahead.Store(int64(node.TxLifetime + time.Minute))
	l.commitAt(watch.now())
	eventually(t, "another transaction waits", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.mempool) > 0
	})
	l.commitAt(watch.now())
	<-s.done
	if s.err != nil || len(l.batches) != 1 {
		t.Errorf("carried out %d times, %v", len(l.batches), s.err)
	}
}

// header is the header of the newest block. The caller holds l.mu.
func (l *ledger) header() *cmttypes.Header {
	return &cmttypes.Header{ChainID: chainID, Height: l.height, Time: l.time, ValidatorsHash: []byte{1}}
}

// signers signs blocks of a ledger with some of its validators.
type signers struct {
	l       *ledger
	set     *cmttypes.ValidatorSet
	private []cmttypes.PrivValidator
	sign    int                                      // how many sign
	tamper  func(*cmttypes.Header, *cmttypes.Commit) // nil for an honest commit
}

func newSigners(l *ledger, sign int) *signers {
	set, private := cmttypes.RandValidatorSet(4, 10)
	return &signers{l: l, set: set, private: private, sign: sign}
}

// Commit implements node.Commits.
func (s *signers) Commit(_ context.Context, height *int64) (*coretypes.ResultCommit, error) {
	s.l.mu.Lock()
	header := s.l.header()
	s.l.mu.Unlock()
	if header.Height != *height {
		return nil, errors.New("no such block")
	}
	id := cmttypes.BlockID{Hash: header.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: header.Hash()}}
	commit := &cmttypes.Commit{Height: *height, BlockID: id}
	for i, private := range s.private {
		if i >= s.sign {
			commit.Signatures = append(commit.Signatures, cmttypes.NewCommitSigAbsent())
			continue
		}
		vote, err := cmttypes.MakeVote(private, chainID, int32(i), *height, 0, 2, id, header.Time)
		if err != nil {
			return nil, err
		}
		commit.Signatures = append(commit.Signatures, vote.CommitSig())
	}
	if s.tamper != nil {
		s.tamper(header, commit)
	}
	return coretypes.NewResultCommit(header, commit, true), nil
}

// Validators implements node.Commits, two a page.
func (s *signers) Validators(_ context.Context, height *int64, page, _ *int) (*coretypes.ResultValidators, error) {
	part := s.set.Validators[2*(*page-1) : 2**page]
	return &coretypes.ResultValidators{BlockHeight: *height, Validators: part, Count: 2, Total: 4}, nil
}

func TestHeadIsSignedByOverTwoThirds(t *testing.T) {
	for _, test := range []struct {
		name   string
		sign   int
		tamper func(*cmttypes.Header, *cmttypes.Commit)
		want   error
	}{
		{"three of four", 3, nil, nil},
		{"four of four", 4, nil, nil},
		{"two of four", 2, nil, node.ErrNotReady},
		{"nobody", 0, nil, node.ErrNotReady},
		{"one signature is of another", 3, func(_ *cmttypes.Header, c *cmttypes.Commit) {
			c.Signatures[1].Signature = c.Signatures[0].Signature
		}, node.ErrNotReady},
		{"another block", 4, func(h *cmttypes.Header, _ *cmttypes.Commit) { h.AppHash = []byte{7} }, node.ErrNotReady},
		{"commit for another block", 4, func(_ *cmttypes.Header, c *cmttypes.Commit) { c.BlockID.Hash = make([]byte, 32) }, node.ErrNotReady},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t)
			signed := newSigners(l, test.sign)
			signed.tamper = test.tamper
			c := l.client(t, newKey(t), func(config *node.ClientConfig) { config.Commits = signed })
			if head, err := c.Ready(t.Context()); !errors.Is(err, node.ErrNotReady) || head.Signed {
				t.Errorf("at the start: signed %t, %v", head.Signed, err)
			}
			l.commit()
			head, err := c.Ready(t.Context())
			if !errors.Is(err, test.want) || head.Signed != (test.want == nil) {
				t.Errorf("signed %t, %v, want %v", head.Signed, err, test.want)
			}
		})
	}
	// Without anybody to ask a head is never said to be signed.
	l := newLedger(t)
	c := l.client(t, newKey(t), nil)
	if _, err := c.Ready(t.Context()); !errors.Is(err, node.ErrNotReady) {
		t.Errorf("got %v, want %v", err, node.ErrNotReady)
	}
	l.commit()
	if head, err := c.Ready(t.Context()); err != nil || head.Signed || head.Height != 11 || head.ChainID != chainID {
		t.Errorf("head %+v, %v", head, err)
	}
}

func TestBellLosesNoRing(t *testing.T) {
	var b node.Bell
	first := b.Rung()
	b.Ring()
	<-first // a ring between taking the channel and listening is heard
	second := b.Rung()
	select {
	case <-second:
		t.Error("an old ring is heard again")
	default:
	}
	b.Ring()
	b.Ring() // nobody listens; it does not block
	<-second
}

func TestClientNeedsConnectionAndKey(t *testing.T) {
	l := newLedger(t)
	if _, err := node.NewClient(node.ClientConfig{Key: newKey(t)}); err == nil {
		t.Error("made without a connection")
	}
	if _, err := node.NewClient(node.ClientConfig{Conn: dial(t, l.address)}); err == nil {
		t.Error("made without a key")
	}
}
