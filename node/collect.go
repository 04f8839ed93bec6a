package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// DefaultGrace is how long a block that nobody names stays after its last use. A clerk has
	// as long to have the chain name an upload that the gateway has forgotten.
	DefaultGrace = 48 * time.Hour
	// DefaultCollectEvery is the time between two collections.
	DefaultCollectEvery = 24 * time.Hour
	// DefaultCollectDelay is the time from the start to the first collection.
	DefaultCollectDelay = time.Hour
	// DefaultCollectRate is how many inner nodes are read, and questions asked, in a second.
	DefaultCollectRate = 1000

	// collectRetry is the pause after a collection that could not be done.
	collectRetry = time.Hour
	// collectedAtOnce is how many blocks are collected together. A shared pack is written anew
	// once for each such group, so it is large.
	collectedAtOnce = 1 << 16
	// longestUnlock bounds how long an unlock lives; the chain's own bound is a day less.
	longestUnlock = 15 * 24 * time.Hour
)

// ErrUnsure says that it is not sure which blocks are named, so that nothing was collected.
var ErrUnsure = errors.New("not everything that is named is known")

// CollectStore is a store from which can be collected; it is a *pack.Store.
type CollectStore interface {
	blob.Store
	blob.Collector
}

// Uploads tells which blocks uploads under way consist of; it is a *gateway.Gateway.
type Uploads interface {
	// Uploading calls visit for every block that was acknowledged to an upload. A block that is
	// acknowledged later was used in the store after Uploading was called, and so is every block
	// of an upload that ends later.
	Uploading(visit func(lock.CID))
}

// Mirrored tells what is kept although the chain did not ask for it; it is a *[Mirror].
type Mirrored interface {
	// Mirrors tells whether an object is kept.
	Mirrors(ctx context.Context, o *storagev1.Object) (bool, error)
}

// CollectorConfig says what a [Collector] works with.
type CollectorConfig struct {
	// Chain tells what is named.
	Chain Chain
	// Store is collected from.
	Store CollectStore
	// Uploads are those of the hospital's gateway; nil where there is none.
	Uploads Uploads
	// Mirror keeps further objects; nil where there is none.
	Mirror Mirrored
	// Grace is how long a block stays after its last use; DefaultGrace if 0.
	Grace time.Duration
	// Every is the time between two collections; DefaultCollectEvery if 0.
	Every time.Duration
	// Delay is the time from the start to the first collection; DefaultCollectDelay if 0.
	Delay time.Duration
	// Rate bounds the reads and questions of a collection in a second; DefaultCollectRate if 0.
	Rate int
	// Now is the clock, which is also the store's; time.Now if nil.
	Now func() time.Time
	// Log is told what was collected, and why nothing was; slog.Default() if nil.
	Log *slog.Logger
}

// Collector removes from a node's store the blocks that nobody names: what abandoned uploads
// left, copies that the chain wants elsewhere now, request keys and capsules of ended unlocks and
// recoveries.
//
// A collection first notes the time, then marks all blocks that are named, then removes those
// that are not marked and were used last more than the grace before that time. What is named
// only after its mark was read is safe for another reason: whoever relies on a block puts or
// touches it, and the store removes nothing that was used since. Where the marks may be
// incomplete nothing is removed.
type Collector struct {
	config CollectorConfig
	self   self
	pace   *rate.Limiter

	objects storagev1.QueryClient
	members consortiumv1.QueryClient
	unlocks accessv1.QueryClient

	rounds, unsure, seen, blocks, bytes atomic.Uint64
}

// CollectorStats are what a [Collector] has done since it was made.
type CollectorStats struct {
	// Rounds are collections that came to their end, Unsure those that ended with ErrUnsure.
	Rounds, Unsure uint64
	// Seen are the blocks that were looked at, Blocks those that were collected, and Bytes what
	// these took.
	Seen, Blocks, Bytes uint64
}

// NewCollector returns a Collector that has not begun.
func NewCollector(config CollectorConfig) (*Collector, error) {
	if config.Chain == nil || config.Store == nil {
		return nil, errors.New("collector needs a chain and a store")
	}
	if config.Grace == 0 {
		config.Grace = DefaultGrace
	}
	if config.Every == 0 {
		config.Every = DefaultCollectEvery
	}
	if config.Delay == 0 {
		config.Delay = DefaultCollectDelay
	}
	if config.Rate == 0 {
		config.Rate = DefaultCollectRate
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Collector{
		config: config, self: self{chain: config.Chain}, pace: rate.NewLimiter(rate.Limit(config.Rate), config.Rate),
		objects: storagev1.NewQueryClient(config.Chain), members: consortiumv1.NewQueryClient(config.Chain),
		unlocks: accessv1.NewQueryClient(config.Chain),
	}, nil
}

// Stats returns the counters.
func (c *Collector) Stats() CollectorStats {
	return CollectorStats{
		Rounds: c.rounds.Load(), Unsure: c.unsure.Load(), Seen: c.seen.Load(), Blocks: c.blocks.Load(), Bytes: c.bytes.Load(),
	}
}

// Run collects from time to time until ctx ends; then it returns nil. It returns an error when
// the store has failed ([blob.ErrFailed], [blob.ErrClosed]).
func (c *Collector) Run(ctx context.Context) error {
	report := reporter{log: c.config.Log}
	sleep(ctx, nil, c.config.Delay)
	for ctx.Err() == nil {
		pause := c.config.Every
		err := c.Collect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // whatever it says now, it was told to end
		}
		if errors.Is(err, blob.ErrFailed) || errors.Is(err, blob.ErrClosed) {
			return fmt.Errorf("collect: %w", err)
		}
		if err != nil {
			pause = min(collectRetry, pause)
		}
		report.changed(ctx, "blocks that nobody names can't be collected", err)
		sleep(ctx, nil, pause)
	}
	return nil
}

// Collect looks at every block once. Errors are [ErrUnsure], those of the chain, ErrNotReady
// among them, and those of the store; what was collected before stays collected.
func (c *Collector) Collect(ctx context.Context) error {
	before := c.Stats()
	err := c.collect(ctx)
	switch {
	case err == nil:
		c.rounds.Add(1)
	case errors.Is(err, ErrUnsure):
		c.unsure.Add(1)
	}
	if after := c.Stats(); after.Blocks > before.Blocks {
		c.config.Log.Info("blocks that nobody names were collected",
			"blocks", after.Blocks-before.Blocks, "bytes", after.Bytes-before.Bytes, "of", after.Seen-before.Seen)
	}
	return err
}

func (c *Collector) collect(ctx context.Context) error {
	// Whatever is named later than this is used later than this, too.
	before := c.config.Now().Add(-c.config.Grace)
	if _, err := c.config.Chain.Ready(ctx); err != nil {
		return err
	}
	node, err := c.self.number(ctx)
	if err != nil {
		return err
	}
	r := collection{Collector: c, node: node, before: before}
	if err := r.mark(ctx); err != nil {
		return err
	}
	return r.sweep(ctx)
}

// collection is one look at every block.
type collection struct {
	*Collector
	node   uint64
	before time.Time // what was used since then stays
	named  *filter
}

// mark adds to the filter whatever is named.
func (r *collection) mark(ctx context.Context) error {
	blocks := int64(0)
	err := r.config.Store.List(ctx, lock.CID{}, func(blob.Held) error {
		blocks++
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	r.named = newFilter(blocks)
	if r.config.Uploads != nil {
		r.config.Uploads.Uploading(r.named.add)
	}
	// A copy that is confirmed while we read stands in the list of holdings too late for us, and
	// leaves that of assignments too early; then its root, which is there, tells of it. A copy
	// that is lost while we read is in the one or in the other.
	for _, list := range []func(context.Context) error{r.markHoldings, r.markAssignments, r.markUnlocks, r.markRecoveries, r.markRoots} {
		if err := list(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *collection) markHoldings(ctx context.Context) error {
	return eachHolding(ctx, r.objects, r.node, func(o *storagev1.Object) error { return r.markObject(ctx, o) })
}

func (r *collection) markAssignments(ctx context.Context) error {
	return eachAssignment(ctx, r.objects, r.node, func(o *storagev1.PlacedObject) error {
		return r.markCopy(ctx, o.GetObject(), r.copyStatus(o.GetCopies()))
	})
}

// markCopy is markObject of a copy in some state. One that was never confirmed may be
// incomplete: who brings it touches what is there of it at each try, and the chain does not
// count on it yet.
func (r *collection) markCopy(ctx context.Context, o *storagev1.Object, state storagev1.CopyStatus) error {
	err := r.markObject(ctx, o)
	if errors.Is(err, ErrUnsure) && state == storagev1.CopyStatus_COPY_STATUS_ASSIGNED {
		return nil
	}
	return err
}

// copyStatus returns where this node's copy stands, unspecified where it has none.
func (r *collection) copyStatus(copies []*storagev1.Copy) storagev1.CopyStatus {
	for _, c := range copies {
		if c.GetNode() == r.node {
			return c.GetStatus()
		}
	}
	return storagev1.CopyStatus_COPY_STATUS_UNSPECIFIED
}

// markObject marks all blocks of an object. The error is ErrUnsure where its tree can't be read.
func (r *collection) markObject(ctx context.Context, described *storagev1.Object) error {
	o, err := parseObject(described)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsure, err)
	}
	r.named.add(o.root)
	for _, c := range o.attached {
		r.named.add(c)
	}
	if !o.root.IsDag() {
		return nil
	}
	tree, err := blob.ReadTree(ctx, paced{r.config.Store, r.pace}, o.root, o.budget)
	if isLost(err) {
		return fmt.Errorf("%w: object %s: %w", ErrUnsure, o.root, err)
	} else if err != nil {
		return err
	}
	for _, c := range tree.Nodes {
		r.named.add(c)
	}
	for _, l := range tree.Leaves {
		r.named.add(l.CID)
	}
	return nil
}

// markUnlocks marks the request keys and capsules of unlocks that have not ended.
func (r *collection) markUnlocks(ctx context.Context) error {
	var members []uint64
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := r.members.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		for _, m := range got.GetMembers() {
			members = append(members, m.GetNumber())
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return fmt.Errorf("list members: %w", err)
	}
	// Every unlock has a custodian, and this lists the newest first.
	oldest := r.config.Now().Add(-longestUnlock).Unix()
	for _, member := range members {
		page := &queryv1.PageRequest{Limit: pageSize}
		for page != nil {
			got, err := r.unlocks.Unlocks(ctx, &accessv1.QueryUnlocksRequest{Custodian: member, Pagination: page})
			if err != nil {
				return fmt.Errorf("list the unlocks of member %d: %w", member, err)
			}
			page = nil
			if key := got.GetPagination().GetNextKey(); len(key) > 0 {
				page = &queryv1.PageRequest{Limit: pageSize, Key: key}
			}
			for _, u := range got.GetUnlocks() {
				if u.GetUnlock().GetProposedAt() < oldest {
					page = nil
					break
				}
				if err := r.markUnlock(u); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *collection) markUnlock(u *accessv1.QueryUnlockResponse) error {
	switch u.GetStatus() {
	case accessv1.UnlockStatus_UNLOCK_STATUS_DENIED, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN,
		accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED:
		return nil
	}
	return r.markTexts("unlock "+u.GetUnlock().GetId(), u.GetUnlock().GetRequestKey(), u.GetUnlock().GetApproval().GetCapsule())
}

// markTexts marks blocks by the texts of their CIDs, which may be empty.
func (r *collection) markTexts(of string, texts ...string) error {
	for _, text := range texts {
		if text == "" {
			continue
		}
		c, err := lock.ParseCID(text)
		if err != nil {
			return fmt.Errorf("%w: %s names %q: %w", ErrUnsure, of, text, err)
		}
		r.named.add(c)
	}
	return nil
}

// markRecoveries marks the request keys and guardians' shares of recoveries that have not ended.
func (r *collection) markRecoveries(ctx context.Context) error {
	return Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := r.unlocks.Recoveries(ctx, &accessv1.QueryRecoveriesRequest{Open: true, Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("list open recoveries: %w", err)
		}
		for _, open := range got.GetRecoveries() {
			recovery := open.GetRecovery()
			texts := []string{recovery.GetRequestKey()}
			for _, a := range recovery.GetApprovals() {
				texts = append(texts, a.GetCapsule())
			}
			if err := r.markTexts(fmt.Sprintf("recovery %d", recovery.GetNumber()), texts...); err != nil {
				return nil, err
			}
		}
		return got.GetPagination(), nil
	})
}

// markRoots marks the objects whose root is here and which the chain wants here without having
// said so in a list: those that were brought in here and that others do not hold yet.
func (r *collection) markRoots(ctx context.Context) error {
	// Inner nodes follow behind all raw blocks, and no block has this hash.
	return r.config.Store.List(ctx, lock.DagCID([32]byte{}), func(h blob.Held) error {
		if r.named.has(h.CID) {
			return nil
		}
		_, err := r.wanted(ctx, h.CID)
		return err
	})
}

// wanted tells whether a block is the root of an object, or the single block of one, that is to
// stay, and marks the object then: this node is to have a copy, or others hold fewer than they
// should.
func (r *collection) wanted(ctx context.Context, c lock.CID) (bool, error) {
	if err := r.pace.Wait(ctx); err != nil {
		return false, err
	}
	got, err := r.objects.Object(ctx, &storagev1.QueryObjectRequest{Cid: c.String()})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for object %s: %w", c, err)
	}
	state := r.copyStatus(got.GetCopies())
	if state == storagev1.CopyStatus_COPY_STATUS_UNSPECIFIED && got.GetHeld() >= got.GetObject().GetTarget() {
		return r.mirrored(ctx, got.GetObject())
	}
	return true, r.markCopy(ctx, got.GetObject(), state)
}

// mirrored tells whether an object is kept by the mirror, and marks it then. It may be
// incomplete: who brings it touches what is there.
func (r *collection) mirrored(ctx context.Context, o *storagev1.Object) (bool, error) {
	if r.config.Mirror == nil {
		return false, nil
	}
	keeps, err := r.config.Mirror.Mirrors(ctx, o)
	if err != nil || !keeps {
		return false, err
	}
	return true, r.markCopy(ctx, o, storagev1.CopyStatus_COPY_STATUS_ASSIGNED)
}

// sweep collects what is not marked. Leaves come before inner nodes, so that an object of which
// only a part is collected when this is cut short can still be walked, and erased for good.
func (r *collection) sweep(ctx context.Context) error {
	var batch []lock.CID
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if _, err := r.config.Chain.Ready(ctx); err != nil {
			return err
		}
		done, err := r.config.Store.Collect(ctx, batch, r.before)
		r.blocks.Add(uint64(done.Blocks))
		r.bytes.Add(uint64(done.Bytes))
		batch = batch[:0]
		return err
	}
	err := r.config.Store.List(ctx, lock.CID{}, func(h blob.Held) error {
		r.seen.Add(1)
		if !h.Used.Before(r.before) || r.named.has(h.CID) {
			return nil
		}
		if h.CID.IsRaw() {
			if stays, err := r.wanted(ctx, h.CID); err != nil || stays {
				return err
			}
		}
		if batch = append(batch, h.CID); len(batch) < collectedAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// paced reads no faster than its rate.
type paced struct {
	store blob.Getter
	pace  *rate.Limiter
}

// Get implements [blob.Getter].
func (p paced) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if err := p.pace.Wait(ctx); err != nil {
		return nil, err
	}
	return p.store.Get(ctx, c)
}
