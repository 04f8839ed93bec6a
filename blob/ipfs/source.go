package ipfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	// askedStreams is how many streams a node has open to one peer at the same time, below
	// servedStreams, since the far side notices a little later that one has ended.
	askedStreams = 6
	// askedLists is how many requests are under way on one stream.
	askedLists = 2
)

var (
	// errWrong says that a peer sent what is not the block that it was asked for.
	errWrong = errors.New("peer sent something else than the block")
	// errMute says that a peer is connected, but can't be asked over the object protocol.
	errMute = errors.New("peer does not speak the object protocol")
)

// source is a peer of which leaves are asked over a stream.
type source struct {
	node  *Node
	peer  peer.ID
	plan  *plan
	swarm *swarm
	// drop ends the use of the peer.
	drop context.CancelCauseFunc

	// The plan guards the rest.
	theirs  walk          // the order in which the peer itself fetches
	partial bool          // the peer lacked something: it is asked for what it has first
	useful  bool          // the peer has sent something
	asked   []int         // leaves that it was asked for, in order
	size    int           // how many it is asked for at once
	pace    time.Duration // what a leaf takes
	since   time.Time     // when it last answered, or began to be asked
	pause   time.Duration // before it is asked again
	resume  time.Time     // when that is, after it had nothing; else zero
}

// expected is how long s probably takes for each leaf, as it looks now. The caller holds the
// mutex of the plan.
func (s *source) expected(now time.Time) time.Duration {
	return max(s.pace, now.Sub(s.since))
}

// run asks the peer for leaves until the fetch is over. Errors are errMute, errWrong, and
// those of the connection.
func (s *source) run(ctx context.Context) error {
	list := s.plan.next(ctx, s, true)
	if len(list) == 0 {
		return ctx.Err()
	}
	release, err := s.node.asking.take(ctx, s.peer)
	if err != nil {
		return err
	}
	defer release()
	stream, err := s.node.stream(ctx, s.peer)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() }) // ends the reads and writes below
	defer stop()
	if err := s.ask(ctx, stream, list); err != nil {
		// Nothing more is read of what the peer sends.
		_ = stream.Reset()
		return err
	}
	return stream.Close()
}

// ask asks for lists of leaves, the next one while one arrives.
func (s *source) ask(ctx context.Context, stream network.Stream, list []int) error {
	r := bufio.NewReader(stream)
	s.plan.begins(s, time.Now())
	var lists [][]int
	for {
		for len(lists) < askedLists {
			if list == nil {
				list = s.plan.next(ctx, s, len(lists) == 0)
			}
			if len(list) == 0 {
				break
			}
			if err := s.request(stream, list); err != nil {
				return err
			}
			lists = append(lists, list)
			list = nil
		}
		if len(lists) == 0 {
			return ctx.Err()
		}
		had := false
		for _, i := range lists[0] {
			sent, err := s.receive(ctx, stream, r, i)
			if err != nil {
				return err
			}
			had = had || sent
		}
		s.plan.grow(s, had)
		lists = lists[1:]
		list = nil
	}
}

// request asks for a list of leaves.
func (s *source) request(stream network.Stream, list []int) error {
	cids := make([]lock.CID, len(list))
	for n, i := range list {
		cids[n] = s.plan.leaves[i].cid
	}
	if err := stream.SetWriteDeadline(time.Now().Add(s.node.patience)); err != nil {
		return err
	}
	_, err := stream.Write(appendRequest(nil, cids))
	return err
}

// receive takes the answer for a leaf. It tells whether the peer had it.
func (s *source) receive(ctx context.Context, stream network.Stream, r *bufio.Reader, i int) (bool, error) {
	if err := stream.SetReadDeadline(time.Now().Add(s.node.patience)); err != nil {
		return false, err
	}
	want := s.plan.leaves[i].cid
	c, length, err := car.ReadPrefix(r)
	if errors.Is(err, car.ErrFormat) || errors.Is(err, lock.ErrCID) || err == nil && c != want {
		return false, fmt.Errorf("section of %d bytes for %s instead of %s: %w", length, c, want, errors.Join(errWrong, err))
	} else if err != nil {
		return false, err
	}
	if length == 0 {
		s.plan.refuses(i, s, time.Now())
		return false, nil
	}
	if !s.plan.wanted(i) {
		err := s.pieces(ctx, stream, length, func(start, end int) error { _, err := r.Discard(end - start); return err })
		if err == nil {
			s.plan.comes(i, s, time.Now())
		}
		return true, err
	}
	a := arrival{leaf: i, source: s, length: length}
	if a.buffer, err = s.swarm.hold(ctx); err != nil {
		return false, err
	}
	err = s.pieces(ctx, stream, length, func(start, end int) error { _, err := io.ReadFull(r, a.buffer[start:end]); return err })
	if err != nil || !s.plan.comes(i, s, time.Now()) {
		s.swarm.giveBack(a)
		return true, err
	}
	s.swarm.check(a)
	return true, nil
}

// pieces takes a block piece by piece, no faster than the node may fetch. Each piece has to
// come within the patience of the node.
func (s *source) pieces(ctx context.Context, stream network.Stream, length int, take func(start, end int) error) error {
	for start := 0; start < length; start += pieceSize {
		end := min(start+pieceSize, length)
		if err := s.node.fetchRate.WaitN(ctx, end-start); err != nil {
			return err
		}
		if err := stream.SetReadDeadline(time.Now().Add(s.node.patience)); err != nil {
			return err
		}
		if err := take(start, end); err != nil {
			return err
		}
		s.node.traffic.fetched.Add(uint64(end - start))
		s.swarm.moved()
	}
	return nil
}

// asking bounds the streams to each peer.
type asking struct {
	mu     sync.Mutex
	byPeer map[peer.ID]chan struct{}
}

// take waits until another stream to a peer may be opened. The caller calls release when that
// has ended.
func (a *asking) take(ctx context.Context, p peer.ID) (release func(), err error) {
	a.mu.Lock()
	places, ok := a.byPeer[p]
	if !ok {
		if a.byPeer == nil {
			a.byPeer = map[peer.ID]chan struct{}{}
		}
		places = make(chan struct{}, askedStreams)
		a.byPeer[p] = places
	}
	a.mu.Unlock()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stream opens a stream of the object protocol to a connected peer.
func (n *Node) stream(ctx context.Context, p peer.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "the peer is connected"), n.patience)
	defer cancel()
	stream, err := n.host.NewStream(ctx, p, objectProtocol)
	if err == nil {
		return stream, nil
	}
	if known, bookErr := n.host.Peerstore().SupportsProtocols(p, objectProtocol); bookErr == nil && len(known) == 0 {
		err = errors.Join(errMute, err)
	}
	return nil, err
}
