package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/statesync"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
)

const (
	// offerTime is how long the other hospitals' nodes, once there is a connection, may take to offer a snapshot.
	offerTime = time.Minute
	// stallTime is how long a part of a snapshot may take.
	stallTime = 5 * time.Minute
	// checkPause is the time between two looks at how far a fetch is.
	checkPause = time.Second
)

var (
	errNoOffer = errors.New("no other hospital's node offers a snapshot that can be verified")
	errStalled = errors.New("the parts of the snapshot do not come")
)

// status is what a server waits for, for people to read.
type status struct {
	mu   sync.Mutex
	text string
}

func (s *status) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

func (s *status) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// fetch fetches a state of the chain as a snapshot from the nodes of other hospitals.
type fetch struct {
	provider statesync.StateProvider
	waits    *status

	mu      sync.Mutex
	height  uint64
	parts   uint32
	applied uint32
	moved   time.Time // when there was last something new; zero before a snapshot was offered
}

// fetched is the application of a node that fetches a state: it tells how far that is.
type fetched struct {
	servertypes.ABCI
	fetch *fetch
}

// OfferSnapshot implements servertypes.ABCI.
func (f fetched) OfferSnapshot(request *abci.RequestOfferSnapshot) (*abci.ResponseOfferSnapshot, error) {
	response, err := f.ABCI.OfferSnapshot(request)
	if err == nil && response.Result == abci.ResponseOfferSnapshot_ACCEPT {
		f.fetch.offered(request.Snapshot.Height, request.Snapshot.Chunks)
	}
	return response, err
}

// ApplySnapshotChunk implements servertypes.ABCI.
func (f fetched) ApplySnapshotChunk(request *abci.RequestApplySnapshotChunk) (*abci.ResponseApplySnapshotChunk, error) {
	response, err := f.ABCI.ApplySnapshotChunk(request)
	if err == nil && response.Result == abci.ResponseApplySnapshotChunk_ACCEPT {
		f.fetch.took()
	}
	return response, err
}

func (f *fetch) offered(height uint64, parts uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.height, f.parts, f.applied, f.moved = height, parts, 0, time.Now()
}

func (f *fetch) took() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied++
	f.moved = time.Now()
}

// wait waits until the node has committed a block after the state that it fetched. The errors are for a fetch that comes to nothing.
func (f *fetch) wait(ctx context.Context, ch *chain, committed <-chan struct{}) error {
	var connected time.Time
	for {
		select {
		case <-committed:
			return nil
		case <-ch.node.Quit():
			return errors.New("the chain's node stopped by itself")
		default:
		}
		if connected.IsZero() && ch.isAdmitted() {
			connected = time.Now()
		}
		if err := f.check(connected); err != nil {
			return err
		}
		if !sleep(ctx, checkPause) {
			return ctx.Err()
		}
	}
}

// check says how far the fetch is, and returns an error where it does not go on. connected is when the first connection was there.
func (f *fetch) check(connected time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case connected.IsZero():
		f.waits.say("waits for a connection to the nodes of the hospitals")
	case f.moved.IsZero() && time.Since(connected) > offerTime:
		return errNoOffer
	case f.moved.IsZero():
		f.waits.say("asks the nodes of the hospitals for the state of the chain")
	case time.Since(f.moved) > stallTime:
		return fmt.Errorf("%w: %d of %d of block %d", errStalled, f.applied, f.parts, f.height)
	default:
		f.waits.say(fmt.Sprintf("fetches the state of the chain after block %d: %d of %d parts", f.height, f.applied, f.parts))
	}
	return nil
}
