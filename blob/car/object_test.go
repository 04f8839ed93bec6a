package car_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

// rootOf is a root in a header as DAG-CBOR.
func rootOf(c lock.CID) string { return "\xd8\x2a\x58\x25\x00" + string(c[:]) }

func TestRootsOfAnObject(t *testing.T) {
	var all []lock.CID
	for i := range uint64(car.MaxRoots) {
		c, _ := blobtest.Block(i, 100)
		all = append(all, c)
	}
	for _, roots := range [][]lock.CID{all[:1], all[:2], all} {
		var file bytes.Buffer
		if _, err := car.NewObjectWriter(&file, roots[0], roots[1:]...); err != nil {
			t.Fatal(err)
		}
		for size := 1; size < 50; size += 7 { // however the file is cut
			var got []lock.CID
			p := car.NewObjectParser(func(r []lock.CID) error { got = r; return nil }, nil)
			for part := range slices.Chunk(file.Bytes(), size) {
				if _, err := p.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Close(); err != nil || !slices.Equal(got, roots) {
				t.Errorf("%d of %d roots, %v", len(got), len(roots), err)
			}
		}
		// An upload names one object.
		if _, err := car.NewParser(nil).Write(file.Bytes()); (err == nil) != (len(roots) == 1) {
			t.Errorf("an upload with %d roots: %v", len(roots), err)
		}
	}
	if _, err := car.NewObjectWriter(io.Discard, all[0], all...); err == nil {
		t.Error("one root too many is written")
	}
}

func TestHostileHeaders(t *testing.T) {
	c, _ := blobtest.Block(1, 100)
	good := "\xa2\x65roots\x81" + rootOf(c) + "\x67version\x01"
	framed := func(body string) string { return string(rune(len(body))) + body } // below 128 bytes
	refused := errors.New("not this one")
	for name, b := range map[string]string{
		"no root":                  framed("\xa2\x65roots\x80\x67version\x01"),
		"a root that is open":      header,
		"a root of version 0":      framed("\xa2\x65roots\x81\xd8\x2a\x58\x23\x00\x12\x20" + string(c[4:]) + "\x67version\x01"),
		"an identity root":         framed("\xa2\x65roots\x81\xd8\x2a\x58\x25\x00\x01\x55\x00\x20" + string(c[4:]) + "\x67version\x01"),
		"fewer roots than it says": framed("\xa2\x65roots\x82" + rootOf(c) + "\x67version\x01"),
		"more roots than it says":  framed("\xa2\x65roots\x81" + rootOf(c) + rootOf(c) + "\x67version\x01"),
		"version 2":                framed(good[:len(good)-1] + "\x02"),
		"trailing bytes":           framed(good + "x"),
		"a list of any length":     framed("\xa2\x65roots\x9f" + rootOf(c) + "\xff\x67version\x01"),
		"a pragma of CARv2":        "\x0a\xa1\x67version\x02",
		"a long header":            "\xff\xff\x03" + strings.Repeat("x", 1<<16),
	} {
		_, err := car.NewObjectParser(func([]lock.CID) error { return nil }, nil).Write([]byte(b))
		if !errors.Is(err, car.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := car.NewObjectParser(func([]lock.CID) error { return nil }, nil).Write([]byte(framed(good))); err != nil {
		t.Errorf("a good one: %v", err)
	}
	if _, err := car.NewObjectParser(func([]lock.CID) error { return refused }, nil).Write([]byte(framed(good))); !errors.Is(err, refused) {
		t.Errorf("roots that are not wanted: %v", err)
	}
}
