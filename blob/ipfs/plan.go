package ipfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/lock"
)

const (
	// listFor is about how long a peer is busy with one list of leaves.
	listFor = 500 * time.Millisecond
	// lateAfter is how long a peer is waited for of which nothing is known yet, before
	// another one is asked for the same leaf.
	lateAfter = 250 * time.Millisecond
	// firstPause and lastPause bound the pauses before a peer is asked again that held
	// nothing of what was wanted.
	firstPause = 50 * time.Millisecond
	lastPause  = 250 * time.Millisecond
	// lookEvery is how often an idle source looks for leaves that are late elsewhere.
	lookEvery = 50 * time.Millisecond
)

// plan says which leaves of an object are asked from whom. Every node walks the leaves in an
// order that follows from its peer ID. So nodes that fetch the same object at the same time
// begin with different parts, and each knows which part another one has first.
type plan struct {
	name lock.CID
	// resting is told when a source has refused all that could be asked of it.
	resting chan struct{}

	mu      sync.Mutex
	leaves  []leaf
	order   walk // of this node
	sources []*source
	open    int           // leaves that have not come
	unasked int           // of these, those that nobody is asked for
	changed chan struct{} // closed when there may be something to ask for
	waiting int           // peers without a place among the sources
}

// leaf is one leaf that is wanted.
type leaf struct {
	cid     lock.CID
	came    bool      // its bytes are here, or on their way to the store
	askedOf []*source // who was asked and has not answered
	refused []*source // who said that it has none
}

// walk is an order of leaves. All before head have come.
type walk struct {
	order []int
	head  int
}

// newPlan returns the plan of a node.
func newPlan(w wants, self peer.ID) *plan {
	p := &plan{name: w.name, leaves: make([]leaf, len(w.cids)), changed: make(chan struct{}), resting: make(chan struct{}, 1)}
	for i, c := range w.cids {
		p.leaves[i] = leaf{cid: c, came: w.held != nil && w.held[i]}
		if !p.leaves[i].came {
			p.open++
		}
	}
	p.unasked = p.open
	if !w.once {
		p.order = walk{order: p.orderOf(self)}
		return p
	}
	// Who reads wants the first one first.
	for i := range w.cids {
		p.order.order = append(p.order.order, i)
	}
	return p
}

// orderOf returns the order in which a peer walks the leaves: in runs of neighbours, the runs
// by a hash of object, peer and place.
func (p *plan) orderOf(id peer.ID) []int {
	run := min(max(len(p.leaves)/32, 1), maxWants)
	type ranked struct {
		rank  [sha256.Size]byte
		first int
	}
	var runs []ranked
	for first := 0; first < len(p.leaves); first += run {
		b := binary.BigEndian.AppendUint64(slices.Concat(p.name[:], []byte(id)), uint64(first))
		runs = append(runs, ranked{sha256.Sum256(b), first})
	}
	slices.SortFunc(runs, func(a, b ranked) int { return bytes.Compare(a.rank[:], b.rank[:]) })
	order := make([]int, 0, len(p.leaves))
	for _, r := range runs {
		for i := r.first; i < min(r.first+run, len(p.leaves)); i++ {
			order = append(order, i)
		}
	}
	return order
}

// tell wakes sources that wait. The caller holds p.mu.
func (p *plan) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// join adds a source.
func (p *plan) join(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.size, s.pause = 1, firstPause
	p.sources = append(p.sources, s)
}

// leave takes a source away; others are asked for what it did not send.
func (p *plan) leave(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range s.asked {
		p.unask(i, s)
	}
	s.asked = nil
	p.sources = slices.DeleteFunc(p.sources, func(o *source) bool { return o == s })
	p.tell()
}

// unask notes that nothing is expected of s for a leaf. The caller holds p.mu.
func (p *plan) unask(i int, s *source) {
	l := &p.leaves[i]
	before := len(l.askedOf)
	l.askedOf = slices.DeleteFunc(l.askedOf, func(o *source) bool { return o == s })
	if before > 0 && len(l.askedOf) == 0 && !l.came {
		p.unasked++
	}
}

// crowd notes how many peers wait for a place among the sources.
func (p *plan) crowd(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting += n
}

// next returns the leaves that s asks for next. If wait is false and there is nothing to ask
// for now, it returns none, else it waits, and returns none when the fetch or the use of this
// source is over.
func (p *plan) next(ctx context.Context, s *source, wait bool) []int {
	for {
		p.mu.Lock()
		list, over := p.pick(s, time.Now())
		changed := p.changed
		p.mu.Unlock()
		if len(list) > 0 || over || !wait {
			return list
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// pick chooses leaves for s and notes that it is asked. The caller holds p.mu.
func (p *plan) pick(s *source, now time.Time) (list []int, over bool) {
	if p.open == 0 {
		return nil, true
	}
	if now.Before(s.resume) {
		return nil, false
	}
	if !s.resume.IsZero() {
		s.resume = time.Time{}
		for i := range p.leaves {
			l := &p.leaves[i]
			l.refused = slices.DeleteFunc(l.refused, func(o *source) bool { return o == s })
		}
	}
	size := p.size(s)
	order := &p.order
	if s.partial {
		order = &s.theirs
	}
	for order.head < len(order.order) && p.leaves[order.order[order.head]].came {
		order.head++
	}
	refused := false
	for _, i := range order.order[order.head:] {
		l := &p.leaves[i]
		if l.came {
			continue
		}
		if slices.Contains(l.refused, s) {
			refused = true
			continue
		}
		if len(l.askedOf) > 0 {
			continue
		}
		if list = append(list, i); len(list) == size {
			break
		}
	}
	p.unasked -= len(list)
	if len(list) == 0 && len(s.asked) == 0 {
		list = p.overtake(s, now)
	}
	for _, i := range list {
		p.leaves[i].askedOf = append(p.leaves[i].askedOf, s)
	}
	if len(s.asked) == 0 {
		s.since = now
	}
	s.asked = append(s.asked, list...)
	if len(list) == 0 && refused && len(s.asked) == 0 {
		if !s.useful && p.waiting > 0 {
			return nil, true // others may have more
		}
		p.rest(s, now)
	}
	return list, false
}

// rest makes a source wait that lacks all that could be asked of it. The caller holds p.mu.
func (p *plan) rest(s *source, now time.Time) {
	s.resume = now.Add(s.pause)
	s.pause = min(2*s.pause, lastPause)
	select {
	case p.resting <- struct{}{}:
	default:
	}
}

// size returns how many leaves s is asked for at once: few at first and of a slow peer, and
// few near the end, so that all end together. The caller holds p.mu.
func (p *plan) size(s *source) int {
	size := min(s.size, maxWants, max(p.unasked/(2*len(p.sources)), 1))
	if s.pace > 0 {
		size = min(size, max(int(listFor/s.pace), 1))
	}
	return size
}

// overtake returns leaves that another source was asked for and that s will probably have
// much earlier. The caller holds p.mu.
func (p *plan) overtake(s *source, now time.Time) []int {
	own := s.pace
	if own == 0 {
		own = lateAfter
	}
	// The source of which the last leaf that s may take over is expected latest.
	var late *source
	var last int
	var longest time.Duration
	for _, o := range p.sources {
		for place := len(o.asked) - 1; o != s && place >= 0; place-- {
			if !p.mayTake(o.asked[place], s) {
				continue
			}
			if expected := o.expected(now) * time.Duration(place+1); expected > longest {
				late, last, longest = o, place, expected
			}
			break
		}
	}
	if late == nil {
		return nil
	}
	each, most := late.expected(now), max(min(s.size, (last+2)/2), 1)
	var list []int
	for place := last; place >= 0 && len(list) < most; place-- {
		if 2*own*time.Duration(len(list)+1) >= each*time.Duration(place+1) {
			break
		}
		if i := late.asked[place]; p.mayTake(i, s) {
			list = append(list, i)
		}
	}
	slices.Reverse(list)
	return list
}

// mayTake tells whether s may be asked for a leaf that one other source was asked for. The
// caller holds p.mu.
func (p *plan) mayTake(i int, s *source) bool {
	l := &p.leaves[i]
	return !l.came && len(l.askedOf) == 1 && !slices.Contains(l.refused, s)
}

// begins notes that s is asked from now on.
func (p *plan) begins(s *source, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.since = now
}

// wanted tells whether a leaf that s begins to send is wanted still.
func (p *plan) wanted(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.leaves[i].came
}

// comes notes that s has sent a leaf. It is false when another source was faster.
func (p *plan) comes(i int, s *source, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := now.Sub(s.since)
	s.since = now
	if s.pace == 0 {
		s.pace = took
	} else {
		s.pace = (3*s.pace + took) / 4
	}
	s.useful, s.pause = true, firstPause
	l := &p.leaves[i]
	first := !l.came
	l.came = true
	p.answered(i, s)
	return first
}

// refuses notes that s has no such leaf.
func (p *plan) refuses(i int, s *source, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.since = now
	if !s.partial {
		s.partial, s.theirs = true, walk{order: p.orderOf(s.peer)}
	}
	p.answered(i, s)
	l := &p.leaves[i]
	l.refused = append(l.refused, s)
	if !l.came {
		p.tell()
	}
}

// answered notes that nothing more is expected of s for a leaf. The caller holds p.mu.
func (p *plan) answered(i int, s *source) {
	s.asked = slices.DeleteFunc(s.asked, func(j int) bool { return j == i })
	p.unask(i, s)
}

// grow lets s be asked for more at once after a list of which it had some, or, when it had
// none, for as much as there may be, since to refuse costs little.
func (p *plan) grow(s *source, had bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if had {
		s.size = min(2*s.size, maxWants)
	} else {
		s.size = maxWants
	}
}

// finish notes that a leaf is in the store's hands and returns how many are not.
func (p *plan) finish() (open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open--; p.open == 0 {
		p.tell()
	}
	return p.open
}

// reopen notes that what came was not the leaf and returns how many have not come.
func (p *plan) reopen(i int) (open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &p.leaves[i]
	l.came = false
	if len(l.askedOf) == 0 {
		p.unasked++
	}
	p.order.head = 0
	for _, s := range p.sources {
		s.theirs.head = 0
	}
	p.tell()
	return p.open
}

// stuck tells whether every source has refused every leaf that is open.
func (p *plan) stuck() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.sources, func(s *source) bool { return s.resume.IsZero() || len(s.asked) > 0 })
}

// missing returns the leaves that have not come.
func (p *plan) missing() []lock.CID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var missing []lock.CID
	for _, l := range p.leaves {
		if !l.came {
			missing = append(missing, l.cid)
		}
	}
	return missing
}
