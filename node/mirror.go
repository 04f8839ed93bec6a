package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
)

const (
	// DefaultMirrorEvery is the time between two looks at all that is to be mirrored.
	DefaultMirrorEvery = 10 * time.Minute
	// DefaultMirrorRate is how many questions a Mirror asks the chain in a second.
	DefaultMirrorRate = 1000

	// mirrorRest is how many times as long as a look took the pause behind it is at least.
	mirrorRest = 20
	// mirrorLength is how many missing objects one look remembers; the rest is left to the next.
	mirrorLength = 10_000
	// mirrorLeaves is how many bytes of the disk a Mirror leaves, whatever it may take.
	mirrorLeaves = 1 << 30
	// storedKind is the kind of the entries of the log that say that a version was stored.
	storedKind = "stored"
)

// MirrorConfig says what a [Mirror] works with.
type MirrorConfig struct {
	// Chain tells what there is.
	Chain Chain
	// Store is where objects are kept.
	Store blob.Store
	// Copier fetches into Store.
	Copier Copier
	// Peers tells where objects are.
	Peers Directory
	// Disk tells how much room there is, the mirror's own included.
	Disk Disk
	// Classes are those of the records that are mirrored, at least one.
	Classes []recordsv1.Class
	// Size is how many bytes the mirrored objects take at most, above 0.
	Size uint64
	// BytesRate is how many bytes a second are fetched on average; no limit if 0. Each object is
	// fetched at full speed, and the next one waits until the rate is kept.
	BytesRate int64
	// Rate bounds the questions to the chain in a second; DefaultMirrorRate if 0.
	Rate int
	// Every is the time between two looks at everything; DefaultMirrorEvery if 0. The pause is
	// longer where a look takes long. What is stored meanwhile is seen at once in the log.
	Every time.Duration
	// ScrubRate is how many bytes a second are read back to check what is held; DefaultScrubRate if 0.
	ScrubRate int
	// ScrubEvery is the time between two such checks; DefaultScrubEvery if 0. The first one is at the start.
	ScrubEvery time.Duration
	// Log is told how far it is; slog.Default() if nil.
	Log *slog.Logger
}

// Mirror brings to this node every live object of some classes, whoever else holds it. The
// chain does not count on these copies and they are proved to nobody; they are there so that
// reading is local. What the chain has this node hold anyway is none of the mirror.
//
// What is mirrored follows from the chain and the settings alone, so nothing is noted: after a
// restart a look at the store tells what is there.
type Mirror struct {
	config  MirrorConfig
	self    self
	pace    *rate.Limiter
	members consortiumv1.QueryClient
	records recordsv1.QueryClient
	objects storagev1.QueryClient
	log     auditv1.QueryClient

	seen    uint64    // last entry of the log that was looked at
	fetchAt time.Time // when the next fetch may begin

	mu    sync.Mutex
	stats MirrorStats
	over  uint64 // bytes beyond Size that the collector may remove
}

// MirrorStats are what a [Mirror] holds, and has done since it was made.
type MirrorStats struct {
	// Size is how many bytes it may take.
	Size uint64
	// Objects are held, and take Bytes. Before the first look is complete they are those that it
	// has found.
	Objects, Bytes uint64
	// Missing objects are to be fetched; Full says that some of them don't fit.
	Missing uint64
	Full    bool
	// Looks at everything came to their end.
	Looks uint64
	// Fetched objects, and tries that failed.
	Fetched, Failed uint64
	// Checked objects were read back whole, Damaged ones of them were not as they were stored.
	Checked, Damaged uint64
}

// NewMirror returns a Mirror that has not begun.
func NewMirror(config MirrorConfig) (*Mirror, error) {
	if config.Chain == nil || config.Store == nil || config.Copier == nil || config.Peers == nil || config.Disk == nil {
		return nil, errors.New("mirror needs a chain, a store, a copier, peers and a disk")
	}
	if len(config.Classes) == 0 || config.Size == 0 {
		return nil, errors.New("mirror needs classes and a size")
	}
	config.Rate = cmp.Or(config.Rate, DefaultMirrorRate)
	config.Every = cmp.Or(config.Every, DefaultMirrorEvery)
	config.ScrubRate, config.ScrubEvery = cmp.Or(config.ScrubRate, DefaultScrubRate), cmp.Or(config.ScrubEvery, DefaultScrubEvery)
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Mirror{
		config: config, self: self{chain: config.Chain}, pace: rate.NewLimiter(rate.Limit(config.Rate), config.Rate),
		members: consortiumv1.NewQueryClient(config.Chain), records: recordsv1.NewQueryClient(config.Chain),
		objects: storagev1.NewQueryClient(config.Chain), log: auditv1.NewQueryClient(config.Chain),
		stats: MirrorStats{Size: config.Size},
	}, nil
}

// Stats returns what is there and the counters.
func (m *Mirror) Stats() MirrorStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// Reserved is how many bytes the mirror may still take, so that nobody else promises them.
func (m *Mirror) Reserved() uint64 {
	s := m.Stats()
	return s.Size - min(s.Bytes, s.Size)
}

func (m *Mirror) count(f func(*MirrorStats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.stats)
}

// Run mirrors, and checks what it mirrored, until ctx ends; then it returns nil. It returns an error when the store has failed
// ([blob.ErrFailed], [blob.ErrClosed]).
func (m *Mirror) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var scrub sync.WaitGroup
	scrub.Go(func() { m.scrubAgain(ctx) })
	defer scrub.Wait()
	defer cancel()
	report := reporter{log: m.config.Log}
	var lookAt time.Time
	retry := firstRetry
	return loop(ctx, m.config.Chain, func(ctx context.Context) (time.Duration, error) {
		isLook := !time.Now().Before(lookAt)
		do := m.follow
		if isLook {
			do = m.look
		}
		end, err := do(ctx)
		if errors.Is(err, blob.ErrFailed) || errors.Is(err, blob.ErrClosed) {
			return 0, fmt.Errorf("mirror: %w", err)
		}
		report.changed(ctx, "what is to be mirrored can't be read", err)
		pause := max(retry, mirrorRest*end.walk)
		switch isTrouble := err != nil || end.failed; {
		case isTrouble && isLook:
			lookAt, retry = time.Now().Add(pause), min(2*retry, lastRetry)
		case isTrouble && time.Until(lookAt) > pause:
			lookAt = time.Now().Add(pause)
		case end.more:
			lookAt = time.Now()
		case isLook:
			lookAt, retry = time.Now().Add(max(m.config.Every, mirrorRest*end.walk)), firstRetry
		}
		return max(time.Until(lookAt), time.Millisecond), nil
	})
}

// mirroring is what one look at everything, or at the log, ended with.
type mirroring struct {
	more   bool          // there is more than it remembered
	failed bool          // something could not be fetched
	walk   time.Duration // that it took to see what is there
}

// look walks through all that is to be mirrored, counts what is here, and then fetches what is
// missing.
func (m *Mirror) look(ctx context.Context) (end mirroring, err error) {
	if _, err := m.config.Chain.Ready(ctx); err != nil {
		return end, err
	}
	if _, err := m.self.number(ctx); err != nil {
		return end, err
	}
	if err := m.begin(ctx); err != nil {
		return end, err
	}
	begun := time.Now()
	var held, bytes uint64
	var missing []string
	first := m.Stats().Looks == 0
	more := false
	err = m.each(ctx, func(o object, cid string) error {
		here, err := m.isHere(ctx, o)
		switch {
		case err != nil:
			return err
		case here:
			held, bytes = held+1, bytes+o.bytes()
			if first {
				m.count(func(s *MirrorStats) { s.Objects, s.Bytes = held, bytes })
			}
		case len(missing) < mirrorLength:
			missing = append(missing, cid)
		default:
			more = true
		}
		return nil
	})
	end.walk = time.Since(begun)
	if err != nil {
		return end, err
	}
	m.mu.Lock()
	m.stats.Objects, m.stats.Bytes, m.stats.Missing, m.stats.Full = held, bytes, uint64(len(missing)), false
	m.over = bytes - min(bytes, m.config.Size)
	m.mu.Unlock()
	if len(missing) > 0 {
		m.config.Log.Info("objects are to be mirrored", "missing", len(missing), "held", held, "bytes", bytes, "of", m.config.Size)
	}
	fetched, failed, err := m.fetchAll(ctx, missing)
	end.failed, end.more = failed, more && fetched > 0
	if err != nil {
		return end, err
	}
	m.count(func(s *MirrorStats) { s.Looks++ })
	if fetched > 0 {
		s := m.Stats()
		m.config.Log.Info("objects were mirrored", "fetched", fetched, "missing", s.Missing, "held", s.Objects, "bytes", s.Bytes, "of", s.Size)
	}
	return end, nil
}

// begin notes up to where the log is, so that what is stored during a look is found behind it.
func (m *Mirror) begin(ctx context.Context) error {
	head, err := m.log.Head(ctx, &auditv1.QueryHeadRequest{})
	if err != nil {
		return fmt.Errorf("ask for the head of the log: %w", err)
	}
	m.seen = head.GetSize()
	return nil
}

// follow fetches what was stored since the last time, as the log tells it. It asks for a look
// where that is a lot.
func (m *Mirror) follow(ctx context.Context) (end mirroring, err error) {
	page, err := m.log.Entries(ctx, &auditv1.QueryEntriesRequest{Kind: storedKind, Limit: pageSize})
	if status.Code(err) == codes.Unavailable {
		return end, nil // the index is being built; the next look finds all
	}
	if err != nil {
		return end, fmt.Errorf("ask what was stored: %w", err)
	}
	var fresh []*auditv1.Entry
	for _, e := range page.GetEntries() {
		if e.GetSequence() > m.seen {
			fresh = append(fresh, e)
		}
	}
	if len(fresh) == 0 {
		return end, nil
	}
	m.seen = fresh[0].GetSequence() // newest first
	if len(fresh) == len(page.GetEntries()) && page.GetNext() != 0 {
		return mirroring{more: true}, nil
	}
	var missing []string
	for _, e := range slices.Backward(fresh) {
		if e.GetOutcome() != auditv1.Outcome_OUTCOME_OK {
			continue
		}
		for _, s := range e.GetSubjects() {
			err := m.version(ctx, s.GetRecord(), s.GetVersion(), func(_ object, cid string) error {
				missing = append(missing, cid)
				return nil
			})
			if err != nil {
				return end, err
			}
		}
	}
	m.count(func(s *MirrorStats) { s.Missing += uint64(len(missing)) })
	_, end.failed, err = m.fetchAll(ctx, missing)
	return end, err
}

// fetchAll fetches objects, one after another, as long as there is room. It returns how many
// came, and whether another one did not although there was room.
func (m *Mirror) fetchAll(ctx context.Context, cids []string) (fetched int, failed bool, err error) {
	for _, cid := range cids {
		err := m.fetch(ctx, cid)
		switch {
		case ctx.Err() != nil:
			return fetched, failed, ctx.Err()
		case err == nil:
			fetched++
		case errors.Is(err, errNoRoom), errors.Is(err, errNotWanted):
		case errors.Is(err, blob.ErrFailed), errors.Is(err, blob.ErrClosed):
			return fetched, failed, err
		case errors.Is(err, blob.ErrFull):
			m.count(func(s *MirrorStats) { s.Full, s.Failed = true, s.Failed+1 })
			m.config.Log.Warn("the disk is full, nothing more is mirrored for now", "object", cid)
			return fetched, failed, nil
		default:
			failed = true
			m.count(func(s *MirrorStats) { s.Failed++ })
			m.config.Log.Warn("an object can't be mirrored now", "object", cid, "reason", err)
		}
	}
	return fetched, failed, nil
}

var (
	// errNoRoom says that an object does not fit into the mirror now.
	errNoRoom = errors.New("no room in the mirror")
	// errNotWanted says that an object is not to be mirrored any more.
	errNotWanted = errors.New("not to be mirrored any more")
)

// fetch fetches one object.
func (m *Mirror) fetch(ctx context.Context, cid string) error {
	// A look may be long ago.
	o, err := m.wanted(ctx, cid)
	if err != nil {
		return err
	}
	if o == nil {
		m.count(func(s *MirrorStats) { s.Missing -= min(s.Missing, 1) })
		return errNotWanted
	}
	if err := m.checkRoom(*o); err != nil {
		return err
	}
	if pause := time.Until(m.fetchAt); pause > 0 {
		sleep(ctx, nil, pause)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if m.config.BytesRate > 0 {
		pause := min(float64(o.bytes())/float64(m.config.BytesRate), longestPace.Seconds())
		m.fetchAt = time.Now().Add(time.Duration(pause * float64(time.Second)))
	}
	if err := bring(ctx, m.config.Copier, *o, m.config.Peers.All()); err != nil {
		return err
	}
	m.count(func(s *MirrorStats) {
		s.Objects, s.Bytes, s.Fetched, s.Missing = s.Objects+1, s.Bytes+o.bytes(), s.Fetched+1, s.Missing-min(s.Missing, 1)
	})
	return nil
}

// checkRoom returns errNoRoom unless an object fits, into what the mirror may take and onto the
// disk.
func (m *Mirror) checkRoom(o object) error {
	free, err := m.config.Disk.Free()
	if err != nil {
		return err
	}
	if o.bytes() <= m.Reserved() && o.bytes()+mirrorLeaves <= free {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stats.Full {
		m.config.Log.Warn("the mirror is full", "bytes", m.stats.Bytes, "of", m.stats.Size, "disk", free)
	}
	m.stats.Full = true
	return errNoRoom
}
