package seal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// shelf is a store of blocks in memory, sink and source at once.
type shelf struct {
	mu     sync.Mutex
	blocks map[lock.CID][]byte
	order  []lock.CID
}

func newShelf() *shelf { return &shelf{blocks: map[lock.CID][]byte{}} }

func (s *shelf) Put(_ context.Context, c lock.CID, block []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[c] = bytes.Clone(block)
	s.order = append(s.order, c)
	return nil
}

var errAbsent = errors.New("block is absent")

func (s *shelf) Get(_ context.Context, c lock.CID) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	block, held := s.blocks[c]
	if !held {
		return nil, errAbsent
	}
	return bytes.Clone(block), nil
}

// noise is n bytes that are the same in every run.
func noise(seed, n uint64) []byte {
	b := make([]byte, n)
	_, err := io.ReadFull(chance(seed), b)
	if err != nil {
		panic(err)
	}
	return b
}

func TestStoreAndOpen(t *testing.T) {
	for _, size := range []uint64{0, 1, 5000, seal.ChunkSize - 1, seal.ChunkSize, seal.ChunkSize + 1, 3*seal.ChunkSize + 7} {
		file, blocks := noise(size, size), newShelf()
		sealed, err := seal.Seal(t.Context(), blocks, bytes.NewReader(file), seal.Draft{Name: "scan.dcm", Size: size})
		require.NoError(t, err)
		for c := range sealed.Blocks() {
			require.Contains(t, blocks.blocks, c)
		}
		object, err := seal.OpenObject(t.Context(), blocks, sealed.Ref, sealed.DEK)
		require.NoError(t, err)
		var got bytes.Buffer
		_, err = object.WriteTo(t.Context(), &got)
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256(file), sha256.Sum256(got.Bytes()))
	}
}
