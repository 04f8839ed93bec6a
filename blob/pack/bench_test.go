package pack_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
)

// benchmarkChunks is how many chunks of 1 MiB one round stores; PHRD_BENCH_MIB says
// otherwise.
func benchmarkChunks(b *testing.B) int {
	b.Helper()
	text := os.Getenv("PHRD_BENCH_MIB")
	if text == "" {
		return 64
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("PHRD_BENCH_MIB is %q", text)
	}
	return n
}

// sealed seals and hashes chunks with as many workers as there are processors, and hands
// each to put, one at a time. Each chunk has a key of its own, as in an object.
func sealed(chunks int, put func(lock.CID, []byte) error) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := range errs {
		group.Go(func() {
			buffer := make([]byte, blob.MaxBlock)
			for n := range next {
				c, err := sealChunk(n, buffer)
				if err == nil {
					mu.Lock()
					err = put(c, buffer)
					mu.Unlock()
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	for n := range chunks {
		next <- n
	}
	close(next)
	group.Wait()
	return errors.Join(errs...)
}

// sealChunk seals the chunk in place; what is in the buffer does not matter to its cost.
func sealChunk(n int, buffer []byte) (lock.CID, error) {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], uint64(n))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return lock.CID{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return lock.CID{}, err
	}
	aead.Seal(buffer[:0], make([]byte, 12), buffer[:blob.MaxBlock-16], nil)
	return lock.RawCID(sha256.Sum256(buffer)), nil
}

// BenchmarkStore measures row 1 of the targets: sealed chunks made durable in a pack,
// beside the two raw limits, the same work without a store and the same bytes written in
// sequence and fsynced. Compare the rates of one run.
func BenchmarkStore(b *testing.B) {
	chunks := benchmarkChunks(b)
	b.Run("limit=seal+hash", func(b *testing.B) {
		b.SetBytes(int64(chunks) * blob.MaxBlock)
		for b.Loop() {
			if err := sealed(chunks, func(lock.CID, []byte) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("limit=write+fsync", func(b *testing.B) {
		b.SetBytes(int64(chunks) * blob.MaxBlock)
		buffer := make([]byte, blob.MaxBlock)
		path := filepath.Join(b.TempDir(), "raw")
		for b.Loop() {
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			for n := range chunks {
				binary.BigEndian.PutUint64(buffer, uint64(n))
				if _, err := f.Write(buffer); err != nil {
					b.Fatal(err)
				}
			}
			if err := errors.Join(f.Sync(), f.Close(), os.Remove(path)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pack", func(b *testing.B) {
		b.SetBytes(int64(chunks) * blob.MaxBlock)
		s, err := pack.Open(b.TempDir(), pack.Options{Reserve: -1})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			var stored []lock.CID
			err := storeSealed(b, s, chunks, &stored)
			b.StopTimer()
			if err := errors.Join(err, check(b, s, stored), s.Erase(b.Context(), stored, nil)); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	})
}

func storeSealed(b *testing.B, s *pack.Store, chunks int, stored *[]lock.CID) error {
	b.Helper()
	batch, err := s.Begin(b.Context(), blob.Hint{Size: uint64(chunks) * blob.MaxBlock})
	if err != nil {
		return err
	}
	err = sealed(chunks, func(c lock.CID, block []byte) error {
		*stored = append(*stored, c)
		return batch.PutTrusted(c, block)
	})
	return errors.Join(err, batch.Sync(b.Context()), batch.Close())
}

// check reads what was stored back from the disk itself.
func check(b *testing.B, s *pack.Store, stored []lock.CID) error {
	b.Helper()
	for _, c := range stored {
		if _, err := s.Cold().Get(b.Context(), c); err != nil {
			return fmt.Errorf("read back: %w", err)
		}
	}
	return nil
}
