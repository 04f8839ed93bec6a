package seal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

func TestStoreAndOpen(t *testing.T) {
	for _, size := range []uint64{
		0, 1, 4079, 4080, 4081, seal.ChunkSize - 1, seal.ChunkSize, seal.ChunkSize + 1, 2 * seal.ChunkSize, 3*seal.ChunkSize + 7,
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			file, blocks := noise(size, size), newShelf()
			sealed := store(t, blocks, file)
			layout := must(seal.LayoutOf(size))
			require.Equal(t, layout.Padded, sealed.Ref.PaddedSize)
			require.Len(t, sealed.Contents.Entries, int(layout.Leaves))

			var written uint64
			named := map[lock.CID]bool{}
			for c := range sealed.Blocks() {
				require.False(t, named[c], "named twice")
				named[c] = true
				written += uint64(len(blocks.blocks[c]))
			}
			require.Len(t, blocks.blocks, len(named))
			require.Equal(t, written, sealed.Written)
			for c, block := range blocks.blocks {
				require.Equal(t, sha256.Sum256(block), c.Digest())
			}

			object, err := seal.OpenObject(t.Context(), blocks, sealed.Ref, sealed.DEK)
			require.NoError(t, err)
			require.Equal(t, sealed.Contents, object.Manifest())
			require.Equal(t, size, object.Size())
			var got bytes.Buffer
			n, err := object.WriteTo(t.Context(), &got)
			require.NoError(t, err)
			require.Equal(t, int64(size), n)
			require.True(t, bytes.Equal(file, got.Bytes()))
			require.NoError(t, iotest.TestReader(io.NewSectionReader(object.At(t.Context()), 0, int64(size)), file))
		})
	}
}

func TestTheSameFileTwiceSharesNothing(t *testing.T) {
	file, blocks := noise(1, 2*seal.ChunkSize), newShelf()
	first := store(t, blocks, file)
	second := store(t, blocks, file)
	require.NotEqual(t, first.Ref.Object, second.Ref.Object)
	require.False(t, first.DEK.Equal(second.DEK))
	have := slices.Collect(first.Blocks())
	for c := range second.Blocks() {
		require.NotContains(t, have, c)
	}
	_, err := read(t.Context(), blocks, first.Ref, second.DEK)
	require.ErrorIs(t, err, seal.ErrManifest)
	require.ErrorIs(t, err, seal.ErrCiphertext)
}

func TestEqualChunksOfOneFileDiffer(t *testing.T) {
	blocks := newShelf()
	sealed := store(t, blocks, make([]byte, 4*seal.ChunkSize))
	leaves := map[lock.CID]bool{}
	for _, e := range sealed.Contents.Entries {
		leaves[e.CID] = true
	}
	require.Len(t, leaves, 4)
	file, err := read(t.Context(), blocks, sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	require.True(t, bytes.Equal(make([]byte, 4*seal.ChunkSize), file))
}

func TestRangesReadOnlyTheirLeaves(t *testing.T) {
	const size = 4*seal.ChunkSize + 100
	file, blocks := noise(2, size), newShelf()
	sealed := store(t, blocks, file)
	object, err := seal.OpenObject(t.Context(), blocks, sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	for _, e := range sealed.Contents.Entries {
		require.Zero(t, blocks.reads[e.CID], "opening reads no data leaf")
	}
	for _, c := range []struct {
		offset, length uint64
		leaves         []int
	}{
		{0, 0, nil}, {0, 1, []int{0}}, {seal.ChunkSize - 1, 1, []int{0}}, {seal.ChunkSize, 1, []int{1}},
		{seal.ChunkSize - 1, 2, []int{0, 1}}, {seal.ChunkSize, seal.ChunkSize, []int{1}}, {seal.ChunkSize + 5, 2 * seal.ChunkSize, []int{1, 2, 3}},
		{size - 1, 1, []int{4}}, {size - 1, 1 << 40, []int{4}}, {size, 1, nil}, {1 << 60, 1, nil}, {0, size, []int{0, 1, 2, 3, 4}},
	} {
		blocks.forgetReads()
		r := object.Reader(t.Context(), c.offset, c.length)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		start := min(c.offset, size)
		require.True(t, bytes.Equal(file[start:start+min(c.length, size-start)], got), "%d+%d", c.offset, c.length)
		for i, e := range sealed.Contents.Entries {
			want := 0
			if slices.Contains(c.leaves, i) {
				want = 1
			}
			require.Equal(t, want, blocks.reads[e.CID], "leaf %d for %d+%d", i, c.offset, c.length)
		}
		require.NoError(t, r.Close())
	}
	at := object.At(t.Context())
	p := make([]byte, 10)
	n, err := at.ReadAt(p, size-4)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, file[size-4:], p[:n])
	_, err = at.ReadAt(p, -1)
	require.Error(t, err)
	n, err = at.ReadAt(p, size)
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, n)
}

func TestAReaderClosedEarlyLeavesNothingRunning(t *testing.T) {
	file, blocks := noise(3, 8*seal.ChunkSize), newShelf()
	sealed := store(t, blocks, file)
	synctest.Test(t, func(t *testing.T) { // it fails where a goroutine outlives the test
		object, err := seal.OpenObject(t.Context(), blocks, sealed.Ref, sealed.DEK)
		require.NoError(t, err)
		r := object.Reader(t.Context(), 0, object.Size())
		p := make([]byte, 100)
		_, err = io.ReadFull(r, p)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		_, err = r.Read(p)
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF, "a closed reader is no ended file")
		require.NoError(t, r.Close())
	})
}

func TestReadingEndsWithItsContext(t *testing.T) {
	file, blocks := noise(3, 3*seal.ChunkSize), newShelf()
	sealed := store(t, blocks, file)
	object, err := seal.OpenObject(t.Context(), blocks, sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = object.WriteTo(ctx, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	_, err = io.ReadAll(object.Reader(ctx, 0, 10))
	require.ErrorIs(t, err, context.Canceled)
	_, err = seal.OpenObject(ctx, blocks, sealed.Ref, sealed.DEK)
	require.ErrorIs(t, err, context.Canceled)
}

// largeChunks is how many full chunks the file of large has: more than the entries of one leaf of a manifest.
const largeChunks = 15_000

// large forges the manifest of a file of 16 GB, of whose leaves a few are there.
func large(tb testing.TB, blocks *shelf, there map[uint64][]byte) (seal.Ref, seal.DEK, seal.Layout) {
	tb.Helper()
	const size = largeChunks*seal.ChunkSize + 77
	layout := must(seal.LayoutOf(size))
	m := &seal.Manifest{Size: size}
	random := chance(5)
	leaves := newShelf()
	for i := range layout.Leaves {
		e := seal.Entry{Length: uint32(layout.Length(i))}
		var digest [32]byte
		for _, b := range [][]byte{e.Key[:], digest[:]} {
			_, err := io.ReadFull(random, b)
			require.NoError(tb, err)
		}
		e.CID = lock.RawCID(digest)
		if plain, given := there[i]; given {
			plain = append(plain, make([]byte, layout.LeafSize(i)-16-len(plain))...)
			block := must(seal.SealUnder(e.Key, plain))
			e.CID = lock.RawCID(sha256.Sum256(block))
			leaves.blocks[e.CID] = block
		}
		m.Entries = append(m.Entries, e)
	}
	dek := someDEK()
	ref := forge(tb, blocks, m, dek)
	for c, block := range leaves.blocks {
		blocks.blocks[c] = block
	}
	return ref, dek, layout
}

func TestAFileWhoseManifestHasAnIndex(t *testing.T) {
	blocks := newShelf()
	first, middle, last := noise(6, seal.ChunkSize), noise(7, seal.ChunkSize), noise(8, 77)
	ref, dek, _ := large(t, blocks, map[uint64][]byte{0: first, 5000: middle, largeChunks: last})
	require.Len(t, blocks.order, 3, "two leaves of a manifest and an index")
	object, err := seal.OpenObject(t.Context(), blocks, ref, dek)
	require.NoError(t, err)
	p := make([]byte, 50)
	_, err = object.At(t.Context()).ReadAt(p, 5000*seal.ChunkSize+1000)
	require.NoError(t, err)
	require.Equal(t, middle[1000:1050], p)
	got, err := io.ReadAll(object.Reader(t.Context(), largeChunks*seal.ChunkSize, 100))
	require.NoError(t, err)
	require.Equal(t, last, got)
	_, err = object.At(t.Context()).ReadAt(p, 4999*seal.ChunkSize)
	require.ErrorIs(t, err, errAbsent)

	t.Run("a leaf of the manifest is damaged, missing or another", func(t *testing.T) {
		for i, c := range blocks.order {
			bent := bytes.Clone(blocks.blocks[c])
			bent[len(bent)/2] ^= 1
			for _, lie := range [][]byte{bent, bent[:len(bent)-1], blocks.blocks[blocks.order[(i+1)%3]], {}} {
				_, err := seal.OpenObject(t.Context(), answers{blocks, map[lock.CID][]byte{c: lie}}, ref, dek)
				require.ErrorIs(t, err, seal.ErrManifest)
				require.ErrorIs(t, err, seal.ErrCiphertext)
			}
		}
		short := newShelf()
		short.blocks[ref.Manifest] = blocks.blocks[ref.Manifest]
		_, err := seal.OpenObject(t.Context(), short, ref, dek)
		require.ErrorIs(t, err, errAbsent)
	})
	t.Run("the chain says another size", func(t *testing.T) {
		for _, size := range []uint64{0, 4095, 4096, 1 << 20, ref.PaddedSize - 1, ref.PaddedSize + 1<<20, 1 << 63} {
			other := ref
			other.PaddedSize = size
			_, err := seal.OpenObject(t.Context(), blocks, other, dek)
			require.ErrorIs(t, err, seal.ErrManifest)
		}
	})
}

// TestAnIndexThatNoWriterMakes seals indexes under the data key, as a malicious writer can.
func TestAnIndexThatNoWriterMakes(t *testing.T) {
	blocks := newShelf()
	ref, dek, _ := large(t, blocks, nil)
	bottom := blocks.order[:2]
	sizes := []uint32{seal.ChunkSize, uint32(len(blocks.blocks[bottom[1]]) - 16)}
	random := chance(2) // as forge draws
	keys := [][32]byte{[32]byte(must(io.ReadAll(io.LimitReader(random, 32)))), [32]byte(must(io.ReadAll(io.LimitReader(random, 32))))}
	open := func(index []byte) error {
		root := must(seal.SealUnder([32]byte(dek.Bytes()), seal.Frame(index)))
		c := lock.RawCID(sha256.Sum256(root))
		other := answers{blocks, map[lock.CID][]byte{c: root}}
		_, _, err := seal.OpenManifest(t.Context(), other, seal.Ref{Manifest: c, PaddedSize: ref.PaddedSize}, dek)
		return err
	}
	require.NoError(t, open(seal.IndexOf(bottom, keys, sizes)), "the one that a writer makes")
	bad := func(what string, index []byte) {
		require.ErrorIs(t, open(index), seal.ErrManifest, what)
	}
	bad("one leaf", seal.IndexOf(bottom[:1], keys[:1], sizes[:1]))
	bad("none", nil)
	bad("swapped leaves", seal.IndexOf([]lock.CID{bottom[1], bottom[0]}, [][32]byte{keys[1], keys[0]}, []uint32{sizes[1], sizes[0]}))
	bad("a first leaf that is not full", seal.IndexOf(bottom, keys, []uint32{sizes[0] - 4080, sizes[1]}))
	bad("a last leaf that is no multiple", seal.IndexOf(bottom, keys, []uint32{sizes[0], sizes[1] + 1}))
	bad("a leaf too long", seal.IndexOf(bottom, keys, []uint32{sizes[0], seal.ChunkSize + 4080}))
	bad("a wrong key", seal.IndexOf(bottom, [][32]byte{keys[1], keys[0]}, sizes))
	bad("fields of a manifest beside the index", append(append([]byte{0x0a, 1, 'x'}, 0x28, 1), seal.IndexOf(bottom, keys, sizes)...))
	bad("fields after the index", append(seal.IndexOf(bottom, keys, sizes), 0x80, 0x01, 1))

	var cids []lock.CID
	var many [][32]byte
	var full []uint32
	for range 1000 {
		cids, many, full = append(cids, bottom[0]), append(many, keys[0]), append(full, seal.ChunkSize)
	}
	blocks.forgetReads()
	bad("more than the size of the object allows", seal.IndexOf(cids, many, full))
	require.Zero(t, blocks.reads[bottom[0]], "refused before a leaf is read")
}

func TestANewVersionTakesOverItsUnchangedChunks(t *testing.T) {
	const size = 20*seal.ChunkSize + 5
	file, blocks := noise(9, size), newShelf()
	first := store(t, blocks, file)
	changed := bytes.Clone(file)
	changed[7*seal.ChunkSize+1] ^= 1
	changed = append(changed, "more"...)

	before := len(blocks.order)
	draft := seal.Draft{Size: uint64(len(changed)), Previous: first.Contents}
	second, err := seal.Seal(t.Context(), blocks, bytes.NewReader(changed), draft)
	require.NoError(t, err)
	require.Len(t, second.Reused, 19)
	require.NotContains(t, blocks.order[before:], first.Contents.Entries[0].CID, "a chunk taken over is not put again")
	for i, e := range second.Contents.Entries {
		require.Equal(t, i != 7 && i < 20, e.CID == first.Contents.Entries[i].CID, "entry %d", i)
	}
	got, err := read(t.Context(), blocks, second.Ref, second.DEK)
	require.NoError(t, err)
	require.True(t, bytes.Equal(changed, got))
	require.False(t, first.DEK.Equal(second.DEK))
	for c := range second.Blocks() {
		require.Contains(t, blocks.blocks, c)
	}

	t.Run("of a manifest of the first form", func(t *testing.T) {
		draft := seal.Draft{Size: uint64(len(changed)), Previous: withIDs(t, blocks, first.Contents, noise(4, 32))}
		third, err := seal.Seal(t.Context(), blocks, bytes.NewReader(changed), draft)
		require.NoError(t, err)
		require.Equal(t, second.Reused, third.Reused)
		require.Nil(t, third.Contents.IDs)
	})
	t.Run("the store is asked about those alone", func(t *testing.T) {
		var asked sync.Map
		draft := seal.Draft{Size: uint64(len(changed)), Previous: first.Contents, Holds: func(_ context.Context, c lock.CID) bool {
			_, again := asked.LoadOrStore(c, true)
			return !again
		}}
		third, err := seal.Seal(t.Context(), blocks, bytes.NewReader(changed), draft)
		require.NoError(t, err)
		require.Len(t, third.Reused, 19)
		_, changedToo := asked.Load(first.Contents.Entries[7].CID)
		require.False(t, changedToo)
	})
	t.Run("not those that the store lost", func(t *testing.T) {
		lost := first.Contents.Entries[3].CID
		draft := seal.Draft{Size: uint64(len(changed)), Previous: first.Contents, Holds: func(_ context.Context, c lock.CID) bool { return c != lost }}
		third, err := seal.Seal(t.Context(), blocks, bytes.NewReader(changed), draft)
		require.NoError(t, err)
		require.Len(t, third.Reused, 18)
		require.NotEqual(t, lost, third.Contents.Entries[3].CID)
	})
	t.Run("not one that holds something else than its manifest says", func(t *testing.T) {
		forged := *first.Contents
		forged.Entries = slices.Clone(forged.Entries)
		forged.Entries[3].CID, forged.Entries[3].Key = forged.Entries[5].CID, forged.Entries[5].Key
		draft := seal.Draft{Size: uint64(len(changed)), Previous: &forged}
		third, err := seal.Seal(t.Context(), blocks, bytes.NewReader(changed), draft)
		require.NoError(t, err)
		require.Len(t, third.Reused, 18)
		require.NotEqual(t, forged.Entries[3].CID, third.Contents.Entries[3].CID)
		got, err := read(t.Context(), blocks, third.Ref, third.DEK)
		require.NoError(t, err)
		require.True(t, bytes.Equal(changed, got))
	})
	t.Run("as many as hold the same", func(t *testing.T) {
		zeros, blocks := make([]byte, 5*seal.ChunkSize), newShelf() // as padding does
		first := store(t, blocks, zeros)
		second, err := seal.Seal(t.Context(), blocks, bytes.NewReader(zeros), seal.Draft{Size: uint64(len(zeros)), Previous: first.Contents})
		require.NoError(t, err)
		require.Len(t, second.Reused, 5)
		got, err := read(t.Context(), blocks, second.Ref, second.DEK)
		require.NoError(t, err)
		require.True(t, bytes.Equal(zeros, got))
	})
	t.Run("not one twice in a version", func(t *testing.T) {
		twice := append(bytes.Clone(file[:seal.ChunkSize]), file[:seal.ChunkSize]...)
		draft := seal.Draft{Size: uint64(len(twice)), Previous: first.Contents}
		third, err := seal.Seal(t.Context(), blocks, bytes.NewReader(twice), draft)
		require.NoError(t, err)
		require.Len(t, third.Reused, 1)
		got, err := read(t.Context(), blocks, third.Ref, third.DEK)
		require.NoError(t, err)
		require.True(t, bytes.Equal(twice, got))
	})
}

func TestManifestsOfBothForms(t *testing.T) {
	blocks := newShelf()
	sealed := store(t, blocks, noise(14, 2*seal.ChunkSize))
	today := *sealed.Contents
	first := withIDs(t, blocks, &today, noise(4, 32))
	for _, m := range []*seal.Manifest{&today, first} {
		got, err := seal.DecodeManifest(must(m.Encode()))
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
	require.Len(t, must(first.Encode()), len(must(today.Encode()))+34*3) // the id key, and an id for each chunk

	few := *first
	few.IDs = &seal.ChunkIDs{Key: first.IDs.Key, Each: first.IDs.Each[:1]}
	_, err := few.Encode()
	require.ErrorIs(t, err, seal.ErrManifest)

	key := slices.Concat([]byte{6<<3 | 2, 32}, first.IDs.Key[:])
	encoded := must(first.Encode())
	at := bytes.Index(encoded, key)
	_, err = seal.DecodeManifest(slices.Delete(bytes.Clone(encoded), at, at+len(key)))
	require.ErrorIs(t, err, seal.ErrManifest, "ids without their key")
	encoded = must(today.Encode())
	_, err = seal.DecodeManifest(slices.Insert(bytes.Clone(encoded), bytes.IndexByte(encoded, 7<<3|2), key...))
	require.ErrorIs(t, err, seal.ErrManifest, "a key without ids")
}

func TestSealRefusesAWrongSize(t *testing.T) {
	for _, c := range []struct {
		has, said uint64
	}{{0, 1}, {1, 0}, {10, 11}, {11, 10}, {seal.ChunkSize, seal.ChunkSize + 1}, {seal.ChunkSize + 1, seal.ChunkSize}, {3 * seal.ChunkSize, 5 * seal.ChunkSize}} {
		synctest.Test(t, func(t *testing.T) {
			_, err := seal.Seal(t.Context(), newShelf(), bytes.NewReader(make([]byte, c.has)), seal.Draft{Size: c.said})
			require.ErrorIs(t, err, seal.ErrSize, "%d, said %d", c.has, c.said)
		})
	}
	_, err := seal.Seal(t.Context(), newShelf(), bytes.NewReader(nil), seal.Draft{Size: seal.MaxSize + 1})
	require.Error(t, err)
	_, err = seal.LayoutOf(1 << 63)
	require.Error(t, err)
}

func TestSealRefusesABadName(t *testing.T) {
	for _, c := range []struct{ name, media string }{
		{string(bytes.Repeat([]byte("a"), 256)), ""}, {"e\u0301", ""}, {"\xff", ""}, {"", "\u00e9"}, {"", "a\nb"}, {"", string(bytes.Repeat([]byte("a"), 128))},
	} {
		_, err := seal.Seal(t.Context(), newShelf(), bytes.NewReader(nil), seal.Draft{Name: c.name, MediaType: c.media})
		require.ErrorIs(t, err, seal.ErrManifest)
		_, err = (&seal.Manifest{Name: c.name, MediaType: c.media}).Encode()
		require.ErrorIs(t, err, seal.ErrManifest)
	}
	// Names are data: nothing in them is a path.
	for _, name := range []string{"", "../../etc/passwd", "a\x00b", "\u202egpj.exe", string(bytes.Repeat([]byte("a"), 255))} {
		_, err := seal.Seal(t.Context(), newShelf(), bytes.NewReader(nil), seal.Draft{Name: name})
		require.NoError(t, err)
	}
}

var errBroken = errors.New("broken")

func TestSealEndsWithTheFirstError(t *testing.T) {
	const size = 6*seal.ChunkSize + 1
	file := noise(10, size)
	whole := newShelf()
	puts := 0
	counted := seal.SinkFunc(func(ctx context.Context, c lock.CID, block []byte) error {
		puts++
		return whole.Put(ctx, c, block)
	})
	_, err := seal.Seal(t.Context(), counted, bytes.NewReader(file), seal.Draft{Size: size})
	require.NoError(t, err)
	for fail := range puts {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			sink := seal.SinkFunc(func(context.Context, lock.CID, []byte) error {
				if n++; n == fail+1 {
					return errBroken
				}
				return nil
			})
			_, err := seal.Seal(t.Context(), sink, bytes.NewReader(file), seal.Draft{Size: size})
			require.ErrorIs(t, err, errBroken, "put %d", fail)
			require.Equal(t, fail+1, n, "nothing is put after an error")
		})
	}
	for _, at := range []int{0, 1, seal.ChunkSize, size - 1} {
		synctest.Test(t, func(t *testing.T) {
			r := io.MultiReader(bytes.NewReader(file[:at]), iotest.ErrReader(errBroken))
			_, err := seal.Seal(t.Context(), newShelf(), r, seal.Draft{Size: size})
			require.ErrorIs(t, err, errBroken)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sink := seal.SinkFunc(func(context.Context, lock.CID, []byte) error {
			cancel()
			return nil
		})
		_, err := seal.Seal(ctx, sink, bytes.NewReader(file), seal.Draft{Size: size})
		require.ErrorIs(t, err, context.Canceled)
	})
	for _, drawn := range []int{31, 33, 95, 100} {
		_, err := seal.SealWith(t.Context(), newShelf(), bytes.NewReader(file), seal.Draft{Size: size}, bytes.NewReader(make([]byte, drawn)))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "no key is made of half a source")
	}
}

// countingReader counts the chunks that were read of it.
type countingReader struct {
	r     io.Reader
	bytes atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func TestSealReadsAheadWithinItsBound(t *testing.T) {
	const workers, leaves = 2, 20
	synctest.Test(t, func(t *testing.T) {
		r := &countingReader{r: bytes.NewReader(make([]byte, leaves*seal.ChunkSize))}
		put, most := int64(0), int64(0)
		sink := seal.SinkFunc(func(context.Context, lock.CID, []byte) error {
			synctest.Wait() // all that can run ahead has run ahead
			most = max(most, r.bytes.Load()/seal.ChunkSize-put)
			put++
			return nil
		})
		_, err := seal.Seal(t.Context(), sink, r, seal.Draft{Size: leaves * seal.ChunkSize, Workers: workers})
		require.NoError(t, err)
		require.LessOrEqual(t, most, int64(2*workers+3))
		require.Greater(t, most, int64(workers), "it reads ahead at all")
	})
}

func TestEveryFlippedByteOfAnObjectIsRefused(t *testing.T) {
	file, blocks := noise(11, 3000), newShelf()
	sealed := store(t, blocks, file)
	got, err := read(t.Context(), blocks, sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	require.Equal(t, file, got)
	for _, c := range []lock.CID{sealed.Contents.Entries[0].CID, sealed.Ref.Manifest} {
		for i := range blocks.blocks[c] {
			bent := bytes.Clone(blocks.blocks[c])
			bent[i] ^= 1 << (i % 8)
			_, err := read(t.Context(), answers{blocks, map[lock.CID][]byte{c: bent}}, sealed.Ref, sealed.DEK)
			require.ErrorIs(t, err, seal.ErrCiphertext)
			// Not even under its own CID does it open.
			ref := sealed.Ref
			if c == ref.Manifest {
				ref.Manifest = lock.RawCID(sha256.Sum256(bent))
				_, err = read(t.Context(), answers{blocks, map[lock.CID][]byte{ref.Manifest: bent}}, ref, sealed.DEK)
				require.ErrorIs(t, err, seal.ErrCiphertext)
			}
		}
	}
}

func TestEveryFlippedByteOfAManifestIsRefused(t *testing.T) {
	blocks := newShelf()
	sealed := store(t, blocks, noise(12, seal.ChunkSize+3000))
	frame := seal.Frame(must(sealed.Contents.Encode()))
	open := func(plain []byte) error {
		root := must(seal.SealUnder([32]byte(sealed.DEK.Bytes()), plain))
		ref := sealed.Ref
		ref.Manifest = lock.RawCID(sha256.Sum256(root))
		_, err := seal.OpenObject(t.Context(), answers{blocks, map[lock.CID][]byte{ref.Manifest: root}}, ref, sealed.DEK)
		return err
	}
	require.NoError(t, open(frame))
	for i := range frame {
		bent := bytes.Clone(frame)
		bent[i] ^= 1 << (i % 8)
		require.ErrorIs(t, open(bent), seal.ErrManifest, "byte %d", i)
	}
}

func TestAManifestThatNamesABlockTwice(t *testing.T) {
	blocks := newShelf()
	sealed := store(t, blocks, noise(13, 3*seal.ChunkSize))
	m := *sealed.Contents
	m.Entries = slices.Clone(m.Entries)
	m.Entries[2] = m.Entries[0]
	forged := newShelf()
	dek := someDEK()
	ref := forge(t, forged, &m, dek)
	_, err := seal.OpenObject(t.Context(), forged, ref, dek)
	require.ErrorIs(t, err, seal.ErrManifest)

	m.Entries[2] = sealed.Contents.Entries[2]
	honest := newShelf()
	ref = forge(t, honest, &m, dek)
	_, err = seal.OpenObject(t.Context(), honest, ref, dek)
	require.NoError(t, err)
	for _, swapped := range []seal.Ref{
		{Object: sealed.Ref.Object, Manifest: ref.Manifest, PaddedSize: ref.PaddedSize},
		{Object: lock.DagCID([32]byte{}), Manifest: ref.Manifest, PaddedSize: ref.PaddedSize},
		{Object: ref.Manifest, Manifest: ref.Manifest, PaddedSize: ref.PaddedSize},
	} {
		_, err = seal.OpenObject(t.Context(), honest, swapped, dek)
		require.ErrorIs(t, err, seal.ErrManifest)
	}
}
