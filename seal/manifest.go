package seal

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"unicode/utf8"

	"github.com/phrd/phrd/lock"
	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrManifest says that a manifest is malformed, breaks a rule of the format or
// belongs to another object.
var ErrManifest = errors.New("invalid manifest")

const (
	maxNameLength  = 255
	maxMediaLength = 127

	fieldEntry protowire.Number = 7
	fieldIndex protowire.Number = 15
)

// Manifest describes one version of a file. It is secret: outside the owner's and
// the opener's memory it exists only sealed.
type Manifest struct {
	Name      string    // UTF-8 in normal form C, at most 255 bytes, may be empty; data, never a path
	MediaType string    // printable ASCII, at most 127 bytes, may be empty
	Created   uint64    // unix seconds
	Modified  uint64    // unix seconds
	Size      uint64    // bytes of the file
	Entries   []Entry   // data leaves in order
	IDs       *ChunkIDs // of a manifest of the first form; nil in those that are made today
}

// Entry describes one data leaf.
type Entry struct {
	CID    lock.CID      // of the ciphertext, raw codec
	Key    [KeySize]byte // AES-256 key of this leaf alone
	Length uint32        // bytes of the file in it
}

// Layout returns the layout that the manifest's size demands.
func (m *Manifest) Layout() (Layout, error) { return LayoutOf(m.Size) }

// leaves lists the CIDs of the data leaves.
func (m *Manifest) leaves() iter.Seq[lock.CID] {
	return func(yield func(lock.CID) bool) {
		for i := range m.Entries {
			if !yield(m.Entries[i].CID) {
				return
			}
		}
	}
}

// check applies the rules of docs/custody.md, appendix A, object and manifest, but
// for those that need the DAG.
func (m *Manifest) check() error {
	if err := checkText(m.Name, m.MediaType); err != nil {
		return err
	}
	layout, err := m.Layout()
	if err != nil {
		return err
	}
	if uint64(len(m.Entries)) != layout.Leaves {
		return fmt.Errorf("%d entries, want %d for the size", len(m.Entries), layout.Leaves)
	}
	if m.IDs != nil && len(m.IDs.Each) != len(m.Entries) {
		return fmt.Errorf("%d chunk ids for %d entries", len(m.IDs.Each), len(m.Entries))
	}
	seen := make(map[lock.CID]struct{}, len(m.Entries))
	for i := range m.Entries {
		e := &m.Entries[i]
		if want := layout.Length(uint64(i)); uint64(e.Length) != uint64(want) {
			return fmt.Errorf("entry %d: length %d, want %d for the size", i, e.Length, want)
		}
		if !e.CID.IsRaw() {
			return fmt.Errorf("entry %d: CID is not raw", i)
		}
		if _, again := seen[e.CID]; again {
			return fmt.Errorf("entry %d: CID named twice", i)
		}
		seen[e.CID] = struct{}{}
	}
	return nil
}

func checkText(name, mediaType string) error {
	switch {
	case len(name) > maxNameLength:
		return errors.New("name is longer than 255 bytes")
	case !utf8.ValidString(name):
		return errors.New("name is not UTF-8")
	case !norm.NFC.IsNormalString(name):
		return errors.New("name is not in normal form C")
	case len(mediaType) > maxMediaLength:
		return errors.New("media type is longer than 127 bytes")
	case !printableASCII(mediaType):
		return errors.New("media type is not printable ASCII")
	}
	return nil
}

// printableASCII reports whether s holds only the bytes from space to tilde.
func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Encode returns the manifest's protobuf, or ErrManifest when it breaks a rule.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	b := make([]byte, 0, m.encodedSize())
	for part := range m.parts() {
		b = append(b, part...)
	}
	return b, nil
}

// parts yields the manifest's protobuf piece by piece. A piece is valid until the next.
func (m *Manifest) parts() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		part := m.appendHeader(nil)
		for i := 0; yield(part) && i < len(m.Entries); i++ {
			part = m.Entries[i].append(part[:0], m.IDs.at(i))
		}
	}
}

// appendHeader appends all fields that stand before the entries.
func (m *Manifest) appendHeader(b []byte) []byte {
	b = appendBytes(b, 1, []byte(m.Name))
	b = appendBytes(b, 2, []byte(m.MediaType))
	b = appendUint(b, 3, m.Created)
	b = appendUint(b, 4, m.Modified)
	b = appendUint(b, 5, m.Size)
	if m.IDs != nil {
		b = appendBytes(b, 6, m.IDs.Key[:])
	}
	return b
}

// append appends the entry as a field of a manifest, with the chunk's id where there is one.
func (e *Entry) append(b, id []byte) []byte {
	b = protowire.AppendTag(b, fieldEntry, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(e.bodySize(id)))
	b = appendBytes(b, 1, e.CID[:])
	b = appendBytes(b, 2, e.Key[:])
	b = appendUint(b, 3, uint64(e.Length))
	return appendBytes(b, 4, id)
}

func (e *Entry) bodySize(id []byte) int {
	n := 2 + len(e.CID) + 2 + len(e.Key)
	if len(id) > 0 {
		n += 2 + len(id)
	}
	if e.Length > 0 {
		n += 1 + protowire.SizeVarint(uint64(e.Length))
	}
	return n
}

// encodedSize returns the length in bytes of the manifest's protobuf.
func (m *Manifest) encodedSize() uint64 {
	n := uint64(len(m.appendHeader(nil)))
	for i := range m.Entries {
		body := m.Entries[i].bodySize(m.IDs.at(i))
		n += uint64(1 + protowire.SizeVarint(uint64(body)) + body)
	}
	return n
}

// DecodeManifest reads a manifest's protobuf without its frame and checks every rule
// that needs no block: field forms, text, number and lengths of entries for the size,
// no CID twice. It answers ErrManifest otherwise.
func DecodeManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := m.decode(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return m, nil
}

func (m *Manifest) decode(b []byte) error {
	_, err := walk(b, fieldEntry, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&m.Name)
		case 2:
			return f.text(&m.MediaType)
		case 3:
			return f.uint(&m.Created)
		case 4:
			return f.uint(&m.Modified)
		case 5:
			return f.uint(&m.Size)
		case 6:
			m.IDs = new(ChunkIDs)
			return f.fixed(m.IDs.Key[:])
		case fieldEntry:
			data, err := f.bytes()
			if err != nil {
				return err
			}
			if err := m.decodeEntry(data); err != nil {
				return fmt.Errorf("entry %d: %w", len(m.Entries), err)
			}
			return nil
		}
		return f.unknown()
	})
	if err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	return m.sameAs(b)
}

// sameAs checks that encoding the manifest gives b, without holding a second copy.
func (m *Manifest) sameAs(b []byte) error {
	for part := range m.parts() {
		rest, ok := bytes.CutPrefix(b, part)
		if !ok {
			return errNotCanonical
		}
		b = rest
	}
	if len(b) != 0 {
		return errNotCanonical
	}
	return nil
}

// decodeEntry appends the entry, and its chunk's id where the manifest has an id key, which comes before the entries.
func (m *Manifest) decodeEntry(b []byte) error {
	var e Entry
	var id [32]byte
	var length uint64
	seen, err := walk(b, 0, func(f field) error {
		switch f.num {
		case 1:
			return f.cid(&e.CID)
		case 2:
			return f.fixed(e.Key[:])
		case 3:
			return f.uint(&length)
		case 4:
			if m.IDs == nil {
				return f.unknown()
			}
			return f.fixed(id[:])
		}
		return f.unknown()
	})
	if err != nil {
		return err
	}
	if err := seen.need(1, 2); err != nil {
		return err
	}
	if m.IDs != nil {
		if err := seen.need(4); err != nil {
			return err
		}
		m.IDs.Each = append(m.IDs.Each, id)
	}
	if length > math.MaxUint32 {
		return errors.New("length is over 32 bits")
	}
	e.Length = uint32(length)
	m.Entries = append(m.Entries, e)
	return nil
}
