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

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// DefaultWorkers is how many objects a Replicator copies at the same time.
	DefaultWorkers = 16
	// DefaultScrubRate is how many bytes a second are read back to see whether what the
	// node holds is sound.
	DefaultScrubRate = 32 << 20
	// DefaultScrubEvery is the time between two looks at all that the node holds.
	DefaultScrubEvery = 24 * time.Hour

	// maxBatch is how many objects one message confirms or reports at most.
	maxBatch = 100
	// planLength is how many assigned objects are looked at to find the most urgent ones.
	planLength = 10_000
	// shortPlan is the length of a plan that is made anew at each block; a longer one is kept
	// for planLife.
	shortPlan = 5 * pageSize
	planLife  = 5 * time.Second
	// longestPace bounds the pause after one repair, however large the object.
	longestPace = 24 * time.Hour
	// queueLength is how many objects are taken up at once; the rest stays on the chain.
	queueLength = 2 * maxBatch
	// firstRetry and lastRetry bound the pauses before an object is tried again.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
	// bytesAtOnce bounds the bytes of all objects that are copied at the same time, where each
	// counts for no more than bytesOfOne, since a fetch holds only a part of a large one.
	bytesAtOnce = 128 << 20
	bytesOfOne  = 32 << 20
	// gatherFor is how long the first finished object waits for others of its batch.
	gatherFor = 50 * time.Millisecond
)

// Copier fetches into the store; it is an *ipfs.Node.
type Copier interface {
	// Fetch copies an object, see ipfs.Node.
	Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error
	// FetchBlock copies a single block, see ipfs.Node.
	FetchBlock(ctx context.Context, c lock.CID, peers []peer.AddrInfo, maxSize int) ([]byte, error)
}

// Directory tells how to reach storage nodes; it is a *Peers.
type Directory interface {
	// Of returns how to reach the nodes of these numbers, save this one.
	Of(numbers ...uint64) []peer.AddrInfo
	// All returns how to reach all others.
	All() []peer.AddrInfo
}

// ReplicatorConfig says what a [Replicator] works with.
type ReplicatorConfig struct {
	// Chain tells what this node is to hold, and takes its confirmations. Its account is the
	// storage node's.
	Chain Chain
	// Store is where copies are kept.
	Store blob.Store
	// Copier fetches into Store.
	Copier Copier
	// Peers tells where copies are.
	Peers Directory
	// Workers is how many objects are copied at the same time, fewer of large ones;
	// DefaultWorkers if 0.
	Workers int
	// ScrubRate is how many bytes a second are read back to check what is held;
	// DefaultScrubRate if 0.
	ScrubRate int
	// ScrubEvery is the time between two such checks; DefaultScrubEvery if 0. The first one
	// begins at the start.
	ScrubEvery time.Duration
	// RepairRate is how many bytes a second are fetched, on average, of objects that the chain
	// placed again because others lost them; no limit if 0. Each object is fetched at full
	// speed, and the next one waits until the rate is kept. New objects never wait.
	RepairRate int64
	// Log is told what can't be done; slog.Default() if nil.
	Log *slog.Logger
}

// Replicator brings to this node the copies that the chain assigned to it, those first that
// are nearest to the least number of copies that they should have. For each object
// it fetches what the store lacks, reads every block back from the disk itself, hashes it,
// and only then confirms the copy. What it confirmed once it checks again from time to time,
// and reports what was lost.
type Replicator struct {
	config ReplicatorConfig
	query  storagev1.QueryClient
	self   self
	space  *semaphore.Weighted // bytes that are copied at the same time

	plan     []*storagev1.PlacedObject // what is assigned, the most urgent first
	planned  time.Time                 // when the plan was made
	repairAt time.Time                 // when the next repair may begin
	scrubbed scrubbed

	mu       sync.Mutex
	taken    map[string]bool               // objects at work or waiting for their confirmation, by CID
	finished map[string]bool               // objects that were confirmed since the plan was made
	retries  map[string]retry              // objects that failed
	fetching map[string]context.CancelFunc // what ends a fetch of an object, by CID
	queued   QueueStats                    // of the plan
	idle     chan struct{}                 // tells that there is room for more work
}

// retry is when a failed object is tried again.
type retry struct {
	tries int
	at    time.Time
}

// NewReplicator returns a Replicator that has not begun.
func NewReplicator(config ReplicatorConfig) (*Replicator, error) {
	if config.Chain == nil || config.Store == nil || config.Copier == nil || config.Peers == nil {
		return nil, errors.New("replicator needs a chain, a store, a copier and peers")
	}
	if config.Workers == 0 {
		config.Workers = DefaultWorkers
	}
	if config.ScrubRate == 0 {
		config.ScrubRate = DefaultScrubRate
	}
	if config.ScrubEvery == 0 {
		config.ScrubEvery = DefaultScrubEvery
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Replicator{
		config: config, query: storagev1.NewQueryClient(config.Chain), self: self{chain: config.Chain},
		space: semaphore.NewWeighted(bytesAtOnce),
		taken: map[string]bool{}, finished: map[string]bool{}, retries: map[string]retry{}, fetching: map[string]context.CancelFunc{}, idle: make(chan struct{}, 1),
	}, nil
}

// Run replicates until ctx ends; then it returns nil. It returns an error when the store
// has failed ([blob.ErrFailed], [blob.ErrClosed]), for then nothing can be promised until
// it is opened anew.
func (r *Replicator) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	work := make(chan *storagev1.PlacedObject, queueLength)
	done := make(chan string, queueLength)
	for range r.config.Workers {
		group.Go(func() { r.work(ctx, cancel, work, done) })
	}
	group.Go(func() { r.confirm(ctx, done) })
	group.Go(func() { r.scrubAgain(ctx, cancel) })
	report := reporter{log: r.config.Log}
	for stale := true; ctx.Err() == nil; {
		committed := r.config.Chain.Committed()
		pause, err := r.scan(ctx, work, stale)
		if err != nil {
			pause = firstRetry
		}
		report.changed(ctx, "assigned copies can't be read", err)
		stale = r.wait(ctx, committed, pause) || err != nil
	}
	group.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, errStore) {
		return cause
	}
	return nil
}

// errStore says that the store ended the Replicator.
var errStore = errors.New("copies can't be kept")

// wait waits for a block, for room in the queue, for the time of the next retry or for ctx.
// It tells whether the chain may have changed.
func (r *Replicator) wait(ctx context.Context, committed <-chan struct{}, pause time.Duration) bool {
	var later <-chan time.Time
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		later = timer.C
	}
	select {
	case <-committed:
		return true
	case <-r.idle:
		return false
	case <-later:
		return true
	case <-ctx.Done():
		return false
	}
}

// scan takes up those of the node's assignments that are due, as long as the queue has
// room. It returns after what time another one is due, 0 if none is known.
func (r *Replicator) scan(ctx context.Context, work chan<- *storagev1.PlacedObject, stale bool) (time.Duration, error) {
	node, err := r.self.number(ctx)
	if err != nil {
		return 0, err
	}
	var next time.Time
	if stale {
		life := time.Since(r.planned)
		if len(r.plan) <= shortPlan || life >= planLife {
			if err := r.makePlan(ctx, node); err != nil {
				return 0, err
			}
		} else {
			next = r.planned.Add(planLife)
		}
	}
	for _, o := range r.plan {
		cid, isRepair := o.GetObject().GetCid(), isRepair(o, node)
		due, full := r.take(cid, isRepair)
		if full {
			break // whoever finishes calls for another scan
		}
		if due.IsZero() {
			if isRepair {
				r.paced(o.GetObject().GetSize())
			}
			work <- o
		} else if !due.Equal(atWork) && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	if next.IsZero() {
		return 0, nil
	}
	return max(time.Until(next), time.Millisecond), nil
}

// makePlan reads what is assigned to the node and brings it in order: what is nearest to its
// minimum, or farthest below, comes first.
func (r *Replicator) makePlan(ctx context.Context, node uint64) error {
	r.mu.Lock()
	clear(r.finished)
	r.mu.Unlock()
	var plan []*storagev1.PlacedObject
	for after := ""; len(plan) < planLength; {
		page, err := r.query.Assignments(ctx, &storagev1.QueryAssignmentsRequest{Node: node, After: after, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("list the assignments of node %d: %w", node, err)
		}
		plan = append(plan, page.GetObjects()...)
		if after = page.GetNext(); after == "" {
			break
		}
	}
	slices.SortStableFunc(plan, func(a, b *storagev1.PlacedObject) int { return cmp.Compare(spare(a), spare(b)) })
	r.plan, r.planned = plan, time.Now()
	r.count(plan, node)
	assigned := make(map[string]bool, len(plan))
	for _, o := range plan {
		assigned[o.GetObject().GetCid()] = true
	}
	r.forget(assigned)
	return nil
}

// count notes what a plan holds.
func (r *Replicator) count(plan []*storagev1.PlacedObject, node uint64) {
	var queued QueueStats
	for _, o := range plan {
		if isRepair(o, node) {
			queued.Repairs++
		} else {
			queued.Copies++
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queued = queued
}

// spare is how many copies of an object are held beyond its minimum.
func spare(o *storagev1.PlacedObject) int {
	held := 0
	for _, c := range o.GetCopies() {
		if c.GetStatus() == storagev1.CopyStatus_COPY_STATUS_HELD {
			held++
		}
	}
	return held - int(o.GetObject().GetMinimum())
}

// isRepair tells whether the node's copy was assigned after the object was first placed.
func isRepair(o *storagev1.PlacedObject, node uint64) bool {
	for _, c := range o.GetCopies() {
		if c.GetNode() == node {
			return c.GetStatus() == storagev1.CopyStatus_COPY_STATUS_ASSIGNED && c.GetSince() > o.GetObject().GetPlacedAt()
		}
	}
	return false
}

// paced has the next repair wait until so many bytes have come at the configured rate.
func (r *Replicator) paced(size uint64) {
	if r.config.RepairRate <= 0 {
		return
	}
	if now := time.Now(); r.repairAt.Before(now) {
		r.repairAt = now
	}
	pause := min(float64(size)/float64(r.config.RepairRate), longestPace.Seconds())
	r.repairAt = r.repairAt.Add(time.Duration(pause * float64(time.Second)))
}

// atWork stands for the time at which an object is due that is at work.
var atWork = time.Unix(1, 0)

// take takes up an object unless it is at work, done or not due yet, or the queue is full.
// It returns the zero time when it did.
func (r *Replicator) take(cid string, isRepair bool) (due time.Time, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[cid] || r.finished[cid] {
		return atWork, false
	}
	if isRepair && time.Now().Before(r.repairAt) {
		return r.repairAt, false
	}
	if failed, ok := r.retries[cid]; ok && time.Now().Before(failed.at) {
		return failed.at, false
	}
	if len(r.taken) == queueLength {
		return time.Time{}, true
	}
	r.taken[cid] = true
	return time.Time{}, false
}

// forget drops the retries of objects that are no longer assigned.
func (r *Replicator) forget(assigned map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for cid := range r.retries {
		if !assigned[cid] {
			delete(r.retries, cid)
		}
	}
}

// finish ends the work on an object: for good, or until it is tried again.
func (r *Replicator) finish(cid string, ok bool) {
	r.mu.Lock()
	delete(r.taken, cid)
	if ok {
		delete(r.retries, cid)
		r.finished[cid] = true
		r.scrubbed.held(cid)
	} else {
		failed := r.retries[cid]
		pause := lastRetry
		if failed.tries < 9 {
			pause = min(firstRetry<<failed.tries, lastRetry)
		}
		r.retries[cid] = retry{tries: failed.tries + 1, at: time.Now().Add(pause)}
	}
	r.mu.Unlock()
	r.wake()
}

// wake has the plan be looked at again.
func (r *Replicator) wake() {
	select {
	case r.idle <- struct{}{}:
	default:
	}
}

// tries returns how often an object has failed.
func (r *Replicator) tries(cid string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.retries[cid].tries
}

// work copies objects, one after another. Those that were read back go to done.
func (r *Replicator) work(ctx context.Context, stop context.CancelCauseFunc, work <-chan *storagev1.PlacedObject, done chan<- string) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-work:
			cid := o.GetObject().GetCid()
			err := r.copy(ctx, o)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				done <- cid // there is room for all that is taken
			case errors.Is(err, blob.ErrFailed), errors.Is(err, blob.ErrClosed):
				stop(fmt.Errorf("%w: %w", errStore, err))
				return
			default:
				r.config.Log.Warn("copy failed and is tried again", "object", cid, "tries", r.tries(cid)+1, "reason", err)
				r.finish(cid, false)
			}
		}
	}
}

// copy fetches an object with its attached blocks, and reads everything back.
func (r *Replicator) copy(ctx context.Context, placed *storagev1.PlacedObject) error {
	o, err := parseObject(placed.GetObject())
	if err != nil {
		return err
	}
	weight := int64(min(o.budget, bytesOfOne))
	if err := r.space.Acquire(ctx, weight); err != nil {
		return err
	}
	defer r.space.Release(weight)
	peers := r.sources(placed)
	if err := r.fetch(ctx, o, peers); err != nil {
		return err
	}
	err = o.verify(ctx, r.config.Store)
	if errors.Is(err, blob.ErrCorrupt) {
		// Damage shows when it is read. Once all of it has, one more fetch brings all that lacks.
		if err = o.readAll(ctx, r.config.Store, func(error) {}); isLost(err) {
			if err := bring(ctx, r.config.Copier, o, peers); err != nil {
				return err
			}
			err = o.verify(ctx, r.config.Store)
		}
	}
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	return nil
}

// fetch brings what the store lacks of an object. Where [Replicator.Brought] ends it, it looks again what that is.
func (r *Replicator) fetch(ctx context.Context, o object, peers []peer.AddrInfo) error {
	cid := o.root.String()
	first, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.fetching[cid] = cancel
	r.mu.Unlock()
	err := bring(first, r.config.Copier, o, peers)
	r.mu.Lock()
	delete(r.fetching, cid)
	r.mu.Unlock()
	if err != nil && first.Err() != nil && ctx.Err() == nil {
		return bring(ctx, r.config.Copier, o, peers)
	}
	return err
}

// Brought says that an object came into the store by another way than from peers, such as on a disk. Where the node is to hold it, what
// is there is read back and confirmed now: no line, however slow, and no pause after a fetch that failed is waited for.
func (r *Replicator) Brought(root lock.CID) {
	cid := root.String()
	r.mu.Lock()
	delete(r.retries, cid)
	if stop, ok := r.fetching[cid]; ok {
		stop()
	}
	r.mu.Unlock()
	r.wake()
}

// bring brings what the store lacks of an object and its attached blocks.
func bring(ctx context.Context, copier Copier, o object, peers []peer.AddrInfo) (err error) {
	if o.root.IsDag() {
		err = copier.Fetch(ctx, o.root, peers, o.budget)
	} else {
		_, err = copier.FetchBlock(ctx, o.root, peers, o.single)
	}
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	for _, c := range o.attached {
		if _, err := copier.FetchBlock(ctx, c, peers, blob.MaxBlock); err != nil {
			return fmt.Errorf("fetch attached block %s: %w", c, err)
		}
	}
	return nil
}

// sources returns from where an object is fetched: the origin, the nodes that hold it, and
// those that are to hold it and fetch it as well, for each feeds the others with what it has
// already. After a failure anybody may have it.
func (r *Replicator) sources(placed *storagev1.PlacedObject) []peer.AddrInfo {
	if r.tries(placed.GetObject().GetCid()) > 0 {
		return r.config.Peers.All()
	}
	nodes := []uint64{placed.GetObject().GetOrigin()}
	for _, status := range []storagev1.CopyStatus{storagev1.CopyStatus_COPY_STATUS_HELD, storagev1.CopyStatus_COPY_STATUS_ASSIGNED} {
		for _, c := range placed.GetCopies() {
			if c.GetStatus() == status && !slices.Contains(nodes, c.GetNode()) {
				nodes = append(nodes, c.GetNode())
			}
		}
	}
	return r.config.Peers.Of(nodes...)
}

// object is an object as the chain describes it.
type object struct {
	root     lock.CID
	budget   uint64 // of all blocks of a tree
	single   int    // the length of a single block
	attached []lock.CID
}

func parseObject(o *storagev1.Object) (object, error) {
	root, err := lock.ParseCID(o.GetCid())
	if err != nil {
		return object{}, fmt.Errorf("object %q: %w", o.GetCid(), err)
	}
	parsed := object{root: root, budget: blob.Budget(o.GetSize()), single: int(min(o.GetSize(), blob.MaxBlock))}
	for _, text := range o.GetAttached() {
		c, err := lock.ParseRawCID(text)
		if err != nil {
			return object{}, fmt.Errorf("attached block %q: %w", text, err)
		}
		parsed.attached = append(parsed.attached, c)
	}
	return parsed, nil
}

// verify reads every block of an object back, from the disk itself where the store can, and
// hashes it.
func (o object) verify(ctx context.Context, store blob.Getter) error {
	if reader, ok := store.(blob.ColdReader); ok {
		store = reader.Cold()
	}
	if o.root.IsDag() {
		if err := blob.Verify(ctx, store, o.root, o.budget); err != nil {
			return err
		}
	} else if block, err := store.Get(ctx, o.root); err != nil {
		return err
	} else if len(block) > o.single {
		return fmt.Errorf("block %s has %d bytes, the chain says %d: %w", o.root, len(block), o.single, blob.ErrBudget)
	}
	for _, c := range o.attached {
		if _, err := store.Get(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
