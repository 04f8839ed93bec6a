// Package blobtest is the one suite that every block store passes.
//
// A store's own test runs it:
//
//	for _, c := range blobtest.Cases {
//		t.Run(c.Name, func(t *testing.T) {
//			if err := c.Run(t.Context(), open(t)); err != nil {
//				t.Fatal(err)
//			}
//		})
//	}
//
// As in testing/fstest a case answers with an error that says what is wrong. The store
// is empty when a case begins, and is closed by the case.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// A Case checks one promise of the contract of [blob.Store].
type Case struct {
	// Name says what is promised.
	Name string
	// Run checks it on an empty store, which it closes.
	Run func(ctx context.Context, s blob.Store) error
}

// Cases are all promises that a store keeps.
var Cases = []Case{
	{"what was synced reads back", readsBack},
	{"a batch goes on after Sync", goesOn},
	{"unknown blocks are not found", notFound},
	{"blocks of every size", sizes},
	{"bytes that do not match are refused", mismatch},
	{"identifiers of other forms are refused", forms},
	{"the caller's bytes are its own", ownership},
	{"a block is stored once", twice},
	{"batches at the same time", together},
	{"erased blocks are gone", erased},
	{"kept blocks survive an Erase", kept},
	{"an erased block can be put again", putAgain},
	{"a block erased under a batch is not acknowledged", erasedMeanwhile},
	{"a closed batch takes nothing", closedBatch},
	{"a closed store answers nothing", closedStore},
	{"a cancelled call does nothing", cancelled},
}

// A CollectorCase checks one promise of the contract of [blob.Collector].
type CollectorCase struct {
	// Name says what is promised.
	Name string
	// Run checks it on an empty store, which it closes. The store's clock begins at the time
	// of the machine; advance moves it on.
	Run func(ctx context.Context, s CollectorStore, advance func(time.Duration)) error
}

// CollectorStore is a store from which can be collected.
type CollectorStore interface {
	blob.Store
	blob.Collector
}

// CollectorCases are all promises of a store from which can be collected.
var CollectorCases = []CollectorCase{
	{"all blocks are listed in order", listed},
	{"old blocks are collected", collected},
	{"a block that is put again is not collected", putProtects},
	{"a block that is touched is not collected", touchProtects},
	{"a collected block can be put again", collectedAndPut},
	{"collecting races with those who put the same blocks", collectedTogether},
}

// Block returns size bytes that seed fixes, and their raw CID.
func Block(seed uint64, size int) (lock.CID, []byte) {
	b := make([]byte, size)
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	if _, err := rand.NewChaCha8(key).Read(b); err != nil {
		panic(err) // ChaCha8 never fails
	}
	return lock.RawCID(sha256.Sum256(b)), b
}

// Store puts the blocks in one batch and syncs them.
func Store(ctx context.Context, s blob.Putter, hint blob.Hint, blocks ...[]byte) error {
	batch, err := s.Begin(ctx, hint)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if err := batch.Put(lock.RawCID(sha256.Sum256(b)), b); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	return errors.Join(batch.Sync(ctx), batch.Close())
}

// Holds returns nil if the store serves the block in every way, else what is wrong.
func Holds(ctx context.Context, s blob.Store, block []byte) error {
	c := lock.RawCID(sha256.Sum256(block))
	if has, err := s.Has(ctx, c); err != nil || !has {
		return fmt.Errorf("has %s: %t, %w", c, has, err)
	}
	if size, err := s.Size(ctx, c); err != nil || size != len(block) {
		return fmt.Errorf("size of %s: %d, want %d: %w", c, size, len(block), err)
	}
	got, err := s.Get(ctx, c)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, block) {
		return fmt.Errorf("block %s has other bytes", c)
	}
	if reader, ok := s.(blob.ColdReader); ok {
		if got, err := reader.Cold().Get(ctx, c); err != nil || !bytes.Equal(got, block) {
			return fmt.Errorf("block %s read from the disk itself: %d bytes, %w", c, len(got), err)
		}
	}
	return nil
}

// Lacks returns nil if the store does not know the block, else what is wrong.
func Lacks(ctx context.Context, s blob.Store, c lock.CID) error {
	if has, err := s.Has(ctx, c); err != nil || has {
		return fmt.Errorf("has %s: %t, %w, want false", c, has, err)
	}
	if _, err := s.Size(ctx, c); !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("size of %s: %w, want %w", c, err, blob.ErrNotFound)
	}
	if _, err := s.Get(ctx, c); !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("get %s: %w, want %w", c, err, blob.ErrNotFound)
	}
	return nil
}

// want returns nil if err is target, else what is wrong.
func want(what string, err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("%s: no error, want %w", what, target)
	}
	return fmt.Errorf("%s: got %w, want %w", what, err, target)
}

func readsBack(ctx context.Context, s blob.Store) error {
	var small, large [][]byte
	for i := range uint64(20) {
		_, b := Block(i, 1000+int(i))
		small = append(small, b)
	}
	for i := range uint64(6) {
		_, b := Block(100+i, blob.MaxBlock)
		large = append(large, b)
	}
	if err := Store(ctx, s, blob.Hint{}, small...); err != nil {
		return err
	}
	if err := Store(ctx, s, blob.Hint{Size: uint64(len(large)) * blob.MaxBlock}, large...); err != nil {
		return err
	}
	for _, b := range slices.Concat(small, large) {
		if err := Holds(ctx, s, b); err != nil {
			return err
		}
	}
	return s.Close()
}

func goesOn(ctx context.Context, s blob.Store) error {
	for _, hint := range []blob.Hint{{}, {Size: blob.LargeObject}} {
		batch, err := s.Begin(ctx, hint)
		if err != nil {
			return err
		}
		if err := batch.Sync(ctx); err != nil {
			return fmt.Errorf("sync of nothing: %w", err)
		}
		for i := range uint64(5) {
			c, b := Block(hint.Size+i, 70<<10)
			if err := batch.PutTrusted(c, b); err != nil {
				return err
			}
			if err := batch.Sync(ctx); err != nil {
				return err
			}
			if err := Holds(ctx, s, b); err != nil {
				return fmt.Errorf("after sync %d: %w", i, err)
			}
		}
		if err := errors.Join(batch.Close(), batch.Close()); err != nil {
			return err
		}
	}
	return s.Close()
}

func notFound(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 100)
	if err := Store(ctx, s, blob.Hint{}, b); err != nil {
		return err
	}
	other, _ := Block(2, 100)
	// The digest of a block under another codec is another name.
	dag := lock.DagCID(c.Digest())
	return errors.Join(Lacks(ctx, s, other), Lacks(ctx, s, dag), Holds(ctx, s, b), s.Close())
}

func sizes(ctx context.Context, s blob.Store) error {
	for _, size := range []int{1, 2, 4096, 64<<10 - 1, 64 << 10, 256 << 10, blob.MaxBlock - 1, blob.MaxBlock} {
		_, b := Block(uint64(size), size)
		if err := Store(ctx, s, blob.Hint{}, b); err != nil {
			return fmt.Errorf("%d bytes: %w", size, err)
		}
		if err := Holds(ctx, s, b); err != nil {
			return fmt.Errorf("%d bytes: %w", size, err)
		}
	}
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	for _, size := range []int{0, blob.MaxBlock + 1} {
		c, b := Block(3, size)
		for _, put := range []func(lock.CID, []byte) error{batch.Put, batch.PutTrusted} {
			if err := want(fmt.Sprintf("put %d bytes", size), put(c, b), blob.ErrTooLarge); err != nil {
				return err
			}
		}
	}
	return errors.Join(batch.Sync(ctx), batch.Close(), s.Close())
}

func mismatch(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 5000)
	bad := bytes.Clone(b)
	bad[4999] ^= 1
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	err = want("put other bytes", batch.Put(c, bad), blob.ErrMismatch)
	if err := errors.Join(err, batch.Sync(ctx), Lacks(ctx, s, c)); err != nil {
		return err
	}
	// The batch takes the right bytes afterwards.
	return errors.Join(batch.Put(c, b), batch.Sync(ctx), batch.Close(), Holds(ctx, s, b), s.Close())
}

func forms(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 100)
	identity := c
	identity[2] = 0x00
	cbor := c
	cbor[1] = 0x71
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	for _, c := range []lock.CID{{}, identity, cbor} {
		err := errors.Join(want("put", batch.Put(c, b), lock.ErrCID), want("put trusted", batch.PutTrusted(c, b), lock.ErrCID))
		if err != nil {
			return err
		}
	}
	return errors.Join(batch.Close(), s.Close())
}

func ownership(ctx context.Context, s blob.Store) error {
	for _, size := range []int{100, 200 << 10} {
		c, b := Block(uint64(size), size)
		original := bytes.Clone(b)
		batch, err := s.Begin(ctx, blob.Hint{})
		if err != nil {
			return err
		}
		if err := batch.Put(c, b); err != nil {
			return err
		}
		clear(b)
		if err := errors.Join(batch.Sync(ctx), batch.Close(), Holds(ctx, s, original)); err != nil {
			return err
		}
		got, err := s.Get(ctx, c)
		if err != nil {
			return err
		}
		clear(got)
		if err := Holds(ctx, s, original); err != nil {
			return fmt.Errorf("after the reader changed its copy: %w", err)
		}
	}
	return s.Close()
}

func twice(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 3000)
	if err := errors.Join(Store(ctx, s, blob.Hint{}, b, b), Store(ctx, s, blob.Hint{}, b)); err != nil {
		return err
	}
	return errors.Join(Holds(ctx, s, b), s.Erase(ctx, []lock.CID{c, c}, nil), Lacks(ctx, s, c), s.Close())
}

func together(ctx context.Context, s blob.Store) error {
	const batches, each = 8, 10
	errs := make([]error, batches)
	var group sync.WaitGroup
	for i := range batches {
		group.Go(func() {
			for n := range each {
				// Half of the blocks are common to two batches.
				_, own := Block(uint64(1000*i+n), 5000)
				_, common := Block(uint64(1000000+1000*(i/2)+n), 80<<10)
				hint := blob.Hint{Size: uint64(i%2) * blob.LargeObject}
				errs[i] = errors.Join(errs[i], Store(ctx, s, hint, own, common), Holds(ctx, s, own), Holds(ctx, s, common))
			}
		})
	}
	group.Wait()
	return errors.Join(errors.Join(errs...), s.Close())
}
