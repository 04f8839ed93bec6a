package ipfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

// Blocks of whole objects travel over a stream of their own. Who opens it sends requests,
// one behind another without waiting; each is a byte with the number of CIDs, 1 to maxWants,
// and the CIDs, 36 bytes each. For each CID in order comes a section as in a CAR stream: the
// varint length, the CID, the bytes of the block. A section without bytes says that the block
// is not here. Whoever sees anything else resets the stream.
const (
	objectProtocol protocol.ID = "/phrd/object/1.0.0"
	// maxWants is how many blocks one request names at most.
	maxWants = 16
	// pieceSize is how much of a block has to pass within the patience of either side.
	pieceSize = 128 << 10
	// bufferSize is the greatest section.
	bufferSize = car.MaxPrefix + blob.MaxBlock
	cidSize    = len(lock.CID{})
)

// errRequest says that a request is not of the protocol.
var errRequest = errors.New("request is not of the object protocol")

// buffers are used again for the next section.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// appendRequest appends a request for blocks.
func appendRequest(b []byte, cids []lock.CID) []byte {
	b = append(b, byte(len(cids)))
	for _, c := range cids {
		b = append(b, c[:]...)
	}
	return b
}

// readRequest reads a request. Errors are io.EOF when no other follows, errRequest, and
// those of the reader.
func readRequest(r *bufio.Reader) ([]lock.CID, error) {
	n, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if n < 1 || n > maxWants {
		return nil, fmt.Errorf("%d blocks, want 1 to %d: %w", n, maxWants, errRequest)
	}
	b := make([]byte, int(n)*cidSize)
	if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", errRequest, io.ErrUnexpectedEOF)
	} else if err != nil {
		return nil, err
	}
	cids := make([]lock.CID, n)
	for i := range cids {
		if cids[i], err = lock.CIDFromBytes(b[i*cidSize : (i+1)*cidSize]); err != nil {
			return nil, fmt.Errorf("%w: %w", errRequest, err)
		}
	}
	return cids, nil
}
