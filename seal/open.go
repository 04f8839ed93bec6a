package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"github.com/phrd/phrd/lock"
)

// Source gives the blocks of an object back. Get is called by several goroutines at
// once. The caller owns the bytes and decrypts them in place. They need not have been
// checked: whatever Get returns is hashed before it is used.
type Source interface {
	Get(ctx context.Context, c lock.CID) ([]byte, error)
}

// maxEntrySize is an upper bound of the length in bytes of a manifest's entry, and
// maxHeaderSize of all before the entries.
const (
	maxEntrySize  = 128
	maxHeaderSize = 1024
)

// Object is an opened object, whose manifest was checked against its CID. Its bytes are
// checked leaf by leaf as they are read. Its methods may be called at the same time.
type Object struct {
	src      Source
	manifest *Manifest
	layout   Layout
}

// OpenObject reads and checks the manifest of the object that ref names: every rule of
// its format, the padded size, that no CID is named twice, and that manifest and leaves
// make exactly the DAG of the object's CID. It reads no data leaf. The memory it uses is
// bounded by ref's padded size.
//
// The error is [ErrManifest], joined by [ErrCiphertext] where a block of the manifest
// does not open, or that of src or ctx.
func OpenObject(ctx context.Context, src Source, ref Ref, dek DEK) (*Object, error) {
	o := &opening{ctx: ctx, src: src, ref: ref}
	manifest, err := o.manifest(dek)
	if err != nil {
		return nil, err
	}
	layout, err := o.check(manifest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return &Object{src: src, manifest: manifest, layout: layout}, nil
}

// opening is one call of OpenObject.
type opening struct {
	ctx    context.Context //nolint:containedctx // lives for one call
	src    Source
	ref    Ref
	levels [][]indexEntry // leaves of the manifest, root first
}

// manifest reads the manifest's leaves from the root down.
func (o *opening) manifest(dek DEK) (*Manifest, error) {
	// The last data leaf says how many entries there can be.
	leaves := o.ref.PaddedSize/LeafSize + 1
	if o.ref.PaddedSize < MinLeafSize || leaves > 2*MaxSize/LeafSize {
		return nil, fmt.Errorf("%w: object of %d bytes", ErrManifest, o.ref.PaddedSize)
	}
	budget := framedSize(maxHeaderSize + leaves*maxEntrySize)
	plain, err := o.root(dek)
	for {
		if err != nil {
			return nil, err
		}
		message, err := unframe(plain)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrManifest, err)
		}
		if !isIndex(message) {
			return DecodeManifest(message)
		}
		if len(o.levels) == maxLevels {
			return nil, fmt.Errorf("%w: more than %d levels", ErrManifest, maxLevels)
		}
		index, total, err := decodeIndex(message)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrManifest, err)
		}
		if total > budget {
			return nil, fmt.Errorf("%w: %d bytes for an object of %d", ErrManifest, total, o.ref.PaddedSize)
		}
		plain, err = o.level(index, total)
		if err != nil {
			return nil, err
		}
	}
}

// root opens the manifest's only leaf under the DEK, whose size nothing tells but the
// block.
func (o *opening) root(dek DEK) ([]byte, error) {
	block, err := o.src.Get(o.ctx, o.ref.Manifest)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if len(block) > LeafSize {
		return nil, fmt.Errorf("%w: %w: root of %d bytes", ErrManifest, ErrCiphertext, len(block))
	}
	leaf := indexEntry{cid: o.ref.Manifest, key: dek.b, length: uint32(max(len(block)-tagSize, 0))}
	o.levels = append(o.levels, []indexEntry{leaf})
	plain, err := openBlock(block[:0], leaf.cid, &leaf.key, block, len(block))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return plain, nil
}

// level opens the leaves that an index names and joins them.
func (o *opening) level(index []indexEntry, total uint64) ([]byte, error) {
	o.levels = append(o.levels, index)
	take := func(i uint64) (*indexEntry, error) { return &index[i], nil }
	open := func(ctx context.Context, leaf *indexEntry) ([]byte, error) {
		block, err := o.src.Get(ctx, leaf.cid)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		plain, err := openBlock(block[:0], leaf.cid, &leaf.key, block, int(leaf.length)+tagSize)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrManifest, err)
		}
		return plain, nil
	}
	joined := make([]byte, 0, total)
	for plain, err := range ordered(o.ctx, fetchers(len(index)), uint64(len(index)), take, open) {
		if err != nil {
			return nil, err
		}
		joined = append(joined, plain...)
	}
	return joined, nil
}

// check compares the manifest with what the chain says of the object.
func (o *opening) check(m *Manifest) (Layout, error) {
	layout, err := m.Layout()
	if err != nil {
		return Layout{}, err
	}
	if layout.Padded != o.ref.PaddedSize {
		return Layout{}, fmt.Errorf("padded size is %d, want %d", layout.Padded, o.ref.PaddedSize)
	}
	var dag DAG
	seen := make(map[lock.CID]struct{}, len(m.Entries)+1)
	add := func(c lock.CID, size int) error {
		if _, again := seen[c]; again {
			return fmt.Errorf("%s is named twice", c)
		}
		seen[c] = struct{}{}
		return dag.Add(c, size)
	}
	for i := range m.Entries {
		if err := add(m.Entries[i].CID, layout.LeafSize(uint64(i))); err != nil {
			return Layout{}, err
		}
	}
	for i := len(o.levels) - 1; i >= 0; i-- {
		for _, leaf := range o.levels[i] {
			if err := add(leaf.cid, int(leaf.length)+tagSize); err != nil {
				return Layout{}, err
			}
		}
	}
	root, err := dag.Root()
	if err != nil {
		return Layout{}, err
	}
	if root != o.ref.Object {
		return Layout{}, fmt.Errorf("it belongs to object %s, want %s", root, o.ref.Object)
	}
	return layout, nil
}

// fetchers is how many of n blocks are read at a time. Reading waits for disks and
// networks, so that there are more than processors.
func fetchers(n int) int { return max(1, min(n, runtime.GOMAXPROCS(0)+2)) }

// Manifest describes the file. It is secret, and shared: callers leave it as it is.
func (o *Object) Manifest() *Manifest { return o.manifest }

// Size is the length of the file in bytes.
func (o *Object) Size() uint64 { return o.manifest.Size }

// leaf reads data leaf i and returns the file's bytes in it.
func (o *Object) leaf(ctx context.Context, i uint64) ([]byte, error) {
	block, err := o.src.Get(ctx, o.manifest.Entries[i].CID)
	if err != nil {
		return nil, fmt.Errorf("read leaf %d: %w", i, err)
	}
	plain, err := o.manifest.openChunk(block[:0], i, block, o.layout.LeafSize(i))
	if err != nil {
		return nil, fmt.Errorf("leaf %d: %w", i, err)
	}
	return plain, nil
}

// chunks yields the leaves first … last−1.
func (o *Object) chunks(ctx context.Context, first, last uint64) iter.Seq2[[]byte, error] {
	take := func(i uint64) (uint64, error) { return first + i, nil }
	return ordered(ctx, fetchers(int(min(last-first, 1<<10))), last-first, take, o.leaf)
}

// WriteTo writes the whole file to w and checks every data leaf, also those that are
// padding only. What was written before an error is the file's beginning. The error is
// [ErrCiphertext], or that of the source, of w or of ctx.
func (o *Object) WriteTo(ctx context.Context, w io.Writer) (int64, error) {
	var written int64
	for plain, err := range o.chunks(ctx, 0, o.layout.Leaves) {
		if err != nil {
			return written, err
		}
		n, err := w.Write(plain)
		written += int64(n)
		if err != nil {
			return written, fmt.Errorf("write file: %w", err)
		}
	}
	return written, nil
}

// check reads and checks every data leaf, save some.
func (o *Object) check(ctx context.Context, save []lock.CID) error {
	if len(save) == 0 {
		_, err := o.WriteTo(ctx, io.Discard)
		return err
	}
	saved := make(map[lock.CID]struct{}, len(save))
	for _, c := range save {
		saved[c] = struct{}{}
	}
	leaf := func(ctx context.Context, i uint64) (struct{}, error) {
		if _, skip := saved[o.manifest.Entries[i].CID]; skip {
			return struct{}{}, nil
		}
		_, err := o.leaf(ctx, i)
		return struct{}{}, err
	}
	take := func(i uint64) (uint64, error) { return i, nil }
	for _, err := range ordered(ctx, fetchers(int(min(o.layout.Leaves, 1<<10))), o.layout.Leaves, take, leaf) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Reader returns a reader of length bytes from offset on; both may reach past the end,
// where the file just ends. It reads only the leaves that hold these bytes, a few of
// them ahead. Close it when it was not read to its end.
func (o *Object) Reader(ctx context.Context, offset, length uint64) *Reader {
	offset = min(offset, o.Size())
	length = min(length, o.Size()-offset)
	r := &Reader{skip: offset % ChunkSize, left: length}
	if length == 0 {
		return r
	}
	first, last := offset/ChunkSize, (offset+length-1)/ChunkSize+1
	r.next, r.stop = iter.Pull2(o.chunks(ctx, first, last))
	return r
}

// Reader reads a range of an object. One goroutine uses it at a time.
type Reader struct {
	next  func() ([]byte, error, bool)
	stop  func()
	chunk []byte // unread bytes of the leaf at hand
	skip  uint64 // bytes of the next leaf before the range
	left  uint64 // bytes of the range not yet read
	err   error
}

// errClosed says that a reader is used after Close.
var errClosed = errors.New("reader of an object is closed")

// fill gets the next leaf's part of the range when none is at hand.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.left == 0 {
		r.end(io.EOF)
		return r.err
	}
	for len(r.chunk) == 0 {
		plain, err, more := r.next()
		if err == nil && !more {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			r.end(err)
			return err
		}
		plain = plain[min(r.skip, uint64(len(plain))):]
		r.chunk, r.skip = plain[:min(r.left, uint64(len(plain)))], 0
	}
	return nil
}

func (r *Reader) end(err error) {
	r.err, r.chunk = err, nil
	if r.stop != nil {
		r.stop()
	}
}

// Read implements io.Reader. Bytes are checked before they are given out.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.chunk)
	r.chunk, r.left = r.chunk[n:], r.left-uint64(n)
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for {
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return written, err
		}
		n, err := w.Write(r.chunk)
		written += int64(n)
		r.chunk, r.left = r.chunk[n:], r.left-uint64(n)
		if err != nil {
			return written, fmt.Errorf("write file: %w", err)
		}
	}
}

// Close ends all reading ahead. It always returns nil.
func (r *Reader) Close() error {
	r.end(errClosed)
	return nil
}

// At returns an io.ReaderAt over the file, whose calls may run at the same time. It
// keeps the leaf that it read last, so that small steps within one leaf read it once.
func (o *Object) At(ctx context.Context) io.ReaderAt { return &readerAt{object: o, ctx: ctx} }

type readerAt struct {
	object *Object
	ctx    context.Context //nolint:containedctx // io.ReaderAt takes none

	mu    sync.Mutex
	last  uint64
	plain []byte // of leaf last; nil before the first
}

// ReadAt implements io.ReaderAt.
func (a *readerAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("negative offset")
	}
	from := uint64(offset)
	if len(p) == 0 || from >= a.object.Size() {
		return 0, a.object.end(from, p)
	}
	if i := from / ChunkSize; (from+uint64(len(p))-1)/ChunkSize == i {
		plain, err := a.leaf(i)
		if err != nil {
			return 0, err
		}
		n := copy(p, plain[from%ChunkSize:])
		return n, a.object.end(from, p)
	}
	r := a.object.Reader(a.ctx, from, uint64(len(p)))
	defer r.Close()
	n, err := io.ReadFull(r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) && r.left == 0 {
		err = io.EOF
	}
	return n, err
}

// end is io.EOF where a read of p from an offset on reaches past the file.
func (o *Object) end(from uint64, p []byte) error {
	if from > o.Size() || uint64(len(p)) > o.Size()-from {
		return io.EOF
	}
	return nil
}

// leaf returns the file's bytes in a leaf, from memory where it was the last one read.
func (a *readerAt) leaf(i uint64) ([]byte, error) {
	a.mu.Lock()
	last, plain := a.last, a.plain
	a.mu.Unlock()
	if plain != nil && last == i {
		return plain, nil
	}
	plain, err := a.object.leaf(a.ctx, i)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.last, a.plain = i, plain
	a.mu.Unlock()
	return plain, nil
}
