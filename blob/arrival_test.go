package blob_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/lock"
)

// downwards are the blocks of an object, each inner node before what it names.
func downwards(o *blobtest.Object) []lock.CID {
	order := slices.Clone(o.CIDs)
	slices.Reverse(order)
	return order
}

func TestArrivalTakesAnObject(t *testing.T) {
	large := make([]int, 200) // two levels of inner nodes
	for i := range large {
		large[i] = blob.MaxBlock
	}
	for name, o := range map[string]*blobtest.Object{
		"one leaf": blobtest.NewObject(1, 5000), "several": blobtest.NewObject(2, blobtest.Sizes(3<<20+7)...), "two levels": blobtest.NewObject(3, large...),
	} {
		t.Run(name, func(t *testing.T) {
			envelope, sealed := blobtest.Block(9, 700)
			a := blob.NewArrival(o.Root, []lock.CID{envelope}, blob.Budget(o.Bytes))
			if err := a.Take(envelope, sealed); err != nil {
				t.Fatal(err)
			}
			for i, c := range downwards(o) {
				if a.Missing() == 0 {
					t.Fatalf("nothing is missing after %d of %d blocks", i, len(o.CIDs))
				}
				if err := a.Take(c, o.Blocks[c]); err != nil {
					t.Fatal(err)
				}
			}
			blocks, bytes := a.Came()
			if a.Missing() != 0 || blocks != len(o.CIDs)+1 || bytes != o.Bytes+700 {
				t.Errorf("%d missing, %d blocks of %d bytes", a.Missing(), blocks, bytes)
			}
		})
	}
}

func TestArrivalRefuses(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(2<<20+7)...)
	other := blobtest.NewObject(2, 5000)
	twice := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	leaf := blob.Link{CID: o.CIDs[0], Tree: blob.MaxBlock, Size: blob.MaxBlock}
	twice.Root = twice.Node(leaf, leaf).CID
	lies := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	lies.Root = lies.Node(blob.Link{CID: o.CIDs[0], Tree: 5, Size: 5}).CID
	wide := make([]int, 60)
	for i := range wide {
		wide[i] = 1
	}
	tiny := blobtest.NewObject(3, wide...)
	huge := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	huge.Root = huge.Node(blob.Link{CID: other.Root, Tree: 1 << 62, Size: 1 << 62}).CID
	type step struct {
		of *blobtest.Object
		at lock.CID
	}
	for _, c := range []struct {
		name   string
		root   lock.CID
		before []step
		last   step
		want   error
	}{
		{"a block of another object", o.Root, []step{{o, o.Root}}, step{other, other.Root}, blob.ErrShape},
		{"a leaf before its node", o.Root, nil, step{o, o.CIDs[0]}, blob.ErrShape},
		{"a block twice", o.Root, []step{{o, o.Root}, {o, o.CIDs[0]}}, step{o, o.CIDs[0]}, blob.ErrShape},
		{"a node that names a block twice", twice.Root, nil, step{twice, twice.Root}, blob.ErrShape},
		{"a leaf of another length", lies.Root, []step{{lies, lies.Root}}, step{o, o.CIDs[0]}, blob.ErrShape},
		{"more blocks than its bytes justify", tiny.Root, nil, step{tiny, tiny.Root}, blob.ErrBudget},
		{"more bytes than it may have", huge.Root, nil, step{huge, huge.Root}, blob.ErrBudget},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := blob.NewArrival(c.root, nil, blob.Budget(2<<20+7))
			for _, s := range c.before {
				if err := a.Take(s.at, s.of.Blocks[s.at]); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Take(c.last.at, c.last.of.Blocks[c.last.at]); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	a := blob.NewArrival(o.Root, nil, 100)
	if err := a.Take(o.Root, o.Blocks[o.Root]); !errors.Is(err, blob.ErrBudget) {
		t.Errorf("below a budget of 100 bytes: %v", err)
	}
	if err := blob.NewArrival(lock.DagCID([32]byte{1}), nil, 1<<20).Take(lock.DagCID([32]byte{1}), []byte("no node")); !errors.Is(err, blob.ErrShape) {
		t.Errorf("a node that is none: %v", err)
	}
}
