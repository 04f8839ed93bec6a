package ipfs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	// servedStreams is how many streams of one peer are served at the same time.
	servedStreams = 8
	// servedBlocks is how many blocks are in memory for all peers together.
	servedBlocks = 64
	// idleFor is how long a stream waits for the next request.
	idleFor = 2 * time.Minute
)

// server answers the object protocol.
type server struct {
	node   *Node
	ctx    context.Context // ends with the node
	blocks chan struct{}   // one place for each block in memory

	mu      sync.Mutex
	streams map[peer.ID]int
}

func newServer(ctx context.Context, n *Node) *server {
	return &server{node: n, ctx: ctx, blocks: make(chan struct{}, servedBlocks), streams: map[peer.ID]int{}}
}

// handle serves one stream to its end.
func (s *server) handle(stream network.Stream) {
	p := stream.Conn().RemotePeer()
	if !s.enter(p) {
		// The peer sees it, or is gone.
		_ = stream.Reset()
		return
	}
	defer s.leave(p)
	if err := s.serve(stream); err != nil {
		_ = stream.Reset()
		return
	}
	_ = stream.Close()
}

// enter tells whether a stream of a peer is served.
func (s *server) enter(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A connection that was admitted just before its peer left the list may be open still.
	if !s.node.gate.admits(p) || s.streams[p] == servedStreams {
		return false
	}
	s.streams[p]++
	return true
}

func (s *server) leave(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[p]--; s.streams[p] == 0 {
		delete(s.streams, p)
	}
}

// section is one answer, in a buffer that is given back.
type section struct {
	buffer *[bufferSize]byte
	length int
	block  int // how much of it is the block
}

// serve answers requests until the peer closes its side. While one block is sent, the next is
// read from the store.
func (s *server) serve(stream network.Stream) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() }) // ends the reads and writes below
	defer stop()
	sections := make(chan section)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(sections)
		if err := s.read(ctx, stream, sections); err != nil {
			cancel(err)
		}
	})
	for next := range sections {
		if ctx.Err() == nil {
			if err := s.send(ctx, stream, next); err != nil {
				cancel(err)
			}
		}
		s.giveBack(next)
	}
	group.Wait()
	return context.Cause(ctx)
}

// read reads requests, and the blocks that they name.
func (s *server) read(ctx context.Context, stream network.Stream, to chan<- section) error {
	r := bufio.NewReaderSize(stream, 1+maxWants*cidSize)
	for {
		if err := stream.SetReadDeadline(time.Now().Add(idleFor)); err != nil {
			return err
		}
		cids, err := readRequest(r)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for _, c := range cids {
			next, err := s.answer(ctx, c)
			if err != nil {
				return err
			}
			select {
			case to <- next:
			case <-ctx.Done():
				s.giveBack(next)
				return context.Cause(ctx)
			}
		}
	}
}

// answer reads one block and builds the section for it.
func (s *server) answer(ctx context.Context, c lock.CID) (section, error) {
	size, err := s.node.store.Size(ctx, c)
	if err != nil && !absent(err) {
		return section{}, err
	}
	select {
	case s.blocks <- struct{}{}:
	case <-ctx.Done():
		return section{}, context.Cause(ctx)
	}
	next := section{buffer: buffers.Get().(*[bufferSize]byte)} //nolint:errcheck,forcetypeassert // the pool holds nothing else
	b := car.AppendPrefix(next.buffer[:0], c, size)
	prefix := len(b)
	if size > 0 {
		b, err = s.append(ctx, c, b)
	}
	if err != nil && !absent(err) {
		s.giveBack(next)
		return section{}, err
	}
	if err != nil {
		// What was found damaged just now is as good as none.
		b = car.AppendPrefix(next.buffer[:0], c, 0)
		prefix = len(b)
	}
	next.length, next.block = len(b), len(b)-prefix
	return next, nil
}

// append reads a block behind b. The receiver hashes it, so it is not hashed here where the
// store can do without.
func (s *server) append(ctx context.Context, c lock.CID, b []byte) ([]byte, error) {
	if reader, ok := s.node.store.(blob.UncheckedReader); ok {
		return reader.AppendUnchecked(ctx, c, b)
	}
	block, err := s.node.store.Get(ctx, c)
	return append(b, block...), err
}

// absent tells whether an error says that the block is not here.
func absent(err error) bool {
	return errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt)
}

// send writes a section, piece by piece as the rate allows.
func (s *server) send(ctx context.Context, stream network.Stream, next section) error {
	for start := 0; start < next.length; start += pieceSize {
		piece := next.buffer[start:min(start+pieceSize, next.length)]
		if err := s.node.sendRate.WaitN(ctx, len(piece)); err != nil {
			return err
		}
		if err := stream.SetWriteDeadline(time.Now().Add(s.node.patience)); err != nil {
			return err
		}
		if _, err := stream.Write(piece); err != nil {
			return err
		}
	}
	s.node.traffic.sent.Add(uint64(next.block))
	return nil
}

func (s *server) giveBack(done section) {
	buffers.Put(done.buffer)
	<-s.blocks
}
