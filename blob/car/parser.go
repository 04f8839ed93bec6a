package car

import (
	"errors"
	"fmt"
	"io"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// maxHeader is the greatest length that a header of so many roots states.
func maxHeader(roots int) int {
	return len(headerStart) + 1 + roots*(len(link)+len(root)+cidSize) + len(headerEnd)
}

// Parser takes a stream in pieces of any size and hands on each block as soon as it is
// whole. It holds at most one block. It is used by one goroutine at a time.
//
// A stream may be cut at any byte and go on later with a new Parser: what lies behind
// [Parser.Boundary] is sent again.
type Parser struct {
	block    func(c lock.CID, block []byte) error
	roots    func(roots []lock.CID) error // nil where they are not looked at
	headed   bool                         // the header was read
	boundary uint64                       // of the stream
	held     []byte                       // the start of a section, or of the header
	err      error                        // what ended the parser
}

// NewParser returns a Parser at the start of a stream. For each block, in order, it calls a
// function with the CID and the bytes, which match; they are valid during the call only.
// An error of the function ends the parser.
func NewParser(block func(c lock.CID, block []byte) error) *Parser {
	return Resume(0, block)
}

// Resume returns a Parser that goes on at a boundary of a stream whose first part another
// Parser has taken. At 0 it begins anew.
func Resume(boundary uint64, block func(c lock.CID, block []byte) error) *Parser {
	return &Parser{block: block, headed: boundary > 0, boundary: boundary}
}

// NewObjectParser is NewParser for the file of an object: first it calls a function with the
// roots in the header, of which none is left open, and an error of that ends it too.
func NewObjectParser(roots func(roots []lock.CID) error, block func(c lock.CID, block []byte) error) *Parser {
	return &Parser{roots: roots, block: block}
}

// Boundary returns the offset in the stream behind the last block that was handed on without
// an error; before the first block the length of the header, and 0 before that.
func (p *Parser) Boundary() uint64 { return p.boundary }

// Pending returns how many bytes behind the boundary are held.
func (p *Parser) Pending() int { return len(p.held) }

// Write takes the next piece of the stream. Errors are [ErrFormat], lock.ErrCID,
// blob.ErrTooLarge and blob.ErrMismatch for a stream that can't be accepted, and those of
// the function that takes blocks. Once it failed, the Parser takes nothing more.
func (p *Parser) Write(b []byte) (int, error) {
	taken := 0
	for p.err == nil && taken < len(b) {
		n, err := p.take(b[taken:])
		taken += n
		p.err = err
	}
	if p.err != nil {
		p.held = nil
		return taken, p.err
	}
	return taken, nil
}

// Close tells whether the stream may end here: it is an error that is [ErrFormat] and
// io.ErrUnexpectedEOF inside a section, or before the header. After a failed Write it is the
// error of that.
func (p *Parser) Close() error {
	if p.err != nil {
		return p.err
	}
	if !p.headed || len(p.held) > 0 {
		p.err = fmt.Errorf("stream ends %d bytes after offset %d: %w: %w", len(p.held), p.boundary, io.ErrUnexpectedEOF, ErrFormat)
		return p.err
	}
	p.err = errors.New("CAR stream has ended")
	return nil
}

// take takes bytes up to the end of the current section at most. It returns how many.
func (p *Parser) take(b []byte) (int, error) {
	if len(p.held) == 0 {
		// A section that is whole in b is used where it lies.
		size, err := p.sectionSize(b)
		if err != nil {
			return 0, err
		}
		if size > 0 && size <= len(b) {
			return size, p.finish(b[:size])
		}
	}
	// First the length, byte by byte, then the rest.
	size, err := p.sectionSize(p.held)
	if err != nil {
		return 0, err
	}
	if size == 0 {
		p.held = append(p.held, b[0])
		_, err := p.sectionSize(p.held)
		return 1, err
	}
	n := min(size-len(p.held), len(b))
	if cap(p.held) < size {
		p.held = append(make([]byte, 0, size), p.held...)
	}
	p.held = append(p.held, b[:n]...)
	if len(p.held) < size {
		return n, nil
	}
	err = p.finish(p.held)
	p.held = p.held[:0]
	return n, err
}

// sectionSize returns the length of a section with its prefix from its first bytes, and 0
// when these do not tell yet.
func (p *Parser) sectionSize(b []byte) (int, error) {
	least, most := cidSize+1, maxSection
	if !p.headed && p.roots == nil {
		least, most = 1, maxHeader(1)
	} else if !p.headed {
		least, most = 1, maxHeader(MaxRoots)
	}
	length := 0
	for i, c := range b {
		if i == maxVarint {
			return 0, p.wrong(fmt.Errorf("length of more than %d bytes: %w", maxVarint, ErrFormat))
		}
		length |= int(c&0x7f) << (7 * i)
		if c >= 0x80 {
			continue
		}
		if i > 0 && c == 0 {
			return 0, p.wrong(fmt.Errorf("length is not in its shortest form: %w", ErrFormat))
		}
		if length > most && p.headed {
			return 0, p.wrong(fmt.Errorf("section of %d bytes, at most %d: %w: %w", length, most, blob.ErrTooLarge, ErrFormat))
		}
		if length < least || length > most {
			return 0, p.wrong(fmt.Errorf("section of %d bytes, want %d to %d: %w", length, least, most, ErrFormat))
		}
		return i + 1 + length, nil
	}
	return 0, nil
}

// finish takes a whole section.
func (p *Parser) finish(section []byte) error {
	body := section
	for body[0] >= 0x80 {
		body = body[1:]
	}
	body = body[1:]
	if !p.headed {
		if err := p.head(body); err != nil {
			return err
		}
		p.headed = true
	} else if err := p.hand(body); err != nil {
		return err
	}
	p.boundary += uint64(len(section))
	return nil
}

// head takes the header.
func (p *Parser) head(body []byte) error {
	roots, err := parseHeader(body)
	if err != nil {
		return err
	}
	if p.roots == nil {
		if len(roots) != 1 {
			return fmt.Errorf("header without exactly one root: %w", ErrFormat)
		}
		return nil
	}
	for _, c := range roots {
		if c.IsZero() {
			return fmt.Errorf("a root in the header is left open: %w", ErrFormat)
		}
	}
	return p.roots(roots)
}

// hand checks a block and hands it on.
func (p *Parser) hand(body []byte) error {
	c, err := lock.CIDFromBytes(body[:cidSize])
	if err != nil {
		return p.wrong(err)
	}
	block := body[cidSize:]
	if err := blob.Check(c, block); err != nil {
		return p.wrong(err)
	}
	return p.block(c, block)
}

// wrong tells where in the stream something is wrong.
func (p *Parser) wrong(err error) error {
	return fmt.Errorf("at offset %d: %w", p.boundary, err)
}
