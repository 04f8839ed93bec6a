package ipfs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// maxSources is how many peers a fetch asks at the same time.
	maxSources = 8
	// heldBlocks is how many blocks a fetch has in memory: one that each source may be
	// sending, and those that are hashed and written.
	heldBlocks = 2 * maxSources
	// hashers is how many blocks are hashed at the same time.
	hashers = 2
)

// swarm fetches the leaves of an object from several peers at once.
type swarm struct {
	node *Node
	plan *plan
	once bool
	// places has one place for each source, held one for each block in memory.
	places, held chan struct{}
	arrived      chan arrival
	checked      chan arrival
	pending      atomic.Int64 // blocks between a source and the store
	last         atomic.Int64 // when the last piece of a block came, in unix nanoseconds
}

// arrival is a leaf that a source has sent.
type arrival struct {
	leaf   int
	source *source
	buffer *[bufferSize]byte
	length int
	right  bool // its bytes have the hash that was asked for
}

// wants are the blocks that a swarm is to fetch.
type wants struct {
	// name stands for the whole list, the same at all nodes that fetch it.
	name lock.CID
	cids []lock.CID
	// held are those that are here already; nil if none is.
	held []bool
	// once says that no peer is asked again for what it has refused.
	once bool
}

// stream fetches blocks over streams and hands over each, hashed, as it comes; the bytes are
// the swarm's again after the call. What none of the peers has sent is left, for those that
// speak bitswap only. Errors are ErrUnreachable, ErrUnavailable when no peer sent anything
// for the patience of the node, and those of take.
func (f *fetcher) stream(ctx context.Context, w wants, take func(lock.CID, []byte) error) (left []lock.CID, err error) {
	s := &swarm{
		node: f.node, plan: newPlan(w, f.node.PeerID()), once: w.once,
		places: make(chan struct{}, maxSources), held: make(chan struct{}, heldBlocks),
		arrived: make(chan arrival, heldBlocks), checked: make(chan arrival, heldBlocks),
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range hashers {
		group.Go(func() { s.hash(ctx) })
	}
	others := f.others()
	ended := make(chan error, len(others))
	for _, info := range others {
		group.Go(func() { ended <- s.use(ctx, info) })
	}
	return s.collect(ctx, len(others), ended, take, f.save)
}

// collect hands over what was hashed until all is there, or until the peers can give no more.
// From time to time it calls save.
func (s *swarm) collect(ctx context.Context, sources int, ended <-chan error, take func(lock.CID, []byte) error, save func(context.Context) error) ([]lock.CID, error) {
	patience := time.NewTimer(s.node.patience)
	defer patience.Stop()
	due := time.NewTicker(syncedAfter)
	defer due.Stop()
	var errs []error
	apart, mute := 0, false
	for {
		if sources == apart && sources == len(errs) {
			return nil, unreachable(errs)
		}
		if sources == len(errs) && s.pending.Load() == 0 {
			return s.plan.missing(), nil
		}
		select {
		case a := <-s.checked:
			open, err := s.settle(a, take)
			if err != nil || open == 0 {
				return nil, err
			}
			s.moved() // a slow disk is no fault of the peers
		case err := <-ended:
			errs = append(errs, err)
			mute = mute || errors.Is(err, errMute)
			if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotAllowed) {
				apart++
			}
		case <-s.plan.resting:
			if (mute || s.once) && s.pending.Load() == 0 && s.plan.stuck() {
				return s.plan.missing(), nil
			}
		case <-due.C:
			if err := save(ctx); err != nil {
				return nil, err
			}
		case <-patience.C:
			if waited := time.Since(time.Unix(0, s.last.Load())); waited < s.node.patience {
				patience.Reset(s.node.patience - waited)
				continue
			}
			err := fmt.Errorf("%d blocks did not come, nothing for %s: %w", len(s.plan.missing()), s.node.patience, ErrUnavailable)
			return nil, errors.Join(err, errors.Join(errs...))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// settle hands over one leaf, or drops the source of a wrong one. It returns how many leaves
// have not come.
func (s *swarm) settle(a arrival, take func(lock.CID, []byte) error) (open int, err error) {
	defer s.pending.Add(-1)
	defer s.giveBack(a)
	c := s.plan.leaves[a.leaf].cid
	if !a.right {
		a.source.drop(fmt.Errorf("other bytes for %s: %w", c, errWrong))
		return s.plan.reopen(a.leaf), nil
	}
	if err := take(c, a.buffer[:a.length]); err != nil {
		return 0, err
	}
	return s.plan.finish(), nil
}

// moved notes that a peer sent something.
func (s *swarm) moved() { s.last.Store(time.Now().UnixNano()) }

// use asks one peer for leaves as long as it has any.
func (s *swarm) use(ctx context.Context, info peer.AddrInfo) error {
	if err := s.node.Connect(ctx, info); err != nil {
		return err
	}
	s.plan.crowd(1)
	select {
	case s.places <- struct{}{}:
		s.plan.crowd(-1)
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.places }()
	ctx, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	source := &source{node: s.node, peer: info.ID, plan: s.plan, swarm: s, drop: drop}
	s.plan.join(source)
	defer s.plan.leave(source)
	err := source.run(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, errWrong) {
		err = cause
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, errWrong) {
		s.node.traffic.wrong.Add(1)
	}
	return fmt.Errorf("peer %s: %w", info.ID, err)
}

// hash hashes blocks until ctx ends.
func (s *swarm) hash(ctx context.Context) {
	for {
		select {
		case a := <-s.arrived:
			a.right = blob.Matches(s.plan.leaves[a.leaf].cid, a.buffer[:a.length])
			s.checked <- a // there is room for all that are held
		case <-ctx.Done():
			return
		}
	}
}

// hold waits until another block may be in memory.
func (s *swarm) hold(ctx context.Context) (*[bufferSize]byte, error) {
	select {
	case s.held <- struct{}{}:
		return buffers.Get().(*[bufferSize]byte), nil //nolint:errcheck,forcetypeassert // the pool holds nothing else
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *swarm) giveBack(a arrival) {
	buffers.Put(a.buffer)
	<-s.held
}

// check passes a block on to be hashed.
func (s *swarm) check(a arrival) {
	s.pending.Add(1)
	s.arrived <- a // there is room for all that are held
}
