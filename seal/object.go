package seal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"github.com/phrd/phrd/lock"
)

// ErrSize says that a reader gave fewer or more bytes than the file was said to have.
var ErrSize = errors.New("the file does not have the size given")

// Sink takes the blocks of an object while it is sealed. Put is called by one
// goroutine at a time, in the order of the leaves; inner nodes come between. c is right:
// it was computed from the block. The block is valid only during the call. An error ends
// the sealing.
type Sink interface {
	Put(ctx context.Context, c lock.CID, block []byte) error
}

// SinkFunc makes a function a [Sink].
type SinkFunc func(ctx context.Context, c lock.CID, block []byte) error

// Put calls f.
func (f SinkFunc) Put(ctx context.Context, c lock.CID, block []byte) error { return f(ctx, c, block) }

// Draft says what to seal besides the bytes themselves.
type Draft struct {
	Name      string // UTF-8 in normal form C, at most 255 bytes
	MediaType string // printable ASCII, at most 127 bytes
	Created   uint64 // unix seconds
	Modified  uint64 // unix seconds
	Size      uint64 // exact length of the file in bytes; padding needs it beforehand

	// Previous, when set, is the manifest of a live version of the same record and
	// owner under the same lock. Each of its leaves is used again whose plaintext is in
	// the same place of this file; the Sink does not see those. A leaf holds this very
	// plaintext where the chunk, sealed under the leaf's key, has the leaf's CID. So
	// whoever made Previous can't have the new version name leaves that open to
	// something else, and none of them needs to be read back to know it.
	Previous *Manifest
	// Holds, when set, is asked whether a leaf of Previous that would be used again is
	// there, by several goroutines at once. Where it answers false the chunk is sealed anew.
	Holds func(context.Context, lock.CID) bool

	// Workers is how many chunks are sealed at a time; 0 means one for each processor.
	// Sealing holds at most 2×Workers+3 chunks of 1 MiB in memory, with Previous Workers more.
	Workers int
}

// Ref names an object: by what chain and envelope hold of it.
type Ref struct {
	Object     lock.CID // root of the DAG over all leaves
	Manifest   lock.CID // root of the manifest
	PaddedSize uint64   // bytes of all data leaves
}

// Sealed is an object that Seal has put into its Sink whole.
type Sealed struct {
	Ref      Ref
	DEK      DEK       // fresh; opens the manifest's root
	Contents *Manifest // secret

	Written uint64     // bytes put into the Sink, manifest and nodes included
	Reused  []lock.CID // data leaves taken over from the previous version, in order
	Saved   uint64     // bytes of these leaves
	Others  []lock.CID // manifest leaves, index leaves, manifest root and inner nodes, as they were put
}

// Blocks lists each block of the object once, taken-over leaves included.
func (s *Sealed) Blocks() iter.Seq[lock.CID] {
	return func(yield func(lock.CID) bool) {
		for c := range s.Contents.leaves() {
			if !yield(c) {
				return
			}
		}
		for _, c := range s.Others {
			if !yield(c) {
				return
			}
		}
	}
}

// Seal reads the draft's Size bytes from r, which must then end, and puts the sealed
// object into sink: data leaves, manifest leaves, and inner nodes as they fill. Memory
// is bounded by Workers, but for about 100 bytes a chunk that the manifest needs.
//
// Seal returns ErrSize when r gives another number of bytes, ErrManifest when name or
// media type break the format, or the error of r, sink or ctx. What the sink holds
// after an error belongs to no object. A reader that blocks blocks Seal: close it to
// end early. Every call draws new keys.
func Seal(ctx context.Context, sink Sink, r io.Reader, d Draft) (*Sealed, error) {
	return sealObject(ctx, sink, r, d, rand.Reader)
}

// sealObject is Seal with the source of keys given. Keys are drawn in a fixed order:
// DEK, one for each chunk, one for each leaf of a manifest that has several and of its
// indexes.
func sealObject(ctx context.Context, sink Sink, r io.Reader, d Draft, random io.Reader) (*Sealed, error) {
	if err := checkText(d.Name, d.MediaType); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	layout, err := LayoutOf(d.Size)
	if err != nil {
		return nil, err
	}
	if d.Workers < 1 {
		d.Workers = runtime.GOMAXPROCS(0)
	}
	d.Workers = int(min(uint64(d.Workers), layout.Leaves))
	dek, err := newSecret(random)
	if err != nil {
		return nil, err
	}
	contents := &Manifest{
		Name: d.Name, MediaType: d.MediaType, Created: d.Created, Modified: d.Modified, Size: d.Size,
		Entries: make([]Entry, 0, min(layout.Leaves, 1<<14)),
	}
	s := &sealing{
		sink: sink, layout: layout, random: random, draft: d,
		out: &Sealed{Ref: Ref{PaddedSize: layout.Padded}, DEK: DEK{dek}, Contents: contents},
	}
	s.dag.Put = func(c lock.CID, node []byte) error { return s.putOther(ctx, c, node) }
	if err := s.chunks(ctx, r); err != nil {
		return nil, err
	}
	if s.out.Ref.Manifest, err = s.manifest(ctx); err != nil {
		return nil, err
	}
	if s.out.Ref.Object, err = s.dag.Root(); err != nil {
		return nil, err
	}
	return s.out, nil
}

// sealing is one call of Seal.
type sealing struct {
	sink   Sink
	draft  Draft
	layout Layout
	random io.Reader
	dag    DAG
	out    *Sealed
}

// put hands a block to the sink and counts it.
func (s *sealing) put(ctx context.Context, c lock.CID, block []byte) error {
	if err := s.sink.Put(ctx, c, block); err != nil {
		return fmt.Errorf("put block %s: %w", c, err)
	}
	s.out.Written += uint64(len(block))
	return nil
}

func (s *sealing) putOther(ctx context.Context, c lock.CID, block []byte) error {
	s.out.Others = append(s.out.Others, c)
	return s.put(ctx, c, block)
}

func (s *sealing) newKey(key *[KeySize]byte) error {
	if _, err := io.ReadFull(s.random, key[:]); err != nil {
		return fmt.Errorf("read random bytes: %w", err)
	}
	return nil
}

// buffers are used again: clearing a megabyte of fresh memory costs as much as hashing
// a part of it. What lies in them is ciphertext, or wiped.
var buffers = sync.Pool{New: func() any { return new([LeafSize]byte) }}

// chunk is one data leaf on its way.
type chunk struct {
	at     uint64
	memory *[LeafSize]byte // from buffers; nil for a leaf that is not full
	plain  []byte          // with padding; has room for the tag
	sealed []byte          // nil when a leaf is used again
	entry  Entry
}

func (c *chunk) free() {
	if c.sealed == nil {
		clear(c.plain)
	}
	if c.memory != nil {
		buffers.Put(c.memory)
	}
}

// chunks reads the file, seals its leaves and puts them.
func (s *sealing) chunks(ctx context.Context, r io.Reader) error {
	take := func(i uint64) (*chunk, error) { return s.read(r, i) }
	for c, err := range ordered(ctx, s.draft.Workers, s.layout.Leaves, take, s.seal) {
		if err != nil {
			return err
		}
		if c.sealed == nil {
			s.out.Reused = append(s.out.Reused, c.entry.CID)
			s.out.Saved += uint64(len(c.plain) + tagSize)
		} else if err := s.put(ctx, c.entry.CID, c.sealed); err != nil {
			return err
		}
		if err := s.dag.Add(c.entry.CID, len(c.plain)+tagSize); err != nil {
			return err
		}
		s.out.Contents.Entries = append(s.out.Contents.Entries, c.entry)
		c.free()
	}
	return nil
}

// read takes the next chunk from the file, and after the last one checks that the file
// ends.
func (s *sealing) read(r io.Reader, i uint64) (*chunk, error) {
	c, size := &chunk{at: i}, s.layout.LeafSize(i)
	if size == LeafSize {
		memory, _ := buffers.Get().(*[LeafSize]byte)
		c.memory, c.plain = memory, memory[:size-tagSize]
	} else {
		c.plain = make([]byte, size-tagSize, size)
	}
	length := s.layout.Length(i)
	c.entry.Length = uint32(length)
	if _, err := io.ReadFull(r, c.plain[:length]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it ends before %d bytes", ErrSize, s.layout.Size)
		}
		return nil, fmt.Errorf("read file: %w", err)
	}
	clear(c.plain[length:])
	if err := s.newKey(&c.entry.Key); err != nil {
		return nil, err
	}
	if i+1 < s.layout.Leaves {
		return c, nil
	}
	var more [1]byte
	switch _, err := io.ReadFull(r, more[:]); {
	case err == nil:
		return nil, fmt.Errorf("%w: it goes on after %d bytes", ErrSize, s.layout.Size)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read file: %w", err)
	}
	return c, nil
}

// seal seals a chunk in its own memory, or finds it in the previous version.
func (s *sealing) seal(ctx context.Context, c *chunk) (*chunk, error) {
	leaf, err := s.earlier(ctx, c)
	if err != nil {
		return nil, err
	}
	if leaf != nil {
		c.entry.CID, c.entry.Key = leaf.CID, leaf.Key
		return c, nil
	}
	sealed, err := sealOnce(&c.entry.Key, c.plain, nil)
	if err != nil {
		return nil, err
	}
	c.sealed, c.entry.CID = sealed, rawCID(sealed)
	return c, nil
}

// earlier is the previous version's leaf in the chunk's place, where that holds the same and is there; else nil.
func (s *sealing) earlier(ctx context.Context, c *chunk) (*Entry, error) {
	previous := s.draft.Previous
	if previous == nil || c.at >= uint64(len(previous.Entries)) {
		return nil, nil
	}
	leaf := &previous.Entries[c.at]
	same, err := isSealed(leaf, c.plain)
	if err != nil || !same || s.draft.Holds != nil && !s.draft.Holds(ctx, leaf.CID) {
		return nil, err
	}
	return leaf, nil
}

// isSealed tells whether a leaf is this plaintext under its key. What is sealed for it is the
// very leaf, or is forgotten here.
func isSealed(leaf *Entry, plain []byte) (bool, error) {
	var sealed []byte
	if size := len(plain) + tagSize; size == LeafSize {
		memory, _ := buffers.Get().(*[LeafSize]byte)
		defer buffers.Put(memory)
		sealed = memory[:0]
	} else {
		sealed = make([]byte, 0, size)
	}
	sealed, err := sealOnce(&leaf.Key, append(sealed, plain...), nil)
	if err != nil {
		return false, err
	}
	same := rawCID(sealed) == leaf.CID
	if !same {
		clear(sealed) // a second message under that key must leave this function in no form
	}
	return same, nil
}

// manifest seals the manifest, and indexes over it while it fills more than one leaf,
// and returns the CID of its root.
func (s *sealing) manifest(ctx context.Context) (lock.CID, error) {
	m := s.out.Contents
	leaves, err := s.message(ctx, m.encodedSize(), m.parts())
	for err == nil && len(leaves) > 1 {
		index := appendIndex(nil, leaves)
		leaves, err = s.message(ctx, uint64(len(index)), func(yield func([]byte) bool) { yield(index) })
	}
	if err != nil {
		return lock.CID{}, err
	}
	return leaves[0].cid, nil
}

// message frames a message of length bytes, whose parts it gets, and seals it as leaves:
// one under the DEK when it fits, else each under a key of its own.
func (s *sealing) message(ctx context.Context, length uint64, parts iter.Seq[[]byte]) ([]indexEntry, error) {
	left := framedSize(length)
	single := left <= ChunkSize
	var leaves []indexEntry
	buf := make([]byte, 0, min(left, ChunkSize)+tagSize)
	flush := func() error {
		leaf := indexEntry{length: uint32(len(buf)), key: s.out.DEK.b}
		if !single {
			if err := s.newKey(&leaf.key); err != nil {
				return err
			}
		}
		sealed, err := sealOnce(&leaf.key, buf, nil)
		if err != nil {
			return err
		}
		leaf.cid = rawCID(sealed)
		if err := s.putOther(ctx, leaf.cid, sealed); err != nil {
			return err
		}
		leaves = append(leaves, leaf)
		left, buf = left-uint64(len(buf)), buf[:0]
		return s.dag.Add(leaf.cid, len(sealed))
	}
	write := func(part []byte) error {
		for len(part) > 0 {
			room := int(min(left, ChunkSize)) - len(buf)
			n := min(room, len(part))
			buf, part = append(buf, part[:n]...), part[n:]
			if n == room {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := write(binary.BigEndian.AppendUint64(nil, length)); err != nil {
		return nil, err
	}
	for part := range parts {
		if err := write(part); err != nil {
			return nil, err
		}
	}
	return leaves, write(make([]byte, left-uint64(len(buf))))
}
