package seal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// shelf is a store of blocks in memory, sink and source at once. It counts what is read.
type shelf struct {
	mu     sync.Mutex
	blocks map[lock.CID][]byte
	order  []lock.CID
	reads  map[lock.CID]int
}

func newShelf() *shelf { return &shelf{blocks: map[lock.CID][]byte{}, reads: map[lock.CID]int{}} }

func (s *shelf) Put(_ context.Context, c lock.CID, block []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[c] = bytes.Clone(block)
	s.order = append(s.order, c)
	return nil
}

var errAbsent = errors.New("block is absent")

func (s *shelf) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads[c]++
	block, held := s.blocks[c]
	if !held {
		return nil, errAbsent
	}
	return bytes.Clone(block), nil
}

// forgetReads sets the counts to nought.
func (s *shelf) forgetReads() { clear(s.reads) }

// noise is n bytes that are the same in every run.
func noise(seed, n uint64) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(chance(seed), b); err != nil {
		panic(err)
	}
	return b
}

// store seals a file.
func store(t *testing.T, blocks *shelf, file []byte) *seal.Sealed {
	t.Helper()
	draft := seal.Draft{Name: "scan.dcm", MediaType: "application/dicom", Created: 1, Modified: 2, Size: uint64(len(file))}
	sealed, err := seal.Seal(t.Context(), blocks, bytes.NewReader(file), draft)
	require.NoError(t, err)
	return sealed
}

// read opens an object and returns the whole file.
func read(ctx context.Context, src seal.Source, ref seal.Ref, dek seal.DEK) ([]byte, error) {
	object, err := seal.OpenObject(ctx, src, ref, dek)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	_, err = object.WriteTo(ctx, &file)
	return file.Bytes(), err
}
