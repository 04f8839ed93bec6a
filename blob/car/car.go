// Package car reads and writes CARv1, the stream in which blocks travel from a program that
// stores to a hospital's gateway.
//
// A stream is a header and then sections: a varint length, the CID, the bytes of the block.
// Only what the network's objects consist of is accepted: a header with one root, CIDs of
// the network's two forms (CIDv1, SHA-256, raw or dag-pb, 36 bytes), blocks of 1 to
// [blob.MaxBlock] bytes that match their CID, lengths in their shortest form. The root in
// the header is not looked at: who uploads knows the root last, so the header may hold the
// empty identity CID (bafkqaaa) in its place.
//
// The format is that of https://ipld.io/specs/transport/car/carv1/.
package car

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// ErrFormat says that bytes are not a stream of the accepted form.
var ErrFormat = errors.New("not a CAR stream of the accepted form")

const (
	cidSize = len(lock.CID{})
	// maxSection is the greatest length that a section states.
	maxSection = cidSize + blob.MaxBlock
	// maxVarint is the most bytes that such a length takes in its shortest form.
	maxVarint = 3
	// MaxPrefix is the most bytes that stand before a block.
	MaxPrefix = maxVarint + cidSize
)

// The header is the map {"roots": [CID], "version": 1} in DAG-CBOR, of which the only part
// that varies is the CID.
const (
	headerStart = "\xa2\x65roots\x81\xd8\x2a"
	headerEnd   = "\x67version\x01"
	// placeholder is the empty identity CID as DAG-CBOR bytes, root the start of any other.
	placeholder = "\x45\x00\x01\x55\x00\x00"
	root        = "\x58\x25\x00"
	// header is what a Writer begins with.
	header = "\x19" + headerStart + placeholder + headerEnd
)

// HeaderSize is the length in bytes of the header that a [Writer] begins with.
const HeaderSize = len(header)

// Size returns how many bytes a block of this length takes in a stream.
func Size(length int) uint64 {
	section := uint64(cidSize + length)
	return uint64(varintSize(section)) + section
}

// A Writer writes a stream.
type Writer struct {
	w      io.Writer
	prefix []byte
}

// NewWriter begins a stream with a header whose root is left open.
func NewWriter(w io.Writer) (*Writer, error) {
	if _, err := io.WriteString(w, header); err != nil {
		return nil, err
	}
	return &Writer{w: w, prefix: make([]byte, 0, MaxPrefix)}, nil
}

// Put writes a block, which the caller has hashed. Errors are lock.ErrCID, blob.ErrTooLarge
// and those of the underlying writer.
func (w *Writer) Put(c lock.CID, block []byte) error {
	if err := blob.CheckTrusted(c, block); err != nil {
		return err
	}
	w.prefix = AppendPrefix(w.prefix[:0], c, len(block))
	if _, err := w.w.Write(w.prefix); err != nil {
		return err
	}
	_, err := w.w.Write(block)
	return err
}

// AppendPrefix appends what stands before a block of this length in a stream: the length of
// the section and the CID. It takes at most [MaxPrefix] bytes.
func AppendPrefix(b []byte, c lock.CID, length int) []byte {
	b = binary.AppendUvarint(b, uint64(cidSize+length))
	return append(b, c[:]...)
}

// ReadPrefix reads what AppendPrefix wrote and returns the CID and the length of the block
// that follows, from 0 to [blob.MaxBlock]. A length of 0 is none of a CAR stream: what it
// says is agreed between the two sides. Errors are [ErrFormat], lock.ErrCID,
// blob.ErrTooLarge, and those of the reader, io.EOF only before the first byte.
func ReadPrefix(r *bufio.Reader) (lock.CID, int, error) {
	length := 0
	for i := range maxVarint + 1 {
		b, err := r.ReadByte()
		if i > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return lock.CID{}, 0, err
		}
		if i == maxVarint || i > 0 && b == 0 {
			return lock.CID{}, 0, fmt.Errorf("length is not in its shortest form: %w", ErrFormat)
		}
		length |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			break
		}
	}
	if length > maxSection {
		return lock.CID{}, 0, fmt.Errorf("section of %d bytes, at most %d: %w: %w", length, maxSection, blob.ErrTooLarge, ErrFormat)
	}
	if length < cidSize {
		return lock.CID{}, 0, fmt.Errorf("section of %d bytes, at least %d: %w", length, cidSize, ErrFormat)
	}
	var id lock.CID
	if _, err := io.ReadFull(r, id[:]); errors.Is(err, io.EOF) {
		return lock.CID{}, 0, io.ErrUnexpectedEOF
	} else if err != nil {
		return lock.CID{}, 0, err
	}
	c, err := lock.CIDFromBytes(id[:])
	return c, length - cidSize, err
}

func varintSize(n uint64) int { return len(binary.AppendUvarint(nil, n)) }

// checkHeader returns an error unless b is a header, without its length.
func checkHeader(b []byte) error {
	rest, ok := cut(b, headerStart)
	if !ok {
		return fmt.Errorf("header of %d bytes: %w", len(b), ErrFormat)
	}
	if after, ok := cut(rest, root); ok && len(after) > cidSize {
		if _, err := lock.CIDFromBytes(after[:cidSize]); err != nil {
			return fmt.Errorf("root in the header: %w: %w", err, ErrFormat)
		}
		rest = after[cidSize:]
	} else if rest, ok = cut(rest, placeholder); !ok {
		return fmt.Errorf("header without exactly one root: %w", ErrFormat)
	}
	if string(rest) != headerEnd {
		return fmt.Errorf("header of another version: %w", ErrFormat)
	}
	return nil
}

func cut(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}
