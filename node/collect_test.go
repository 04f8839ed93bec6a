package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

const day = 24 * time.Hour

// unlockServer lists unlocks.
type unlockServer struct {
	accessv1.UnimplementedQueryServer
	l *ledger
}

// Recoveries lists those that are open.
func (s unlockServer) Recoveries(_ context.Context, req *accessv1.QueryRecoveriesRequest) (*accessv1.QueryRecoveriesResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if !req.GetOpen() {
		return nil, status.Error(codes.InvalidArgument, "only those that are open are listed here")
	}
	rows, next := pageOf(s.l.recoveries, req.GetPagination())
	return &accessv1.QueryRecoveriesResponse{Recoveries: rows, Pagination: next}, nil
}

func (s unlockServer) Unlocks(_ context.Context, req *accessv1.QueryUnlocksRequest) (*accessv1.QueryUnlocksResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	var mine []*accessv1.QueryUnlockResponse
	for _, u := range s.l.unlocks {
		if u.GetUnlock().GetCustodian() == req.GetCustodian() {
			mine = append(mine, u)
		}
	}
	rows, next := pageOf(mine, req.GetPagination())
	return &accessv1.QueryUnlocksResponse{Unlocks: rows, Pagination: next}, nil
}

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// uploads are the blocks of uploads under way.
type uploads struct {
	mu     sync.Mutex
	blocks []lock.CID
}

func (u *uploads) Uploading(visit func(lock.CID)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.blocks {
		visit(c)
	}
}

func (u *uploads) add(cids ...lock.CID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.blocks = append(u.blocks, cids...)
}

// cellar is a hospital of which only the store matters.
type cellar struct {
	t       *testing.T
	l       *ledger
	clock   *clock
	store   node.CollectStore
	uploads *uploads
	number  uint64 // of its storage node
	other   uint64 // of another hospital's
	collect *node.Collector
	seed    uint64
}

func newCellar(t *testing.T, open func(*clock) node.CollectStore) *cellar {
	t.Helper()
	c := &cellar{t: t, l: newLedger(t), clock: &clock{}, uploads: &uploads{}}
	c.store = open(c.clock)
	t.Cleanup(func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
	key := newKey(t)
	c.number = c.l.addNode(key.Address(), "", "")
	c.other = c.l.addNode(newKey(t).Address(), "", "")
	chain := c.l.client(t, key, func(config *node.ClientConfig) { config.StartHeight = new(int64) })
	var err error
	c.collect, err = node.NewCollector(node.CollectorConfig{Chain: chain, Store: c.store, Uploads: c.uploads, Now: c.clock.now, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inMemory(c *clock) node.CollectStore { return memory.NewAt(c.now) }

func inPacks(t *testing.T) func(*clock) node.CollectStore {
	t.Helper()
	return func(c *clock) node.CollectStore {
		s, err := pack.Open(t.TempDir(), pack.Options{Reserve: -1, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// block stores a block and returns it.
func (c *cellar) block() (lock.CID, []byte) {
	c.t.Helper()
	c.seed++
	id, b := blobtest.Block(c.seed, 2000)
	if err := blobtest.Store(c.t.Context(), c.store, blob.Hint{}, b); err != nil {
		c.t.Fatal(err)
	}
	return id, b
}

// scan stores an object with an envelope, which the chain does not know.
func (c *cellar) scan() scan {
	c.t.Helper()
	c.seed++
	return newScan(c.t, c.store, c.seed, 2<<20+int(c.seed))
}

// described is a scan as the chain describes it, wanted once.
func (c *cellar) described(s scan) *storagev1.Object {
	return &storagev1.Object{Cid: s.cid(), Size: s.padded, Attached: []string{s.envelope.String()}, Origin: c.number, Target: 1}
}

// put has the chain know an object with copies in these states, by node.
func (l *ledger) put(o *storagev1.Object, copies map[uint64]storagev1.CopyStatus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	placed := &storagev1.PlacedObject{Object: o}
	for n := uint64(1); n <= uint64(len(l.nodes)); n++ {
		if state, ok := copies[n]; ok {
			placed.Copies = append(placed.Copies, &storagev1.Copy{Node: n, Status: state})
		}
	}
	l.objects[o.GetCid()] = placed
}

func (c *cellar) mustCollect() {
	c.t.Helper()
	if err := c.collect.Collect(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// has tells which of the blocks are in the store.
func (c *cellar) has(what string, want bool, cids ...lock.CID) {
	c.t.Helper()
	for i, id := range cids {
		if has, err := c.store.Has(c.t.Context(), id); err != nil || has != want {
			c.t.Errorf("%s: block %d of %d is there: %t, %v, want %t", what, i, len(cids), has, err, want)
		}
	}
}

func TestOnlyWhatNobodyNamesIsCollected(t *testing.T) {
	for name, open := range map[string]func(*clock) node.CollectStore{"memory": inMemory, "pack": inPacks(t)} {
		t.Run(name, func(t *testing.T) {
			c := newCellar(t, open)
			type states map[uint64]storagev1.CopyStatus
			stays, goes := map[string][]lock.CID{}, map[string][]lock.CID{}
			for name, state := range map[string]states{
				"held here":                       {c.number: held, c.other: held},
				"assigned here":                   {c.number: assigned, c.other: held},
				"lost here":                       {c.number: lost, c.other: held},
				"brought in and not yet held":     {c.other: assigned},
				"brought in and lost elsewhere":   {c.other: lost},
				"brought in and placed on nobody": {},
			} {
				s := c.scan()
				c.l.put(c.described(s), state)
				stays[name] = s.all()
			}
			vault, _ := c.block()
			c.l.put(&storagev1.Object{Cid: vault.String(), Size: 2000, Target: 1}, states{c.number: held})
			stays["a vault that is held here"] = []lock.CID{vault}
			vault, _ = c.block()
			c.l.put(&storagev1.Object{Cid: vault.String(), Size: 2000, Target: 1}, states{c.other: assigned})
			stays["a vault that was brought in"] = []lock.CID{vault}

			trimmed := c.scan()
			c.l.put(c.described(trimmed), states{c.other: held})
			goes["a copy that others have"] = trimmed.all()
			goes["an abandoned upload"] = c.scan().all()
			upload := c.scan()
			c.uploads.add(upload.all()...)
			stays["an upload under way"] = upload.all()

			// Two objects share a leaf, and one of them is named.
			first := c.scan()
			c.l.put(c.described(first), states{c.number: held})
			stays["shared"] = first.CIDs
			own, b := blobtest.Block(1<<50, 1<<20)
			second := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
			second.Add(own, b)
			root := second.Node(blob.Link{CID: own, Tree: 1 << 20, Size: 1 << 20}, blob.Link{CID: first.CIDs[2], Tree: 1 << 20, Size: 1 << 20})
			if err := second.Put(t.Context(), c.store); err != nil {
				t.Fatal(err)
			}
			goes["not shared"] = []lock.CID{own, root.CID}

			for i, u := range []accessv1.UnlockStatus{
				accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED, accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED,
				accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED,
				accessv1.UnlockStatus_UNLOCK_STATUS_DENIED, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN,
				accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED,
			} {
				key, _ := c.block()
				capsule, _ := c.block()
				c.l.set(func() {
					c.l.unlocks = append(c.l.unlocks, &accessv1.QueryUnlockResponse{Status: u, Unlock: &accessv1.Unlock{
						Id: u.String(), Custodian: uint64(1 + i%2), RequestKey: key.String(), ProposedAt: time.Now().Unix(),
						Approval: &accessv1.Approval{Capsule: capsule.String()},
					}})
				})
				if i < 4 {
					stays[u.String()] = []lock.CID{key, capsule}
				} else {
					goes[u.String()] = []lock.CID{key, capsule}
				}
			}

			key, _ := c.block()
			share, _ := c.block()
			c.l.set(func() {
				c.l.recoveries = append(c.l.recoveries, &accessv1.QueryRecoveryResponse{Recovery: &accessv1.Recovery{
					RequestKey: key.String(), Approvals: []*accessv1.RecoveryApproval{{Capsule: share.String()}, {}},
				}}, &accessv1.QueryRecoveryResponse{Recovery: &accessv1.Recovery{}})
			})
			stays["an open recovery"] = []lock.CID{key, share}

			// Within the grace nothing goes.
			c.clock.advance(day)
			c.mustCollect()
			for name, cids := range goes {
				c.has(name+" after a day", true, cids...)
			}
			c.clock.advance(2 * day)
			fresh, _ := c.block()
			c.mustCollect()
			for name, cids := range stays {
				c.has(name, true, cids...)
			}
			c.has("a new block", true, fresh)
			count := 0
			for name, cids := range goes {
				c.has(name, false, cids...)
				count += len(cids)
			}
			if s := c.collect.Stats(); s.Rounds != 2 || s.Blocks != uint64(count) || s.Bytes < 1<<20 || s.Seen < 100 {
				t.Errorf("stats %+v, want %d blocks", s, count)
			}
			// The next one finds nothing to do, and an upload that was forgotten.
			c.uploads.blocks = nil
			c.mustCollect()
			c.has("an upload that was forgotten", false, upload.all()...)
		})
	}
}

func TestNothingIsCollectedUnlessAllIsKnown(t *testing.T) {
	c := newCellar(t, inMemory)
	mine := c.scan()
	c.l.put(c.described(mine), map[uint64]storagev1.CopyStatus{c.number: held})
	damaged := c.scan()
	garbage := c.scan()
	c.clock.advance(3 * day)
	errBroken := status.Error(codes.Unavailable, "broken")
	fails := func(method string) func(*testing.T) {
		return func(*testing.T) {
			c.l.set(func() {
				c.l.broken = func(called string) error {
					if strings.HasSuffix(called, method) {
						return errBroken
					}
					return nil
				}
			})
		}
	}
	isDamaged := func(state storagev1.CopyStatus) func(*testing.T) {
		return func(*testing.T) {
			c.l.put(c.described(damaged), map[uint64]storagev1.CopyStatus{c.number: state, c.other: held})
		}
	}
	if err := c.store.Erase(t.Context(), []lock.CID{damaged.Root}, nil); err != nil {
		t.Fatal(err)
	}
	unavailable := func(err error) bool { return status.Code(errors.Unwrap(err)) == codes.Unavailable }
	for name, test := range map[string]struct {
		change func(*testing.T)
		is     func(error) bool
	}{
		"holdings can't be read":    {fails("/Holdings"), unavailable},
		"assignments can't be read": {fails("/Assignments"), unavailable},
		"unlocks can't be read":     {fails("/Unlocks"), unavailable},
		"recoveries can't be read":  {fails("/Recoveries"), unavailable},
		"members can't be read":     {fails("/Members"), unavailable},
		"objects can't be read":     {fails("/Object"), unavailable},
		"the node is catching up":   {func(*testing.T) { c.l.set(func() { c.l.catchingUp = true }) }, func(err error) bool { return errors.Is(err, node.ErrNotReady) }},
		"a held tree has a hole":    {isDamaged(held), func(err error) bool { return errors.Is(err, node.ErrUnsure) }},
		"a lost tree has a hole":    {isDamaged(lost), func(err error) bool { return errors.Is(err, node.ErrUnsure) }},
	} {
		t.Run(name, func(t *testing.T) {
			test.change(t)
			if err := c.collect.Collect(t.Context()); !test.is(err) {
				t.Errorf("got %v", err)
			}
			c.has("garbage", true, garbage.all()...)
			c.l.set(func() {
				c.l.broken, c.l.catchingUp = nil, false
				delete(c.l.objects, damaged.cid())
			})
		})
	}
	if s := c.collect.Stats(); s.Blocks != 0 || s.Unsure != 2 {
		t.Errorf("stats %+v", s)
	}
	// Twin: a copy that was never confirmed may have holes.
	isDamaged(assigned)(t)
	c.mustCollect()
	c.has("garbage", false, garbage.all()...)
	c.has("held", true, mine.all()...)
}

// ordered notes what is collected, in order.
type ordered struct {
	node.CollectStore
	cids []lock.CID
}

func (o *ordered) Collect(ctx context.Context, cids []lock.CID, before time.Time) (blob.Collected, error) {
	o.cids = append(o.cids, cids...)
	return o.CollectStore.Collect(ctx, cids, before)
}

func TestLeavesAreCollectedBeforeNodes(t *testing.T) {
	var o *ordered
	c := newCellar(t, func(at *clock) node.CollectStore {
		o = &ordered{CollectStore: inMemory(at)}
		return o
	})
	for range 10 {
		c.scan()
	}
	c.clock.advance(3 * day)
	c.mustCollect()
	firstNode := slices.IndexFunc(o.cids, lock.CID.IsDag)
	if len(o.cids) != 10*5 || firstNode != 10*4 {
		t.Errorf("the first node is block %d of %d", firstNode, len(o.cids))
	}
}

// late is a store in which something happens between the marks and the collection.
type late struct {
	node.CollectStore
	before func()
}

func (s *late) Collect(ctx context.Context, cids []lock.CID, before time.Time) (blob.Collected, error) {
	s.before()
	return s.CollectStore.Collect(ctx, cids, before)
}

// telling is a Copier that tells when it is asked to fetch an object.
type telling struct {
	*ipfs.Node
	begun chan struct{}
}

func (c telling) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	select {
	case c.begun <- struct{}{}:
	default:
	}
	return c.Node.Fetch(ctx, root, peers, budget)
}

// A copy that was trimmed is assigned again when its blocks are marked as garbage already.
// Whatever is confirmed is there, whoever comes first.
func TestCollectingAgainstReplication(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	at := &clock{}
	clinic := newHospital(t, l, memory.New())
	packs := inPacks(t)(at)
	t.Cleanup(func() {
		if err := packs.Close(); err != nil {
			t.Error(err)
		}
	})
	heart := newHospital(t, l, packs)
	s := newScan(t, clinic.store, 1, 5<<20)
	newScan(t, packs, 1, 5<<20)
	checkConfirmations(t, l, heart, s)
	store := &late{CollectStore: packs}
	chain := l.client(t, heart.key, func(config *node.ClientConfig) { config.StartHeight = new(int64) })
	collector, err := node.NewCollector(node.CollectorConfig{Chain: chain, Store: store, Now: at.now, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	copier := telling{Node: heart.ipfs, begun: make(chan struct{}, 1)}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = copier }).Run, nil)
	object := s.placed(clinic)
	object.Target = 1
	elsewhere := map[uint64]storagev1.CopyStatus{clinic.number: held}
	assign := func() {
		l.put(object, map[uint64]storagev1.CopyStatus{clinic.number: held, heart.number: assigned})
	}
	for name, meddle := range map[string]func(){
		"at the same time":       assign,
		"when it is fetched":     func() { assign(); <-copier.begun },
		"when it was confirmed":  func() { assign(); heart.awaitCopy(s.cid(), held) },
		"when it was collected":  func() { go func() { heart.awaitNothing(s); assign() }() },
		"twin: not at all":       func() {},
		"twin: again not at all": func() {},
	} {
		l.put(object, elsewhere)
		select {
		case <-copier.begun:
		default:
		}
		at.advance(10 * day)
		collected := collector.Stats().Blocks
		store.before = meddle
		if err := collector.Collect(t.Context()); err != nil {
			t.Fatalf("assigned %s: %v", name, err)
		}
		if collected = collector.Stats().Blocks - collected; name == "when it was confirmed" && collected != 0 {
			t.Errorf("%d blocks of a confirmed copy were collected", collected)
		}
		if strings.HasPrefix(name, "twin") {
			if err := blobtest.Lacks(t.Context(), packs, s.Root); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			assign()
		}
		heart.awaitCopy(s.cid(), held)
		if err := s.complete(t.Context(), packs); err != nil {
			t.Fatalf("assigned %s: %v", name, err)
		}
	}
}

// awaitNothing waits until a hospital has no block of a scan.
func (h *hospital) awaitNothing(s scan) {
	h.t.Helper()
	eventually(h.t, "nothing is there", func() bool {
		missing, err := blob.Missing(h.t.Context(), h.store, s.all())
		return err != nil || len(missing) == len(s.all())
	})
}

// Clerks upload again what lies there as garbage, while it is collected and while a record that
// shares a leaf is erased.
func TestCollectingAgainstUploadAndErasure(t *testing.T) {
	c := newCellar(t, inPacks(t))
	var scans []scan
	for range 4 {
		scans = append(scans, c.scan())
	}
	shared := scans[0].CIDs[1]
	erased := c.scan()
	for range 5 {
		c.clock.advance(10 * day)
		var group sync.WaitGroup
		errs := make(chan error, len(scans)+2)
		group.Go(func() { errs <- c.collect.Collect(t.Context()) })
		group.Go(func() {
			errs <- c.store.Erase(t.Context(), append(erased.all(), shared), func(id lock.CID) bool { return id == shared })
		})
		for _, s := range scans {
			group.Go(func() { errs <- c.upload(t.Context(), s) })
		}
		group.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range scans {
			c.has(fmt.Sprint("uploaded ", i), true, s.all()...)
		}
		c.has("erased", false, erased.all()...)
		c.uploads.blocks = nil
	}
	// Twin: when nobody uploads, all of it goes.
	c.clock.advance(10 * day)
	c.mustCollect()
	for i, s := range scans {
		c.has(fmt.Sprint("abandoned ", i), false, s.all()...)
	}
}

// upload does as a gateway does: put, sync, acknowledge.
func (c *cellar) upload(ctx context.Context, s scan) error {
	batch, err := c.store.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	for _, id := range s.CIDs {
		err = errors.Join(err, batch.Put(id, s.Blocks[id]))
	}
	err = errors.Join(err, batch.Put(s.envelope, s.block), batch.Sync(ctx), batch.Close())
	c.uploads.add(s.all()...)
	return err
}

func TestCollectorRunsFromTimeToTime(t *testing.T) {
	c := newCellar(t, inMemory)
	key := newKey(t)
	c.l.addNode(key.Address(), "", "")
	chain := c.l.client(t, key, func(config *node.ClientConfig) { config.StartHeight = new(int64) })
	collector, err := node.NewCollector(node.CollectorConfig{
		Chain: chain, Store: c.store, Now: c.clock.now, Delay: time.Millisecond, Every: time.Millisecond, Log: quiet(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, collector.Run, nil)
	garbage := c.scan()
	c.clock.advance(3 * day)
	eventually(t, "garbage is collected", func() bool { return collector.Stats().Blocks == uint64(len(garbage.all())) })
	stop()
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := collector.Run(t.Context()); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("ended with %v, want %v", err, blob.ErrClosed)
	}
	if _, err := node.NewCollector(node.CollectorConfig{}); err == nil {
		t.Error("made of nothing")
	}
}
