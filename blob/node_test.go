package blob_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// node returns a good inner node with two links.
func node() []byte {
	a, _ := blobtest.Block(1, 300)
	b, _ := blobtest.Block(2, 5)
	return blob.AppendNode(nil, []blob.Link{{CID: a, Tree: 300, Size: 300}, {CID: b, Tree: 5, Size: 5}})
}

func TestParseNodeReadsWhatAppendNodeWrites(t *testing.T) {
	links, err := blob.ParseNode(node())
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 2 || links[0].Size != 300 || links[1].Tree != 5 {
		t.Errorf("got %v", links)
	}
}

func TestParseNodeRefusesOtherEncodings(t *testing.T) {
	good := node()
	replace := func(old, with []byte) []byte { return bytes.Replace(good, old, with, 1) }
	c, _ := blobtest.Block(1, 300)
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"no links":            blob.AppendNode(nil, nil),
		"trailing byte":       append(bytes.Clone(good), 0),
		"trailing field":      protowire.AppendBytes(protowire.AppendTag(bytes.Clone(good), 1, protowire.BytesType), nil),
		"cut":                 good[:len(good)-1],
		"identity hash":       replace([]byte{0x12, 0x20}, []byte{0x00, 0x20}),
		"blake hash":          replace([]byte{0x12, 0x20}, []byte{0x1e, 0x20}),
		"dag-cbor link":       replace(c[:2], []byte{1, 0x71}),
		"version 0 link":      replace(append([]byte{0x0a, 36}, c[:]...), append([]byte{0x0a, 34}, c[2:]...)),
		"a named link":        replace([]byte{0x12, 0x00, 0x18}, []byte{0x12, 0x01, 'x', 0x18}),
		"no name":             replace([]byte{0x12, 0x00, 0x18}, []byte{0x18}),
		"long varint":         replace([]byte{0x18, 0x05}, []byte{0x18, 0x85, 0x00}),
		"a directory":         replace([]byte{0x08, 0x02, 0x18}, []byte{0x08, 0x01, 0x18}),
		"raw type":            replace([]byte{0x08, 0x02, 0x18}, []byte{0x08, 0x00, 0x18}),
		"wrong sum":           replace([]byte{0x18, 0xb1, 0x02}, []byte{0x18, 0xb2, 0x02}),
		"size of zero":        blob.AppendNode(nil, []blob.Link{{CID: c, Tree: 300}}),
		"bytes of its own":    protowire.AppendBytes([]byte{0x0a}, append([]byte{0x08, 0x02, 0x12, 0x01, 'x'}, 0x18, 0x01)),
		"data before links":   append(bytes.Clone(good[len(good)-13:]), good[:len(good)-13]...),
		"random bytes":        bytes.Repeat([]byte{0xa7}, 500),
		"endless varint":      bytes.Repeat([]byte{0xff}, 100),
		"length beyond bytes": {0x12, 0xff, 0xff, 0xff, 0x7f},
	} {
		if bytes.Equal(b, good) {
			t.Errorf("%s: the case changes nothing", name)
		}
		if _, err := blob.ParseNode(b); !errors.Is(err, blob.ErrShape) {
			t.Errorf("%s: got %v, want %v", name, err, blob.ErrShape)
		}
	}
}

func FuzzParseNode(f *testing.F) {
	f.Add(node())
	f.Add(blob.AppendNode(nil, []blob.Link{{CID: lock.DagCID([32]byte{1}), Tree: 1 << 40, Size: 1 << 39}}))
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		links, err := blob.ParseNode(b)
		if err != nil {
			if !errors.Is(err, blob.ErrShape) {
				t.Fatalf("error is not %v: %v", blob.ErrShape, err)
			}
			return
		}
		if !bytes.Equal(blob.AppendNode(nil, links), b) {
			t.Fatal("accepted bytes are not the canonical ones")
		}
	})
}
