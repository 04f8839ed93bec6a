package seal_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// discard takes blocks and keeps none.
var discard = seal.SinkFunc(func(context.Context, lock.CID, []byte) error { return nil })

// rawLimit encrypts and hashes the same chunks on all processors, with no store and no manifest: what the hardware gives.
func rawLimit(file []byte) {
	chunks := make(chan []byte)
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			buf := make([]byte, seal.LeafSize)
			for chunk := range chunks {
				var key [32]byte
				if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
					panic(err)
				}
				block, err := aes.NewCipher(key[:])
				if err != nil {
					panic(err)
				}
				aead, err := cipher.NewGCM(block)
				if err != nil {
					panic(err)
				}
				n := copy(buf, chunk)
				sha256.Sum256(aead.Seal(buf[:0], make([]byte, 12), buf[:n], nil))
			}
		})
	}
	for chunk := range slices.Chunk(file, seal.ChunkSize) {
		chunks <- chunk
	}
	close(chunks)
	running.Wait()
}

// cpu is the time that the process has used of its processors.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// against runs a and its limit in turn and reports the median ratio of their speeds, with the least and the greatest, and a's cost.
func against(b *testing.B, size int, a, limit func()) {
	b.Helper()
	var ratios []float64
	var cost time.Duration
	b.SetBytes(int64(size))
	for b.Loop() {
		start, used := time.Now(), cpu(b)
		a()
		took := time.Since(start)
		cost += cpu(b) - used
		start = time.Now()
		limit()
		ratios = append(ratios, float64(time.Since(start))/float64(took))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(ratios[0], "ratio-min")
	b.ReportMetric(ratios[len(ratios)-1], "ratio-max")
	b.ReportMetric(cost.Seconds()/float64(len(ratios))/float64(size)*(1<<30), "cpu-s/GiB")
	b.ReportMetric(0, "MB/s") // of both together, which says nothing
}

func sealFile(b *testing.B, file []byte, sink seal.Sink) *seal.Sealed {
	b.Helper()
	sealed, err := seal.Seal(b.Context(), sink, bytes.NewReader(file), seal.Draft{Size: uint64(len(file))})
	if err != nil {
		b.Fatal(err)
	}
	return sealed
}

const benchSize = 256 << 20

// BenchmarkSeal is rows 1 to 3 of the targets without a store: sealing against AES-256-GCM and SHA-256 over the same chunks.
func BenchmarkSeal(b *testing.B) {
	file := noise(1, benchSize)
	against(b, benchSize, func() { sealFile(b, file, discard) }, func() { rawLimit(file) })
}

// held gives the same block for every name and hashes nothing, so that it costs next to nothing.
type held map[lock.CID][]byte

func (h held) Get(_ context.Context, c lock.CID) ([]byte, error) { return bytes.Clone(h[c]), nil }

// BenchmarkOpen reads a whole object and checks it, against the raw limit of sealing the same bytes.
func BenchmarkOpen(b *testing.B) {
	file, blocks := noise(1, benchSize), held{}
	sealed := sealFile(b, file, seal.SinkFunc(func(_ context.Context, c lock.CID, block []byte) error {
		blocks[c] = bytes.Clone(block)
		return nil
	}))
	open := func() {
		object, err := seal.OpenObject(b.Context(), blocks, sealed.Ref, sealed.DEK)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := object.WriteTo(b.Context(), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	against(b, benchSize, open, func() { rawLimit(file) })
}

// BenchmarkFirstByte is row 8 without a network: the first byte at the end of 16 GB against that of 100 MB, after opening.
func BenchmarkFirstByte(b *testing.B) {
	blocks := newShelf()
	last := noise(8, 77)
	ref, dek, layout := large(b, blocks, map[uint64][]byte{largeChunks: last})
	b.Run("16 GB", func(b *testing.B) {
		object, err := seal.OpenObject(b.Context(), blocks, ref, dek)
		if err != nil {
			b.Fatal(err)
		}
		firstByte(b, object, layout.Size-1)
	})
	b.Run("100 MB", func(b *testing.B) {
		file := make([]byte, 95*seal.ChunkSize+77)
		small := newShelf()
		sealed := sealFile(b, file, small)
		object, err := seal.OpenObject(b.Context(), small, sealed.Ref, sealed.DEK)
		if err != nil {
			b.Fatal(err)
		}
		firstByte(b, object, uint64(len(file))-1)
	})
	b.Run("opening 16 GB", func(b *testing.B) {
		for b.Loop() {
			if _, err := seal.OpenObject(b.Context(), blocks, ref, dek); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func firstByte(b *testing.B, object *seal.Object, offset uint64) {
	b.Helper()
	for b.Loop() {
		r := object.Reader(b.Context(), offset, 1)
		if _, err := io.ReadAll(r); err != nil {
			b.Fatal(err)
		}
	}
}

// zeros is an endless file of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// BenchmarkSealMemory is row 4: live memory above the start while a file of zeros is sealed, the most that was seen at a put.
func BenchmarkSealMemory(b *testing.B) {
	for _, c := range []struct {
		name string
		size uint64
	}{{"100 MB", 100_000_000}, {"10 GB", 10_000_000_000}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				runtime.GC()
				var stats runtime.MemStats
				runtime.ReadMemStats(&stats)
				start, most, puts := stats.HeapInuse, uint64(0), 0
				sink := seal.SinkFunc(func(context.Context, lock.CID, []byte) error {
					if puts++; puts%16 == 0 {
						runtime.ReadMemStats(&stats)
						most = max(most, stats.HeapInuse-min(start, stats.HeapInuse))
					}
					return nil
				})
				_, err := seal.Seal(b.Context(), sink, io.LimitReader(zeros{}, int64(c.size)), seal.Draft{Size: c.size})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(most)/(1<<20), "MiB")
			}
		})
	}
}
