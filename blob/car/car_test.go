package car_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

// header is {"roots": [bafkqaaa], "version": 1} as DAG-CBOR with its length.
const header = "\x19\xa2\x65roots\x81\xd8\x2a\x45\x00\x01\x55\x00\x00\x67version\x01"

type got struct {
	cid   lock.CID
	block []byte
}

// collect returns a function that keeps what a parser hands on.
func collect(into *[]got) func(lock.CID, []byte) error {
	return func(c lock.CID, b []byte) error {
		*into = append(*into, got{c, bytes.Clone(b)})
		return nil
	}
}

// object returns the blocks of an object in the order in which they are stored.
func object(sizes ...int) []got {
	o := blobtest.NewObject(1, sizes...)
	var blocks []got
	for _, c := range o.CIDs {
		blocks = append(blocks, got{c, o.Blocks[c]})
	}
	return blocks
}

// stream returns a stream and the offsets at which it may be cut.
func stream(tb testing.TB, blocks []got) (whole []byte, boundaries []int) {
	tb.Helper()
	var b bytes.Buffer
	w, err := car.NewWriter(&b)
	if err != nil {
		tb.Fatal(err)
	}
	boundaries = []int{0, b.Len()}
	for _, g := range blocks {
		if err := w.Put(g.cid, g.block); err != nil {
			tb.Fatal(err)
		}
		boundaries = append(boundaries, b.Len())
	}
	return b.Bytes(), boundaries
}

// section returns a section as anybody may send it.
func section(c lock.CID, block []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(c)+len(block)))
	return append(append(b, c[:]...), block...)
}

func equal(a, b []got) bool {
	return slices.EqualFunc(a, b, func(a, b got) bool { return a.cid == b.cid && bytes.Equal(a.block, b.block) })
}

func TestStreamHasTheBytesOfTheSpecification(t *testing.T) {
	c, block := blobtest.Block(1, 300)
	whole, _ := stream(t, []got{{c, block}})
	want := append([]byte(header), section(c, block)...)
	if !bytes.Equal(whole, want) {
		t.Errorf("got %x", whole[:60])
	}
	if car.HeaderSize != len(header) || car.Size(300) != uint64(len(whole)-len(header)) {
		t.Errorf("header of %d bytes, block of %d in %d", car.HeaderSize, len(block), car.Size(300))
	}
}

func TestParserHandsOnBlocksInPiecesOfAnySize(t *testing.T) {
	blocks := object(blob.MaxBlock, blob.MaxBlock, 5000, 1)
	whole, _ := stream(t, blocks)
	for _, piece := range []int{1, 7, 4096, 1<<20 + 1, len(whole)} {
		var seen []got
		p := car.NewParser(collect(&seen))
		for part := range slices.Chunk(whole, piece) {
			if n, err := p.Write(part); err != nil || n != len(part) {
				t.Fatalf("pieces of %d: %d, %v", piece, n, err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if !equal(seen, blocks) {
			t.Errorf("pieces of %d: %d other blocks", piece, len(seen))
		}
		if p.Boundary() != uint64(len(whole)) || p.Pending() != 0 {
			t.Errorf("pieces of %d: boundary %d, pending %d", piece, p.Boundary(), p.Pending())
		}
	}
}

func TestCutStreamGoesOnAtItsBoundary(t *testing.T) {
	blocks := object(3000, 200, 127, 1)
	whole, boundaries := stream(t, blocks)
	for cut := range len(whole) + 1 {
		var seen []got
		first := car.NewParser(collect(&seen))
		if _, err := first.Write(whole[:cut]); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		at := int(first.Boundary())
		if !slices.Contains(boundaries, at) || at > cut || first.Pending() != cut-at {
			t.Fatalf("cut at %d: boundary %d, pending %d", cut, at, first.Pending())
		}
		if err := first.Close(); (err == nil) != (at == cut && cut > 0) {
			t.Fatalf("cut at %d: close %v", cut, err)
		}
		second := car.Resume(first.Boundary(), collect(&seen))
		if _, err := second.Write(whole[at:]); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err := second.Close(); err != nil || !equal(seen, blocks) {
			t.Fatalf("cut at %d: %d blocks, %v", cut, len(seen), err)
		}
	}
}

func TestHeaderMayHoldTheRoot(t *testing.T) {
	c, block := blobtest.Block(1, 50)
	body := "\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + string(c[:]) + "\x67version\x01"
	whole := append([]byte{byte(len(body))}, body...)
	whole = append(whole, section(c, block)...)
	var seen []got
	p := car.NewParser(collect(&seen))
	if _, err := p.Write(whole); err != nil || len(seen) != 1 {
		t.Errorf("%d blocks, %v", len(seen), err)
	}
}

func TestOtherStreamsAreRefused(t *testing.T) {
	c, block := blobtest.Block(1, 300)
	good := append([]byte(header), section(c, block)...)
	after := func(b []byte) []byte { return append([]byte(header), b...) }
	form := func(i int, b byte) []byte {
		other := c
		other[i] = b
		return after(section(other, block))
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	dag := lock.DagCID(c.Digest())
	for _, test := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"twin: a good stream", good, nil},
		{"twin: a dag-pb block", after(section(dag, block)), nil},
		{"no header", good[len(header):], car.ErrFormat},
		{"header of CARv2", []byte("\x0a\xa1\x67version\x02"), car.ErrFormat},
		{"header without roots", []byte("\x11\xa2\x65roots\x80\x67version\x01"), car.ErrFormat},
		{"header with a version 0 root", []byte("\x3b\xa2\x65roots\x81\xd8\x2a\x58\x23\x00\x12\x20" + string(c[4:]) + "\x67version\x01"), car.ErrFormat},
		{"header with a root of another hash", []byte("\x3d\xa2\x65roots\x81\xd8\x2a\x58\x25\x00\x01\x55\x1e\x20" + string(c[4:]) + "\x67version\x01"), car.ErrFormat},
		{"empty header", []byte{0}, car.ErrFormat},
		{"endless header", []byte{0xff, 0xff, 0xff, 0xff}, car.ErrFormat},
		{"padding of zeros", append(bytes.Clone(good), 0), car.ErrFormat},
		{"long varint", after(append([]byte{0xd0, 0x82, 0x00}, good[len(header)+2:]...)), car.ErrFormat},
		{"endless varint", after([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}), car.ErrFormat},
		{"section shorter than a CID", after([]byte{35}), car.ErrFormat},
		{"empty block", after(section(c, nil)), car.ErrFormat},
		{"a block over 1 MiB", after(section(c, make([]byte, blob.MaxBlock+1))), blob.ErrTooLarge},
		{"other bytes", flipped, blob.ErrMismatch},
		{"dag-cbor", form(1, 0x71), lock.ErrCID},
		{"version 2", form(0, 2), lock.ErrCID},
		{"identity hash", form(2, 0), lock.ErrCID},
		{"short digest", form(3, 0x1f), lock.ErrCID},
	} {
		for _, piece := range []int{1, len(test.bytes)} {
			p := car.NewParser(func(lock.CID, []byte) error { return nil })
			var err error
			for part := range slices.Chunk(test.bytes, piece) {
				if _, err = p.Write(part); err != nil {
					break
				}
			}
			if !errors.Is(err, test.want) {
				t.Errorf("%s in pieces of %d: got %v, want %v", test.name, piece, err, test.want)
				continue
			}
			if test.want == nil {
				continue
			}
			if _, again := p.Write(good); !errors.Is(again, test.want) {
				t.Errorf("%s: a failed parser says %v", test.name, again)
			}
			if end := p.Close(); !errors.Is(end, test.want) {
				t.Errorf("%s: close says %v", test.name, end)
			}
		}
	}
}

func TestStreamMustNotEndInsideASection(t *testing.T) {
	whole, boundaries := stream(t, object(100))
	for cut := range len(whole) {
		if slices.Contains(boundaries[1:], cut) {
			continue
		}
		p := car.NewParser(func(lock.CID, []byte) error { return nil })
		if _, err := p.Write(whole[:cut]); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); !errors.Is(err, car.ErrFormat) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestBlockThatIsNotTakenIsNotAcknowledged(t *testing.T) {
	blocks := object(100, 200)
	whole, boundaries := stream(t, blocks)
	calls := 0
	p := car.NewParser(func(lock.CID, []byte) error {
		if calls++; calls == 2 {
			return fmt.Errorf("put: %w", blob.ErrFull)
		}
		return nil
	})
	if _, err := p.Write(whole); !errors.Is(err, blob.ErrFull) {
		t.Errorf("got %v, want %v", err, blob.ErrFull)
	}
	if int(p.Boundary()) != boundaries[2] {
		t.Errorf("boundary %d, want %d", p.Boundary(), boundaries[2])
	}
}

func TestWriterRefusesWhatNoParserTakes(t *testing.T) {
	w, err := car.NewWriter(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c, block := blobtest.Block(1, 10)
	if err := w.Put(lock.CID{}, block); !errors.Is(err, lock.ErrCID) {
		t.Errorf("no CID: %v", err)
	}
	for _, size := range []int{0, blob.MaxBlock + 1} {
		if err := w.Put(c, make([]byte, size)); !errors.Is(err, blob.ErrTooLarge) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if err := w.Put(c, block); err != nil {
		t.Error(err)
	}
}

func FuzzParser(f *testing.F) {
	whole, _ := stream(f, object(300, 5))
	f.Add(whole, uint16(3))
	f.Add(whole[:len(whole)-1], uint16(100))
	f.Add([]byte(header), uint16(1))
	f.Add([]byte("\xff\xff\xff\xff"), uint16(2))
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		var seen []got
		p := car.NewParser(collect(&seen))
		_, err := p.Write(b)
		// What was accepted is written back to the same bytes.
		var again bytes.Buffer
		w, werr := car.NewWriter(&again)
		if werr != nil {
			t.Fatal(werr)
		}
		for _, g := range seen {
			if err := blob.Check(g.cid, g.block); err != nil {
				t.Fatalf("handed on: %v", err)
			}
			if err := w.Put(g.cid, g.block); err != nil {
				t.Fatal(err)
			}
		}
		if n := p.Boundary(); n > uint64(len(b)) || n > 0 && !bytes.HasSuffix(b[:n], again.Bytes()[car.HeaderSize:]) {
			t.Fatalf("boundary %d after %d blocks", n, len(seen))
		}
		// The same in two pieces.
		var parts []got
		q := car.NewParser(collect(&parts))
		at := min(int(cut), len(b))
		_, second := q.Write(b[:at])
		if second == nil {
			_, second = q.Write(b[at:])
		}
		if (err == nil) != (second == nil) || !equal(seen, parts) || p.Boundary() != q.Boundary() {
			t.Fatalf("in one piece %v, in two %v", err, second)
		}
	})
}
