// Package car reads and writes CARv1, the stream in which blocks travel from a program that
// stores to a hospital's gateway, and the file in which an object travels by itself.
//
// A stream is a header and then sections: a varint length, the CID, the bytes of the block.
// Only what the network's objects consist of is accepted: a header with one root, CIDs of
// the network's two forms (CIDv1, SHA-256, raw or dag-pb, 36 bytes), blocks of 1 to
// [blob.MaxBlock] bytes that match their CID, lengths in their shortest form. In an upload the
// root in the header is not looked at: who uploads knows the root last, so the header may hold
// the empty identity CID (bafkqaaa) in its place. The file of an object names the object, and
// behind it the blocks that belong to it and that its tree does not lead to, as its roots.
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

// MaxRoots is how many roots a header has at most.
const MaxRoots = 16

// The header is the map {"roots": [CID], "version": 1} in DAG-CBOR, of which the only part
// that varies is the list of CIDs, of which arrayOf plus their number is the start.
const (
	headerStart = "\xa2\x65roots"
	arrayOf     = 0x80
	headerEnd   = "\x67version\x01"
	// link is what stands before a CID, placeholder is the empty identity CID as DAG-CBOR bytes,
	// root the start of any other.
	link        = "\xd8\x2a"
	placeholder = "\x45\x00\x01\x55\x00\x00"
	root        = "\x58\x25\x00"
	// header is what a Writer of an upload begins with.
	header = "\x19" + headerStart + "\x81" + link + placeholder + headerEnd
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

// NewObjectWriter begins the file of an object with a header that names the object and the
// blocks that belong to it, [MaxRoots] at most.
func NewObjectWriter(w io.Writer, object lock.CID, attached ...lock.CID) (*Writer, error) {
	if len(attached) >= MaxRoots {
		return nil, fmt.Errorf("%d roots, at most %d", len(attached)+1, MaxRoots)
	}
	body := append([]byte(headerStart), arrayOf+byte(len(attached)+1))
	for _, c := range append([]lock.CID{object}, attached...) {
		body = append(body, link+root...)
		body = append(body, c[:]...)
	}
	body = append(body, headerEnd...)
	if _, err := w.Write(append(binary.AppendUvarint(nil, uint64(len(body))), body...)); err != nil {
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

// parseHeader returns the roots of a header, without its length; the zero CID stands for one
// that was left open.
func parseHeader(b []byte) ([]lock.CID, error) {
	rest, ok := cut(b, headerStart)
	if !ok || len(rest) == 0 {
		return nil, fmt.Errorf("header of %d bytes: %w", len(b), ErrFormat)
	}
	count := int(rest[0]) - arrayOf
	if count < 1 || count > MaxRoots {
		return nil, fmt.Errorf("header without 1 to %d roots: %w", MaxRoots, ErrFormat)
	}
	roots := make([]lock.CID, count)
	rest = rest[1:]
	for i := range roots {
		if rest, ok = cut(rest, link); !ok {
			return nil, fmt.Errorf("header without %d roots: %w", count, ErrFormat)
		}
		if after, ok := cut(rest, root); ok && len(after) > cidSize {
			var err error
			if roots[i], err = lock.CIDFromBytes(after[:cidSize]); err != nil {
				return nil, fmt.Errorf("root in the header: %w: %w", err, ErrFormat)
			}
			rest = after[cidSize:]
		} else if rest, ok = cut(rest, placeholder); !ok {
			return nil, fmt.Errorf("a root in the header is of another form: %w", ErrFormat)
		}
	}
	if string(rest) != headerEnd {
		return nil, fmt.Errorf("header of another version: %w", ErrFormat)
	}
	return roots, nil
}

func cut(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}
