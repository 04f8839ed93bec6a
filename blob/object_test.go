package blob_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
)

// wide returns the sizes of n full leaves; the trees of such objects are only walked.
func wide(n int) []blob.Link {
	links := make([]blob.Link, n)
	for i := range links {
		digest := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		links[i] = blob.Link{CID: lock.RawCID(digest), Tree: blob.MaxBlock, Size: blob.MaxBlock}
	}
	return links
}

// tree builds the inner nodes above links.
func tree(links []blob.Link) (*blobtest.Object, blob.Link) {
	o := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	for {
		var above []blob.Link
		for part := range slices.Chunk(links, blob.LinksPerNode) {
			above = append(above, o.Node(part...))
		}
		if links = above; len(links) == 1 {
			o.Root = links[0].CID
			return o, links[0]
		}
	}
}

func TestLeavesGivesOffsetsInOrder(t *testing.T) {
	for _, n := range []int{1, 2, 173, 174, 175, 174 * 174, 174*174 + 1} {
		links := wide(n)
		o, root := tree(links)
		leaves, err := blob.Leaves(t.Context(), o, root.CID, root.Tree)
		if err != nil {
			t.Fatalf("%d leaves: %v", n, err)
		}
		if len(leaves) != n {
			t.Fatalf("%d leaves, want %d", len(leaves), n)
		}
		for i, l := range leaves {
			if want := (blob.Leaf{CID: links[i].CID, Offset: uint64(i) * blob.MaxBlock, Size: blob.MaxBlock}); l != want {
				t.Fatalf("leaf %d of %d is %v, want %v", i, n, l, want)
			}
		}
	}
}

func TestVerifyReadsEveryBlock(t *testing.T) {
	o := blobtest.NewObject(1, blob.MaxBlock, blob.MaxBlock, 5000, 4096)
	if err := blob.Verify(t.Context(), o, o.Root, o.Bytes); err != nil {
		t.Fatal(err)
	}
	for _, c := range o.CIDs {
		s := memory.New()
		if err := o.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := blob.Verify(t.Context(), s, o.Root, o.Bytes); err != nil {
			t.Fatal(err)
		}
		if err := s.Erase(t.Context(), []lock.CID{c}, nil); err != nil {
			t.Fatal(err)
		}
		if err := blob.Verify(t.Context(), s, o.Root, o.Bytes); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("without block %s: %v, want %v", c, err, blob.ErrNotFound)
		}
	}
}

func TestBlocksNamesAllForErasing(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(3<<20+5000)...)
	got, err := blob.Blocks(t.Context(), o, o.Root, o.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b lock.CID) int { return bytes.Compare(a[:], b[:]) })
	want := slices.SortedFunc(slices.Values(o.CIDs), func(a, b lock.CID) int { return bytes.Compare(a[:], b[:]) })
	if !slices.Equal(got, want) {
		t.Errorf("got %d blocks, want %d", len(got), len(want))
	}
	s := memory.New()
	if err := o.Put(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	missing, err := blob.Missing(t.Context(), s, append(got, lock.RawCID([32]byte{1})))
	if err != nil || len(missing) != 1 || missing[0] != lock.RawCID([32]byte{1}) {
		t.Errorf("missing %v, %v", missing, err)
	}
}

func TestBudgetIsExact(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(5<<20)...)
	if _, err := blob.Leaves(t.Context(), o, o.Root, o.Bytes); err != nil {
		t.Errorf("with the exact budget: %v", err)
	}
	if _, err := blob.Leaves(t.Context(), o, o.Root, o.Bytes-1); !errors.Is(err, blob.ErrBudget) {
		t.Errorf("with one byte less: %v, want %v", err, blob.ErrBudget)
	}
}

func TestBudgetOfAPaddedSizeCoversTheRest(t *testing.T) {
	for _, leaves := range []uint64{1, 174, 10_000} {
		padded := leaves * blob.MaxBlock
		// An entry of the manifest has at most 115 bytes, one of its index 90; a block has
		// less than 60 in the inner nodes, of which there is one for 173 blocks.
		manifest := leaves*115 + 1000 + 4096
		manifest += manifest/blob.MaxBlock*90 + 2*4096
		blocks := leaves + manifest/blob.MaxBlock + 8
		need := padded + manifest + blocks*60 + (blocks/173+8)*64
		if got := blob.Budget(padded); got < need || got > padded+padded/2000+100_000 {
			t.Errorf("%d leaves: budget %d, want at least %d", leaves, got, need)
		}
	}
	if blob.Budget(math.MaxUint64) > math.MaxInt64 {
		t.Error("budget overflows")
	}
}

func TestHostileObjectsAreRefused(t *testing.T) {
	const budget = 1 << 40
	leaf := func(seed uint64, size int) blob.Link {
		c, _ := blobtest.Block(seed, size)
		return blob.Link{CID: c, Tree: uint64(size), Size: uint64(size)}
	}
	full := func(o *blobtest.Object, first uint64) blob.Link {
		var links []blob.Link
		for i := range uint64(blob.LinksPerNode) {
			l := leaf(first+i, 8)
			l.Tree, l.Size = blob.MaxBlock, blob.MaxBlock
			links = append(links, l)
		}
		return o.Node(links...)
	}
	cases := []struct {
		name   string
		build  func(o *blobtest.Object) lock.CID
		budget uint64
		want   error
	}{
		{"twin: a good object", func(o *blobtest.Object) lock.CID { return o.Node(full(o, 0), full(o, 500)).CID }, budget, nil},
		{"raw root", func(*blobtest.Object) lock.CID { return leaf(1, 8).CID }, budget, blob.ErrShape},
		{"root missing", func(*blobtest.Object) lock.CID { return lock.DagCID([32]byte{7}) }, budget, blob.ErrNotFound},
		{"chain of nodes with one link", func(o *blobtest.Object) lock.CID {
			l := o.Node(leaf(1, 8))
			for range 100_000 {
				l = o.Node(l)
			}
			return l.CID
		}, budget, blob.ErrShape},
		{"chain under full nodes", func(o *blobtest.Object) lock.CID {
			l := o.Node(leaf(1, 8))
			for i := range uint64(20) {
				l = o.Node(full(o, 1000*i), l)
			}
			return l.CID
		}, budget, blob.ErrShape},
		{"a node too wide", func(o *blobtest.Object) lock.CID {
			var links []blob.Link
			for i := range uint64(blob.LinksPerNode + 1) {
				links = append(links, leaf(i, 8))
			}
			return o.Node(links...).CID
		}, budget, blob.ErrShape},
		{"leaves at different depths", func(o *blobtest.Object) lock.CID { return o.Node(full(o, 0), leaf(900, 8)).CID }, budget, blob.ErrShape},
		{"a node that is not full before the last", func(o *blobtest.Object) lock.CID {
			return o.Node(o.Node(leaf(900, 8)), full(o, 0)).CID
		}, budget, blob.ErrShape},
		{"the same leaf twice", func(o *blobtest.Object) lock.CID { return o.Node(leaf(1, 8), leaf(1, 8)).CID }, budget, blob.ErrShape},
		{"the same node twice", func(o *blobtest.Object) lock.CID { n := full(o, 0); return o.Node(n, n).CID }, budget, blob.ErrShape},
		{"a leaf over 1 MiB", func(o *blobtest.Object) lock.CID {
			l := leaf(1, 8)
			l.Tree, l.Size = blob.MaxBlock+1, blob.MaxBlock+1
			return o.Node(l).CID
		}, budget, blob.ErrShape},
		{"a leaf of another size below", func(o *blobtest.Object) lock.CID {
			l := leaf(1, 8)
			l.Tree++
			return o.Node(l).CID
		}, budget, blob.ErrShape},
		{"a node of another size below", func(o *blobtest.Object) lock.CID {
			n := full(o, 500)
			n.Size--
			return o.Node(full(o, 0), n).CID
		}, budget, blob.ErrShape},
		{"a node with another tree size", func(o *blobtest.Object) lock.CID {
			n := full(o, 500)
			n.Tree++
			return o.Node(full(o, 0), n).CID
		}, budget, blob.ErrShape},
		{"size 2^63", func(o *blobtest.Object) lock.CID {
			l := leaf(1, 8)
			l.Tree, l.Size = 1<<63, 1<<62
			return o.Node(l).CID
		}, budget, blob.ErrBudget},
		{"sizes that overflow", func(o *blobtest.Object) lock.CID {
			a, b := leaf(1, 8), leaf(2, 8)
			a.Tree, a.Size, b.Tree, b.Size = math.MaxUint64, 1, 2, 1
			return o.Node(a, b).CID
		}, budget, blob.ErrBudget},
		{"more than the budget", func(o *blobtest.Object) lock.CID { return o.Node(full(o, 0), full(o, 500)).CID }, 300 << 20, blob.ErrBudget},
		{"many tiny leaves", func(o *blobtest.Object) lock.CID {
			var links []blob.Link
			for i := range uint64(9) {
				links = append(links, leaf(i, 8))
			}
			return o.Node(links...).CID
		}, budget, blob.ErrShape},
		{"more tiny leaves than the budget justifies", func(o *blobtest.Object) lock.CID {
			var links []blob.Link
			for i := range uint64(40) {
				links = append(links, leaf(i, 8))
			}
			return o.Node(links...).CID
		}, 1 << 20, blob.ErrBudget},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
			root := c.build(o)
			if _, err := blob.Leaves(t.Context(), o, root, c.budget); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestLeafOfTheWrongLengthFailsVerify(t *testing.T) {
	o := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	c, b := blobtest.Block(1, 5000)
	o.Add(c, b)
	root := o.Node(blob.Link{CID: c, Tree: 5001, Size: 5001})
	if err := blob.Verify(t.Context(), o, root.CID, 1<<20); !errors.Is(err, blob.ErrShape) {
		t.Errorf("got %v, want %v", err, blob.ErrShape)
	}
}
