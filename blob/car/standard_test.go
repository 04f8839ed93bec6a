package car_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"

	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

func standard(t *testing.T, c lock.CID) cid.Cid {
	t.Helper()
	id, err := cid.Cast(c.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// The file of an object is one that others read: go-car finds the roots and every block.
func TestOthersReadTheFileOfAnObject(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(3<<20+5)...)
	envelope, sealed := blobtest.Block(9, 700)
	var file bytes.Buffer
	w, err := car.NewObjectWriter(&file, o.Root, envelope)
	if err != nil {
		t.Fatal(err)
	}
	order := append([]lock.CID{o.Root}, o.CIDs[:len(o.CIDs)-1]...)
	for _, c := range order {
		if err := w.Put(c, o.Blocks[c]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Put(envelope, sealed); err != nil {
		t.Fatal(err)
	}
	reader, err := carv2.NewBlockReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	if want := []cid.Cid{standard(t, o.Root), standard(t, envelope)}; reader.Version != 1 || !slices.Equal(reader.Roots, want) {
		t.Errorf("version %d, roots %v, want %v", reader.Version, reader.Roots, want)
	}
	for _, c := range append(order, envelope) {
		block, err := reader.Next() // hashed by go-car
		if err != nil {
			t.Fatal(err)
		}
		if block.Cid() != standard(t, c) {
			t.Errorf("block %s, want %s", block.Cid(), c)
		}
	}
	if _, err := reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last block: %v", err)
	}
}

// And what others write is taken, where the blocks are such as the network has.
func TestTheFileOfAnotherProgramIsRead(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(2<<20)...)
	var file bytes.Buffer
	w, err := storage.NewWritable(&file, []cid.Cid{standard(t, o.Root)}, carv2.WriteAsCarV1(true))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range o.CIDs {
		block, err := blocks.NewBlockWithCid(o.Blocks[c], standard(t, c))
		if err == nil {
			err = w.Put(t.Context(), block.Cid().KeyString(), block.RawData())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var roots, came []lock.CID
	p := car.NewObjectParser(func(r []lock.CID) error { roots = r; return nil }, func(c lock.CID, _ []byte) error {
		came = append(came, c)
		return nil
	})
	if _, err := io.Copy(p, &file); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil || !slices.Equal(roots, []lock.CID{o.Root}) || !slices.Equal(came, o.CIDs) {
		t.Errorf("roots %v, %d blocks, %v", roots, len(came), err)
	}
}
