package car_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

func TestReadPrefixReadsWhatAppendPrefixWrites(t *testing.T) {
	c, _ := blobtest.Block(1, 10)
	for _, length := range []int{0, 1, 91, 92, 16347, 16348, blob.MaxBlock} {
		b := car.AppendPrefix(nil, c, length)
		if len(b) > car.MaxPrefix {
			t.Errorf("prefix of %d bytes", len(b))
		}
		got, n, err := car.ReadPrefix(bufio.NewReader(bytes.NewReader(append(b, 'x'))))
		if err != nil || got != c || n != length {
			t.Errorf("length %d: got %s, %d, %v", length, got, n, err)
		}
		for cut := range b {
			want := io.ErrUnexpectedEOF
			if cut == 0 {
				want = io.EOF
			}
			if _, _, err := car.ReadPrefix(bufio.NewReader(bytes.NewReader(b[:cut]))); !errors.Is(err, want) {
				t.Errorf("length %d cut at %d: got %v, want %v", length, cut, err, want)
			}
		}
	}
}

func TestReadPrefixRefusesOtherForms(t *testing.T) {
	c, _ := blobtest.Block(1, 10)
	blake := c
	blake[2] = 0x1e
	for _, test := range []struct {
		name string
		b    []byte
		want error
	}{
		{"a block over its bound", car.AppendPrefix(nil, c, blob.MaxBlock+1), blob.ErrTooLarge},
		{"too short for a CID", append([]byte{35}, c[:]...), car.ErrFormat},
		{"nothing", append([]byte{0}, c[:]...), car.ErrFormat},
		{"a long varint", append([]byte{0xa4, 0x00}, c[:]...), car.ErrFormat},
		{"an endless varint", bytes.Repeat([]byte{0xff}, 100), car.ErrFormat},
		{"another hash", car.AppendPrefix(nil, blake, 10), lock.ErrCID},
	} {
		if _, _, err := car.ReadPrefix(bufio.NewReader(bytes.NewReader(test.b))); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func FuzzReadPrefix(f *testing.F) {
	f.Add(car.AppendPrefix(nil, lock.RawCID([32]byte{1}), 10))
	f.Add(car.AppendPrefix(nil, lock.DagCID([32]byte{2}), blob.MaxBlock))
	f.Add([]byte("\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, length, err := car.ReadPrefix(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if again := car.AppendPrefix(nil, c, length); !bytes.HasPrefix(b, again) || length > blob.MaxBlock {
			t.Fatalf("%d bytes of %s from %x", length, c, b)
		}
	})
}
