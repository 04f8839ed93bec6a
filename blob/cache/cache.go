// Package cache keeps blocks that were fetched to be read once, within a bound, so that the
// next reading finds them on the hospital's own disk.
//
// It promises nothing. A block is a file of its own in one folder, written without fsync; what
// is where stands in memory alone. [New] empties the folder, so nothing that was erased comes
// back with a process or with a backup. What does not fit is not kept, what was used longest
// ago goes first, and what is damaged counts as missing. Peers are not served from here, and
// the chain counts nothing of it.
//
// Every block is kept for an object, and goes with it: [Cache.Erase] needs no tree to find what
// it has to remove. Who reads an object says so with [Cache.Open]; what such a reader fetches
// after the object was erased is not kept.
package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// barTime is how long an object that was erased can't be opened. Who opens it has just
	// asked the chain whether it may be read, so it is much longer than such a question takes.
	barTime = 10 * time.Minute
	// maxBlocks bounds the blocks that are known, and with them the memory that this takes.
	maxBlocks = 1 << 20
	// lookEvery is how often Run looks at the disk.
	lookEvery = 10 * time.Second
	// page is what the length of a file is rounded up to.
	page = 4096
)

// Options say how much is kept.
type Options struct {
	// Size is how many bytes the files take at most together; 0 keeps nothing.
	Size int64
	// Free tells how many bytes are left on the disk for whoever promised them; nil is
	// plenty.
	Free func() (uint64, error)
	// Leave is how many of these bytes the cache leaves alone. Below it, it gives up what it
	// has instead of taking more.
	Leave uint64
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Stats are what a [Cache] holds, and has done since it was made.
type Stats struct {
	// Hits are blocks that were found, Misses those that readers of objects did not find, and
	// Damaged those that were there with other bytes.
	Hits, Misses, Damaged uint64
	// Evicted are blocks that went for want of room, EvictedBytes what their files took, and
	// Refused those that could not be written.
	Evicted, EvictedBytes, Refused uint64
	// Blocks are there now, and their files take Bytes.
	Blocks, Bytes int64
}

// Cache keeps blocks in a folder. The zero Cache keeps nothing. All its methods may be called
// at the same time.
type Cache struct {
	dir     string
	options Options

	// writing is held for reading while a block is written, so that Erase finds it.
	writing sync.RWMutex

	mu      sync.Mutex
	next    uint64 // names the next file
	blocks  map[lock.CID]*list.Element
	pending map[lock.CID]struct{} // blocks that are being written
	order   list.List             // of *kept, newest first
	objects map[lock.CID]*object
	barred  map[lock.CID]time.Time // objects that were erased, and when
	stats   Stats
}

// kept is a block that is there.
type kept struct {
	cid  lock.CID
	root lock.CID // of the object for which it is kept
	name string
	size int64 // of the file on the disk
}

// object is what is known of an object that is read, or of which something is kept.
type object struct {
	blocks map[lock.CID]struct{}
	opened map[*Object]struct{}
}

// New returns a cache in a folder of its own, which it creates or empties.
func New(dir string, options Options) (*Cache, error) {
	if options.Size < 0 {
		return nil, fmt.Errorf("cache of %d bytes", options.Size)
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("empty the cache: %w", err)
	}
	c := &Cache{dir: dir, options: options, blocks: map[lock.CID]*list.Element{}, pending: map[lock.CID]struct{}{}}
	if options.Size == 0 {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return c, nil
}

// Stats returns what is there and the counters.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Keeps tells whether the cache keeps anything.
func (c *Cache) Keeps() bool { return c.options.Size > 0 }

// Has tells whether a block is there, which neither counts nor makes it used.
func (c *Cache) Has(id lock.CID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks[id] != nil
}

// Get implements [blob.Getter]. A damaged block is as good as none: it goes, and the error is
// [blob.ErrNotFound].
func (c *Cache) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k := c.find(id)
	if k == nil {
		return nil, fmt.Errorf("block %s is not in the cache: %w", id, blob.ErrNotFound)
	}
	block, err := os.ReadFile(c.path(k))
	if err == nil && blob.Matches(id, block) {
		c.count(func(s *Stats) { s.Hits++ })
		return block, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.blocks[id]; e == nil || keptOf(e) != k {
		return nil, fmt.Errorf("block %s left the cache: %w", id, blob.ErrNotFound) // meanwhile
	}
	c.stats.Damaged++
	if err := c.drop(k); err != nil {
		return nil, fmt.Errorf("damaged block %s stays in the cache: %w: %w", id, err, blob.ErrNotFound)
	}
	return nil, fmt.Errorf("block %s was damaged in the cache: %w", id, blob.ErrNotFound)
}

// find returns a block that is there and counts it as used; nil if there is none.
func (c *Cache) find(id lock.CID) *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.blocks[id]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return keptOf(e)
}

func keptOf(e *list.Element) *kept {
	k, ok := e.Value.(*kept)
	if !ok {
		panic("cache: the list of blocks holds something else")
	}
	return k
}

func (c *Cache) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

func (c *Cache) path(k *kept) string { return filepath.Join(c.dir, k.name) }

// Object is the cache as one reader of an object uses it.
type Object struct {
	cache *Cache
	root  lock.CID
	dead  bool // the object was erased; guarded by cache.mu
}

// Open returns the cache for one reader of an object, to be closed when the reading ends. The
// reader has just made sure that the object was not erased.
func (c *Cache) Open(root lock.CID) *Object {
	o := &Object{cache: c, root: root}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, barred := c.barred[root]; barred && c.now().Sub(at) < barTime {
		o.dead = true
		return o
	}
	c.object(root).opened[o] = struct{}{}
	return o
}

// object returns what is known of an object. The caller holds c.mu and adds something to it.
func (c *Cache) object(root lock.CID) *object {
	x := c.objects[root]
	if x == nil {
		x = &object{blocks: map[lock.CID]struct{}{}, opened: map[*Object]struct{}{}}
		if c.objects == nil {
			c.objects = map[lock.CID]*object{}
		}
		c.objects[root] = x
	}
	return x
}

// tidy forgets an object of which nothing is known any more. The caller holds c.mu.
func (c *Cache) tidy(root lock.CID) {
	if x := c.objects[root]; x != nil && len(x.blocks) == 0 && len(x.opened) == 0 {
		delete(c.objects, root)
	}
}

// Close ends the reading.
func (o *Object) Close() {
	c := o.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.objects[o.root]; x != nil {
		delete(x.opened, o)
	}
	c.tidy(o.root)
}

// Get is [Cache.Get], and counts what is not there.
func (o *Object) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	block, err := o.cache.Get(ctx, id)
	if errors.Is(err, blob.ErrNotFound) {
		o.cache.count(func(s *Stats) { s.Misses++ })
	}
	return block, err
}

// Keep keeps a block of the object, or one that belongs to it, whose bytes the caller has
// hashed. Where it can't be kept, because there is no room or the object was erased, it is
// not; nobody relies on it.
func (o *Object) Keep(id lock.CID, block []byte) {
	c := o.cache
	c.writing.RLock()
	defer c.writing.RUnlock()
	k := c.begin(o, id, len(block))
	if k == nil {
		return
	}
	err := os.WriteFile(c.path(k), block, 0o600)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
	c.blocks[id] = c.order.PushFront(k)
	c.object(o.root).blocks[id] = struct{}{}
	c.stats.Blocks++
	if err == nil {
		return
	}
	c.stats.Refused++
	if err := c.drop(k); err != nil {
		return // it stays in the list, so that Erase finds the part that was written
	}
}

// begin makes room for a block; nil where it is not to be kept. Its bytes count from now on.
func (c *Cache) begin(o *Object, id lock.CID, length int) *kept {
	size := int64(length+page-1) / page * page
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, pending := c.pending[id]; pending || o.dead || c.blocks[id] != nil || length == 0 || size > c.options.Size {
		return nil
	}
	short := max(c.shortage(), c.stats.Bytes+size-c.options.Size)
	if c.stats.Blocks >= maxBlocks {
		short = max(short, 1)
	}
	if short > 0 && c.evict(short) < short {
		c.stats.Refused++
		return nil
	}
	k := &kept{cid: id, root: o.root, name: strconv.FormatUint(c.next, 16), size: size}
	c.next++
	c.pending[id] = struct{}{}
	c.stats.Bytes += size
	return k
}

// shortage is how many bytes the cache has to give up before it may take another block. The
// caller holds c.mu.
func (c *Cache) shortage() int64 {
	if c.options.Free == nil {
		return 0
	}
	free, err := c.options.Free()
	if err != nil {
		return c.options.Size // a disk that does not answer is given nothing
	}
	if free >= c.options.Leave {
		return 0
	}
	return int64(min(c.options.Leave-free+blob.MaxBlock, uint64(c.options.Size)))
}

// drop removes a block for good. The caller holds c.mu.
func (c *Cache) drop(k *kept) error {
	if err := os.Remove(c.path(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.order.Remove(c.blocks[k.cid])
	delete(c.blocks, k.cid)
	delete(c.objects[k.root].blocks, k.cid)
	c.tidy(k.root)
	c.stats.Blocks--
	c.stats.Bytes -= k.size
	return nil
}

// evict drops what was used longest ago until so many bytes are free, and returns how many
// are. The caller holds c.mu.
func (c *Cache) evict(bytes int64) (freed int64) {
	for freed < bytes {
		last := c.order.Back()
		if last == nil {
			break
		}
		k := keptOf(last)
		if err := c.drop(k); err != nil {
			break // a folder that can't be written gives nothing
		}
		c.stats.Evicted++
		c.stats.EvictedBytes += uint64(k.size)
		freed += k.size
	}
	return freed
}

// Give gives up blocks, those first that were used longest ago, until so many bytes of disk
// are free, for whoever needs the room more.
func (c *Cache) Give(bytes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict(int64(min(bytes, uint64(max(c.options.Size, 0)))))
}

// Run gives way, from time to time until ctx ends, to whatever else fills the disk; then it
// returns nil.
func (c *Cache) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.giveWay()
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Cache) giveWay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict(c.shortage())
}

// Erase removes what is kept of objects that were erased, and single blocks, all named by
// CIDs. When it returns nil no file holds them, and nobody who reads such an object now has
// anything kept. When it returns an error it may be repeated.
func (c *Cache) Erase(cids []lock.CID) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for id, at := range c.barred {
		if now.Sub(at) >= barTime {
			delete(c.barred, id)
		}
	}
	var errs []error
	for _, id := range cids {
		c.bar(id, now)
		var blocks []lock.CID
		if x := c.objects[id]; x != nil {
			for o := range x.opened {
				o.dead = true
			}
			for block := range x.blocks {
				blocks = append(blocks, block)
			}
		}
		for _, block := range append(blocks, id) {
			if e := c.blocks[block]; e != nil {
				errs = append(errs, c.drop(keptOf(e)))
			}
		}
	}
	return errors.Join(errs...)
}

// bar keeps an object from being opened for a while. The caller holds c.mu.
func (c *Cache) bar(id lock.CID, now time.Time) {
	if !id.IsDag() {
		return // a block that is no object's root can't be opened
	}
	if c.barred == nil {
		c.barred = map[lock.CID]time.Time{}
	}
	c.barred[id] = now
}

func (c *Cache) now() time.Time {
	if c.options.Now == nil {
		return time.Now()
	}
	return c.options.Now()
}
