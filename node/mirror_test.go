package node_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

// archive is what a ledger knows of records, for a mirror.
type archive struct {
	records  []*recordsv1.Record
	versions map[string][]*recordsv1.Version // by record
	stored   []*auditv1.Entry                // oldest first
	building bool                            // the index of the log is being built
}

// file has the chain know an object as the next version of a record of a class, held by nodes.
func (l *ledger) file(record string, class recordsv1.Class, s scan, nodes ...uint64) {
	l.place(s.placed(&hospital{number: 1}), nodes...)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.objects[s.cid()].GetCopies() {
		c.Status = held
	}
	a := &l.archive
	if a.versions == nil {
		a.versions = map[string][]*recordsv1.Version{}
	}
	number := uint64(len(a.versions[record])) + 1
	if number == 1 {
		a.records = append(a.records, &recordsv1.Record{Id: record, Custodian: uint64(len(a.records)%2) + 1, Class: class})
	}
	for _, r := range a.records {
		if r.GetId() == record {
			r.Versions = number
		}
	}
	a.versions[record] = append(a.versions[record], &recordsv1.Version{Record: record, Version: number, Object: s.cid(), Envelope: s.envelope.String(), Size: s.padded})
	a.stored = append(a.stored, &auditv1.Entry{
		Sequence: uint64(len(a.stored)) + 1, Kind: "stored", Outcome: auditv1.Outcome_OUTCOME_OK,
		Subjects: []*auditv1.Subject{{Record: record, Version: number}},
	})
}

// bury erases a version.
func (l *ledger) bury(record string, version int, s scan) {
	l.erase(s.placed(&hospital{number: 1}))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.archive.versions[record][version-1].Tombstone = &recordsv1.Tombstone{}
	for _, r := range l.archive.records {
		if r.GetId() == record {
			r.Erased++
		}
	}
}

func (s erasedRecords) Records(_ context.Context, req *recordsv1.QueryRecordsRequest) (*recordsv1.QueryRecordsResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	var mine []*recordsv1.Record
	for _, r := range s.l.archive.records {
		if r.GetCustodian() == req.GetCustodian() {
			mine = append(mine, r)
		}
	}
	rows, next := pageOf(mine, req.GetPagination())
	return &recordsv1.QueryRecordsResponse{Records: rows, Pagination: next}, nil
}

func (s erasedRecords) Record(_ context.Context, req *recordsv1.QueryRecordRequest) (*recordsv1.QueryRecordResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for _, r := range s.l.archive.records {
		if r.GetId() == req.GetId() {
			return &recordsv1.QueryRecordResponse{Record: r}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such record")
}

func (s erasedRecords) Version(_ context.Context, req *recordsv1.QueryVersionRequest) (*recordsv1.QueryVersionResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	list := s.l.archive.versions[req.GetRecord()]
	if req.GetVersion() < 1 || req.GetVersion() > uint64(len(list)) {
		return nil, status.Error(codes.NotFound, "no such version")
	}
	return &recordsv1.QueryVersionResponse{Version: list[req.GetVersion()-1]}, nil
}

type auditServer struct {
	auditv1.UnimplementedQueryServer
	l *ledger
}

func (s auditServer) Head(context.Context, *auditv1.QueryHeadRequest) (*auditv1.QueryHeadResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return &auditv1.QueryHeadResponse{Size: uint64(len(s.l.archive.stored))}, nil
}

// Entries answers the newest three.
func (s auditServer) Entries(_ context.Context, req *auditv1.QueryEntriesRequest) (*auditv1.QueryEntriesResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.l.archive.building {
		return nil, status.Error(codes.Unavailable, "the index is being built")
	}
	if req.GetKind() != "stored" {
		return nil, status.Error(codes.InvalidArgument, "another kind")
	}
	answer := &auditv1.QueryEntriesResponse{}
	for _, e := range slices.Backward(s.l.archive.stored) {
		if len(answer.Entries) == 3 {
			answer.Next = answer.Entries[2].GetSequence()
			break
		}
		answer.Entries = append(answer.Entries, e)
	}
	return answer, nil
}

// room is a disk with so many bytes left.
type room uint64

// Free implements node.Disk.
func (r room) Free() (uint64, error) { return uint64(r), nil }

const (
	imaging  = recordsv1.Class_CLASS_IMAGING
	document = recordsv1.Class_CLASS_DOCUMENT
)

// mirrorSite is a network of two hospitals, of which the second mirrors what the first holds.
type mirrorSite struct {
	t         *testing.T
	l         *ledger
	far, near *hospital
	clock     *clock
	seed      uint64
}

func newMirrorSite(t *testing.T) *mirrorSite {
	t.Helper()
	s := &mirrorSite{t: t, l: newLedger(t), clock: &clock{}}
	s.l.set(func() { s.l.erased.attested = map[uint64][]uint64{} })
	s.l.commitAlways()
	s.far, s.near = newHospital(t, s.l, memory.New()), newHospital(t, s.l, memory.NewAt(s.clock.now))
	return s
}

func (s *mirrorSite) scan(size int) scan {
	s.t.Helper()
	s.seed++
	return newScan(s.t, s.far.store, s.seed, size)
}

// mirror returns a mirror of pictures at the second hospital.
func (s *mirrorSite) mirror(change func(*node.MirrorConfig)) *node.Mirror {
	s.t.Helper()
	config := node.MirrorConfig{
		Chain: s.near.chain, Store: s.near.store, Copier: s.near.ipfs, Peers: s.near.peers, Disk: room(math.MaxUint64),
		Classes: []recordsv1.Class{imaging}, Size: 1 << 40, Every: 20 * time.Millisecond, Log: quiet(s.t),
	}
	if change != nil {
		change(&config)
	}
	m, err := node.NewMirror(config)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// comes waits until the second hospital has all of an object.
func (s *mirrorSite) comes(x scan) {
	s.t.Helper()
	eventually(s.t, "an object is mirrored", func() bool { return x.complete(s.t.Context(), s.near.store) == nil })
}

// lacks fails where the second hospital holds anything of an object.
func (s *mirrorSite) lacks(x scan) {
	s.t.Helper()
	missing, err := blob.Missing(s.t.Context(), s.near.store, x.all())
	if err != nil || len(missing) != len(x.all()) {
		s.t.Errorf("%d of %d blocks are here, %v", len(x.all())-len(missing), len(x.all()), err)
	}
}

// A mirror has every object of its classes, whatever is held elsewhere, and nothing else.
func TestMirrorHasEverythingOfItsClasses(t *testing.T) {
	s := newMirrorSite(t)
	var pictures []scan
	for range 5 { // more than a page
		pictures = append(pictures, s.scan(3<<20))
	}
	letter, gone, assigned := s.scan(1<<20), s.scan(1<<20), s.scan(1<<20)
	for i, x := range pictures {
		s.l.file([]string{"a", "b", "c", "c", "c"}[i], imaging, x, 1)
	}
	s.l.file("letter", document, letter, 1)
	s.l.file("gone", imaging, gone, 1)
	s.l.bury("gone", 1, gone)
	s.l.file("assigned", imaging, assigned, 1, 2)

	m := s.mirror(nil)
	stop := run(t, m.Run, nil)
	for _, x := range pictures {
		s.comes(x)
	}
	eventually(t, "two looks", func() bool { return m.Stats().Looks >= 2 })
	for _, x := range []scan{letter, gone, assigned} {
		s.lacks(x)
	}
	stats := m.Stats()
	if stats.Objects != 5 || stats.Missing != 0 || stats.Full || stats.Failed != 0 || stats.Fetched != 5 || stats.Bytes < 15<<20 || m.Reserved() != stats.Size-stats.Bytes {
		t.Errorf("%+v, %d are reserved", stats, m.Reserved())
	}
	// The log tells what comes later, without a look at everything.
	stop()
	m = s.mirror(func(c *node.MirrorConfig) { c.Every = time.Hour })
	run(t, m.Run, nil)
	eventually(t, "the first look of the next process", func() bool { return m.Stats().Looks == 1 })
	if again := m.Stats(); again.Objects != 5 || again.Bytes != stats.Bytes || again.Fetched != 0 {
		t.Errorf("after a restart: %+v", again)
	}
	late, lateLetter := s.scan(2<<20), s.scan(1<<20)
	s.l.file("letter", document, lateLetter, 1)
	s.l.file("a", imaging, late, 1)
	s.comes(late)
	s.lacks(lateLetter)
	// More than a page of the log at once takes a look.
	var many []scan
	for range 5 {
		many = append(many, s.scan(1000))
	}
	s.l.set(func() { s.l.archive.building = true })
	for _, x := range many {
		s.l.file("many", imaging, x, 1)
	}
	s.l.set(func() { s.l.archive.building = false })
	for _, x := range many {
		s.comes(x)
	}
	if got := m.Stats().Looks; got != 2 {
		t.Errorf("%d looks", got)
	}
}

// A mirror takes no more than it may, and leaves the disk to others.
func TestMirrorIsBounded(t *testing.T) {
	s := newMirrorSite(t)
	var pictures []scan
	for range 4 {
		x := s.scan(3 << 20)
		pictures = append(pictures, x)
		s.l.file("a", imaging, x, 1)
	}
	m := s.mirror(func(c *node.MirrorConfig) { c.Size = 7 << 20 })
	stop := run(t, m.Run, nil)
	eventually(t, "it is full", func() bool { return m.Stats().Full && m.Stats().Looks > 1 })
	stop()
	if stats := m.Stats(); stats.Objects != 2 || stats.Bytes > stats.Size || stats.Missing != 2 {
		t.Errorf("%+v", stats)
	}
	held := 0
	for _, x := range pictures {
		if x.complete(t.Context(), s.near.store) == nil {
			held++
		} else {
			s.lacks(x)
		}
	}
	if held != 2 {
		t.Errorf("%d objects are here, want 2", held)
	}
	small := s.mirror(func(c *node.MirrorConfig) { c.Disk = room(1<<30 + 1<<20) })
	stop = run(t, small.Run, nil)
	eventually(t, "the disk is full", func() bool { return small.Stats().Full && small.Stats().Looks > 1 })
	stop()
	if stats := small.Stats(); stats.Objects != 2 || stats.Fetched != 0 {
		t.Errorf("on a disk without room: %+v", stats)
	}
}

// What is erased goes from the mirror too, and does not come back; what it mirrors is kept by the
// collector, save what goes beyond a bound that was lowered.
func TestMirrorIsErasedAndNotCollected(t *testing.T) {
	s := newMirrorSite(t)
	stays, gone := s.scan(3<<20), s.scan(3<<20)
	letter := newScan(t, s.near.store, 900, 1<<20) // left over here, and no picture
	s.l.file("a", imaging, stays, 1)
	s.l.file("a", imaging, gone, 1)
	s.l.file("letter", document, letter, 1)
	for _, x := range []scan{stays, gone, letter} {
		s.l.set(func() { s.l.objects[x.cid()].Object.Target = 1 })
	}
	m := s.mirror(nil)
	stop := run(t, m.Run, nil)
	s.comes(stays)
	s.comes(gone)

	guard := node.NewGuard(s.near.store)
	e, err := node.NewEraser(node.EraserConfig{Chain: s.near.chain, Guard: guard, Folder: t.TempDir(), Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, e.Run, nil)
	s.l.bury("a", 2, gone)
	eventually(t, "the mirror's hospital attests", func() bool { return slices.Contains(s.l.attestations(1), s.near.number) })
	looks := m.Stats().Looks
	eventually(t, "another two looks", func() bool { return m.Stats().Looks > looks+2 })
	s.lacks(gone)
	if stats := m.Stats(); stats.Objects != 1 {
		t.Errorf("%+v", stats)
	}
	stop()

	collect := func(mirror node.Mirrored) {
		t.Helper()
		store, ok := s.near.store.(node.CollectStore)
		if !ok {
			t.Fatal("a store without a collector")
		}
		c, err := node.NewCollector(node.CollectorConfig{Chain: s.near.chain, Store: store, Mirror: mirror, Now: s.clock.now, Log: quiet(t)})
		if err == nil {
			err = c.Collect(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.clock.advance(node.DefaultGrace + time.Hour)
	collect(m)
	s.comes(stays)
	s.lacks(letter)
	// Half of the room is taken away.
	less := s.mirror(func(c *node.MirrorConfig) { c.Size = 1 << 20 })
	stop = run(t, less.Run, nil)
	eventually(t, "a look", func() bool { return less.Stats().Looks > 0 })
	stop()
	if less.Reserved() != 0 {
		t.Errorf("%d bytes are reserved where too much is held", less.Reserved())
	}
	collect(less)
	s.lacks(stays)
}

// flakyCopier fails so many times.
type flakyCopier struct {
	node.Copier
	mu    sync.Mutex
	fails int
	err   error
	asked []time.Time
}

func (f *flakyCopier) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	f.mu.Lock()
	f.asked = append(f.asked, time.Now())
	fails := f.fails > 0
	if fails {
		f.fails--
	}
	f.mu.Unlock()
	if fails {
		return f.err
	}
	return f.Copier.Fetch(ctx, root, peers, budget)
}

// A mirror goes on after failures, at the rate that it may, and ends with a store that has failed.
func TestMirrorGoesOn(t *testing.T) {
	s := newMirrorSite(t)
	first, second := s.scan(1<<20), s.scan(1<<20)
	s.l.file("a", imaging, first, 1)
	s.l.file("a", imaging, second, 1)
	for _, err := range []error{errors.New("nobody is there"), blob.ErrFull} {
		copier := &flakyCopier{Copier: s.near.ipfs, fails: 2, err: err}
		m := s.mirror(func(c *node.MirrorConfig) { c.Copier, c.BytesRate = copier, 10<<20 })
		stop := run(t, m.Run, nil)
		s.comes(first)
		s.comes(second)
		stop()
		if stats := m.Stats(); stats.Failed != 2 || stats.Fetched != 2 {
			t.Errorf("%v: %+v", err, stats)
		}
		for i, at := range copier.asked[1:] {
			if took := at.Sub(copier.asked[i]); took < 90*time.Millisecond {
				t.Errorf("the next object of 1 MiB followed %s after one at 10 MiB a second", took)
			}
		}
		if err := s.near.store.Erase(t.Context(), append(first.all(), second.all()...), nil); err != nil {
			t.Fatal(err)
		}
	}
	broken := s.mirror(func(c *node.MirrorConfig) {
		c.Copier = &flakyCopier{Copier: s.near.ipfs, fails: 1, err: blob.ErrFailed}
	})
	if err := broken.Run(t.Context()); !errors.Is(err, blob.ErrFailed) {
		t.Errorf("got %v, want %v", err, blob.ErrFailed)
	}
}

// What nobody within reach has is tried again soon, and not only with the next look.
func TestMirrorTriesAgainSoon(t *testing.T) {
	s := newMirrorSite(t)
	picture := s.scan(1 << 20)
	s.l.file("a", imaging, picture, 1)
	copier := &flakyCopier{Copier: s.near.ipfs, fails: 2, err: errors.New("nobody is there")}
	m := s.mirror(func(c *node.MirrorConfig) { c.Copier, c.Every = copier, 24*time.Hour })
	run(t, m.Run, nil)
	s.comes(picture)
	later := s.scan(1 << 20)
	copier.mu.Lock()
	copier.fails = 1
	copier.mu.Unlock()
	s.l.file("b", imaging, later, 1) // the log tells of it
	s.l.commit()
	s.comes(later)
	if stats := m.Stats(); stats.Failed != 3 || stats.Fetched != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestMirrorNeedsItsParts(t *testing.T) {
	s := newMirrorSite(t)
	for _, change := range []func(*node.MirrorConfig){
		func(c *node.MirrorConfig) { c.Chain = nil }, func(c *node.MirrorConfig) { c.Classes = nil }, func(c *node.MirrorConfig) { c.Size = 0 },
	} {
		config := node.MirrorConfig{
			Chain: s.near.chain, Store: s.near.store, Copier: s.near.ipfs, Peers: s.near.peers, Disk: room(1), Classes: []recordsv1.Class{imaging}, Size: 1,
		}
		if _, err := node.NewMirror(config); err != nil {
			t.Fatal(err)
		}
		change(&config)
		if _, err := node.NewMirror(config); err == nil {
			t.Error("made of less than it needs")
		}
	}
}

// What a mirror holds is read back too; what is rotten or gone is fetched again, without a word to the chain.
func TestMirrorIsChecked(t *testing.T) {
	s := newMirrorSite(t)
	dir := t.TempDir()
	s.near = newHospital(t, s.l, openPack(t, dir))
	rotten, gone, sound, away := s.scan(5<<20), s.scan(5<<20), s.scan(5<<20), s.scan(1<<20)
	for _, x := range []scan{rotten, gone, sound} {
		s.l.file("a", imaging, x, 1)
	}
	m := s.mirror(func(c *node.MirrorConfig) { c.ScrubRate = 1 << 30 })
	stop := run(t, m.Run, nil)
	for _, x := range []scan{rotten, gone, sound} {
		s.comes(x)
	}
	stop()
	flipOnDisk(t, dir, s.near.store, rotten.CIDs[1], rotten.Blocks[rotten.CIDs[1]])
	if err := s.near.store.Erase(t.Context(), gone.CIDs[2:3], nil); err != nil {
		t.Fatal(err)
	}
	s.l.file("a", imaging, away, 1) // never fetched, so it can't be damaged
	before := m.Stats()
	s.l.set(func() { s.l.batches = nil })
	if err := m.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := m.Stats(); after.Checked != before.Checked+2 || after.Damaged != 1 {
		t.Errorf("checked %d objects, %d damaged; want 2, 1", after.Checked-before.Checked, after.Damaged)
	}
	again := s.mirror(func(c *node.MirrorConfig) { c.ScrubRate, c.ScrubEvery = 1<<30, time.Millisecond })
	run(t, again.Run, nil)
	for _, x := range []scan{rotten, gone, sound, away} {
		s.comes(x)
	}
	eventually(t, "all are found sound", func() bool { return again.Stats().Checked >= 8 })
	if stats := again.Stats(); stats.Damaged != 0 || stats.Failed != 0 {
		t.Errorf("%+v", stats)
	}
	s.l.set(func() {
		if len(s.l.batches) != 0 {
			t.Errorf("%d messages were sent", len(s.l.batches))
		}
	})
}
