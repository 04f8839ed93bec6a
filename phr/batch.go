package phr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

const (
	// smallFile is up to which size a file travels with others: it is one leaf.
	smallFile = seal.ChunkSize
	// packetBytes is how many bytes of small files travel together: they are sealed in memory, while those before them travel.
	packetBytes = 8 << 20
	// readBytes and readBlocks are how much is read back with one request.
	readBytes  = 4 << 20
	readBlocks = 512
	// commitsAtOnce is how many transactions wait for their blocks at the same time.
	commitsAtOnce = 4
)

// StoreAll stores many files, as [Client.Store] does one: those of at most one leaf, a mebibyte, travel together, with one upload,
// one write to the hospital's disk and one reading back, and as many as fit are registered with one transaction. Meanwhile the next
// ones are sealed. Larger files are sent one by one.
//
// files gives one file after another; its Content is read before the next one is asked for. done is told what became of each file,
// by its place from 0, in any order, by one goroutine at a time; one file's error ends nothing else. StoreAll returns when done was
// told of every file that files gave, and returns the error of ctx where that ended it.
func (c *Client) StoreAll(ctx context.Context, files iter.Seq[NewVersion], done func(place int, stored *Stored, err error)) error {
	s := &storing{client: c, gate: make(chan struct{}, commitsAtOnce), done: done}
	place := 0
	for v := range files {
		if err := ctx.Err(); err != nil {
			s.tell(place, nil, err)
			break
		}
		s.take(ctx, place, v)
		place++
	}
	s.flush(ctx)
	s.commits.Wait()
	return ctx.Err()
}

// storing is one call of StoreAll.
type storing struct {
	client   *Client
	packet   *packet
	underWay *underWay  // the packet before; nil where there is none
	ready    []uploaded // wait to be registered
	bytes    int        // of their message
	gate     chan struct{}
	commits  sync.WaitGroup
	records  map[lock.ID]bool // that get a version which the chain may not have yet

	mu   sync.Mutex // of done
	done func(int, *Stored, error)
}

// uploaded is a file that waits to be registered.
type uploaded struct {
	place int
	file  *Uploaded
}

// underWay is a packet that is sent and read back.
type underWay struct {
	done  chan struct{}
	files []sent // once done is closed
}

// sent is what became of a file of a packet.
type sent struct {
	uploaded
	err error
}

func (s *storing) tell(place int, stored *Stored, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done(place, stored, err)
}

// take uploads a file, or lets it wait for others.
func (s *storing) take(ctx context.Context, place int, v NewVersion) {
	if s.records[v.Record] {
		// The next version of a record follows from what the chain has.
		s.flush(ctx)
		s.commits.Wait()
		s.records = nil
	}
	if v.Record != (lock.ID{}) {
		if s.records == nil {
			s.records = map[lock.ID]bool{}
		}
		s.records[v.Record] = true
	}
	if !isSmall(v) {
		up, err := s.client.Upload(ctx, v)
		s.took(ctx, place, up, err)
		return
	}
	if s.packet != nil && !s.packet.fits(v) {
		s.send(ctx)
	}
	if s.packet == nil {
		s.packet = s.client.newPacket(&vaults{client: s.client})
	}
	s.packet.add(ctx, place, v)
}

// took is told what became of an upload.
func (s *storing) took(ctx context.Context, place int, up *Uploaded, err error) {
	if err != nil {
		s.tell(place, nil, err)
		return
	}
	size := proto.Size(up.message) + 8
	if len(s.ready) == MaxBatch || s.bytes+size > messageBytes {
		s.register(ctx)
	}
	s.ready, s.bytes = append(s.ready, uploaded{place, up}), s.bytes+size
}

// send begins to send the small files that wait, when those before them have arrived.
func (s *storing) send(ctx context.Context) {
	s.arrive(ctx)
	if s.packet == nil {
		return
	}
	p, on := s.packet, &underWay{done: make(chan struct{})}
	s.packet, s.underWay = nil, on
	go func() {
		defer close(on.done)
		p.send(ctx, func(place int, up *Uploaded, err error) { on.files = append(on.files, sent{uploaded{place, up}, err}) })
	}()
}

// arrive waits for the small files that are under way.
func (s *storing) arrive(ctx context.Context) {
	if s.underWay == nil {
		return
	}
	<-s.underWay.done
	for _, f := range s.underWay.files {
		s.took(ctx, f.place, f.file, f.err)
	}
	s.underWay = nil
}

// register begins a transaction for what waits to be registered.
func (s *storing) register(ctx context.Context) {
	ready := s.ready
	s.ready, s.bytes = nil, 0
	if len(ready) == 0 {
		return
	}
	s.gate <- struct{}{}
	s.commits.Go(func() {
		defer func() { <-s.gate }()
		s.client.commitEach(ctx, ready, s.tell)
	})
}

func (s *storing) flush(ctx context.Context) {
	s.send(ctx)
	s.arrive(ctx)
	s.register(ctx)
}

// commitEach registers files together. Where the chain refuses them, one of them may be at fault: then each half is tried.
func (c *Client) commitEach(ctx context.Context, files []uploaded, tell func(int, *Stored, error)) {
	list := make([]*Uploaded, len(files))
	for i, f := range files {
		list[i] = f.file
	}
	_, err := c.Commit(ctx, list...)
	var refused *Refused
	if errors.As(err, &refused) && len(files) > 1 && !errors.Is(err, ErrBusy) {
		c.commitEach(ctx, files[:len(files)/2], tell)
		c.commitEach(ctx, files[len(files)/2:], tell)
		return
	}
	for _, f := range files {
		if err != nil {
			tell(f.place, nil, err)
		} else {
			tell(f.place, &f.file.Stored, nil)
		}
	}
}

// UploadAll is [Client.Upload] of several files, at most [MaxBatch], that [Client.StoreAll] would send together. For each file there
// is either what was uploaded or an error. No two are versions of one record.
func (c *Client) UploadAll(ctx context.Context, files []NewVersion) ([]*Uploaded, []error) {
	done, errs := make([]*Uploaded, len(files)), make([]error, len(files))
	known := &vaults{client: c}
	p := c.newPacket(known)
	took := func(place int, up *Uploaded, err error) { done[place], errs[place] = up, err }
	for place, v := range files {
		if !isSmall(v) {
			up, err := c.upload(ctx, v, known)
			took(place, up, err)
			continue
		}
		if !p.fits(v) {
			p.send(ctx, took)
			p = c.newPacket(known)
		}
		p.add(ctx, place, v)
	}
	p.send(ctx, took)
	return done, errs
}

// isSmall tells that a file travels with others. One that names leaves of an earlier version is asked about by itself.
func isSmall(v NewVersion) bool { return v.Size <= smallFile && v.Previous == nil }

// packet is small files that travel together. They are sealed in memory, at the same time.
type packet struct {
	client *Client
	known  *vaults
	files  []*smallPacked
	bytes  uint64
	work   sync.WaitGroup
	gate   chan struct{}
}

// smallPacked is a file of a packet.
type smallPacked struct {
	packed
	place  int
	blocks []block
	err    error
}

type block struct {
	cid   lock.CID
	bytes []byte
}

// Put implements seal.Sink.
func (f *smallPacked) Put(_ context.Context, c lock.CID, b []byte) error {
	f.blocks = append(f.blocks, block{c, bytes.Clone(b)})
	return nil
}

func (c *Client) newPacket(known *vaults) *packet {
	return &packet{client: c, known: known, gate: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// fits tells that one more file may travel with the others.
func (p *packet) fits(v NewVersion) bool {
	return len(p.files) < MaxBatch && (len(p.files) == 0 || p.bytes+v.Size <= packetBytes)
}

// add reads a file and begins to seal it. Its error, if there is one, is told by send.
func (p *packet) add(ctx context.Context, place int, v NewVersion) {
	f := &smallPacked{place: place}
	p.files, p.bytes = append(p.files, f), p.bytes+v.Size
	content, err := io.ReadAll(io.LimitReader(v.Content, int64(v.Size)+1))
	if err != nil {
		f.err = fmt.Errorf("read file: %w", err)
		return
	}
	v.Content = bytes.NewReader(content)
	terms, class, err := p.known.terms(ctx, v)
	if err != nil {
		f.err = err
		return
	}
	f.packed = packed{v: v, terms: terms, class: class, draft: draftOf(v)}
	f.each(p, func() error { return f.seal(ctx, f) })
}

// each does a part of the work on a file, as many at a time as there are processors.
func (f *smallPacked) each(p *packet, work func() error) {
	p.gate <- struct{}{}
	p.work.Go(func() {
		defer func() { <-p.gate }()
		f.err = work()
	})
}

// send uploads the files, reads them back, and tells what became of each.
func (p *packet) send(ctx context.Context, tell func(place int, up *Uploaded, err error)) {
	p.work.Wait()
	good := p.good()
	if len(good) > 0 {
		if err := p.upload(ctx, good); err != nil {
			for _, f := range good {
				f.err = errors.Join(f.err, err)
			}
		}
	}
	for _, f := range p.files {
		if f.err != nil {
			tell(f.place, nil, f.err)
			continue
		}
		tell(f.place, f.uploaded(), nil)
	}
}

// good are the files that nothing is wrong with so far.
func (p *packet) good() []*smallPacked {
	var good []*smallPacked
	for _, f := range p.files {
		if f.err == nil {
			good = append(good, f)
		}
	}
	return good
}

// upload sends the blocks of files and reads them back. The error is one of all of them.
func (p *packet) upload(ctx context.Context, files []*smallPacked) error {
	home, err := p.client.doorOf(ctx, files[0].terms.Custodian)
	if err != nil {
		return err
	}
	var size uint64
	for _, f := range files {
		for _, b := range f.blocks {
			size += car.Size(len(b.bytes))
		}
	}
	up, err := home.newUpload(ctx, size, nil)
	if err != nil {
		return err
	}
	if err := p.fill(ctx, up, files); err != nil {
		up.abandon(ctx)
		return err
	}
	p.readBack(ctx, up, files)
	up.cancel(nil)
	return nil
}

func (p *packet) fill(ctx context.Context, up *upload, files []*smallPacked) error {
	for _, f := range files {
		for _, b := range f.blocks {
			if err := up.Put(ctx, b.cid, b.bytes); err != nil {
				return err
			}
		}
	}
	if err := up.finish(ctx); err != nil {
		return err
	}
	for _, f := range files {
		f.v.Progress.done(StageUpload, f.sealed.Ref.PaddedSize)
	}
	return nil
}

// readBack opens what the hospital's disk gives back, file by file, as many with one request as are short enough.
func (p *packet) readBack(ctx context.Context, up *upload, files []*smallPacked) {
	for len(files) > 0 {
		var wanted []lock.CID
		var size, n int
		for _, f := range files {
			for _, b := range f.blocks {
				if !b.cid.IsDag() { // inner nodes follow from the rest
					wanted, size = append(wanted, b.cid), size+len(b.bytes)
				}
			}
			f.blocks = nil
			if n++; size >= readBytes || len(wanted) >= readBlocks {
				break
			}
		}
		got := up.read(ctx, wanted)
		for _, f := range files[:n] {
			f.each(p, func() error { return f.packed.readBack(ctx, fetched{got, up}) })
		}
		p.work.Wait()
		for _, f := range files[:n] {
			if f.err == nil {
				f.v.Progress.done(StageReadBack, f.sealed.Ref.PaddedSize)
			}
		}
		files = files[n:]
	}
}

// read reads blocks of the upload back, with one request. Those that do not come are missing in the answer.
func (u *upload) read(ctx context.Context, wanted []lock.CID) map[lock.CID][]byte {
	ctx, stop := context.WithTimeout(ctx, stallTime)
	defer stop()
	resp, err := u.pick(ctx, "/read", wanted)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	got := make(map[lock.CID][]byte, len(wanted))
	parser := car.NewParser(func(c lock.CID, b []byte) error {
		got[c] = bytes.Clone(b)
		return nil
	})
	most := int64(car.HeaderSize) + int64(len(wanted))*int64(car.Size(maxBlock))
	// What was read before an error counts; the rest is asked for one by one, and says what is wrong.
	_, _ = io.Copy(parser, io.LimitReader(resp.Body, most))
	return got
}

// fetched is a source of blocks of which some were read already.
type fetched struct {
	blocks map[lock.CID][]byte // not written to any more
	seal.Source
}

// Get implements seal.Source. The caller owns the bytes, and asks for each block once.
func (f fetched) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if b, ok := f.blocks[c]; ok {
		return b, nil
	}
	return f.Source.Get(ctx, c)
}
