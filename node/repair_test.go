package node_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

// watcher is a Copier that remembers when it was asked for what.
type watcher struct {
	*ipfs.Node
	mu    sync.Mutex
	roots []string
	times []time.Time
}

func (w *watcher) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	w.mu.Lock()
	w.roots, w.times = append(w.roots, root.String()), append(w.times, time.Now())
	w.mu.Unlock()
	return w.Node.Fetch(ctx, root, peers, budget)
}

// begun is when an object was first asked for.
func (w *watcher) begun(t *testing.T, s scan) time.Time {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	at := slices.Index(w.roots, s.cid())
	if at < 0 {
		t.Fatalf("%s was never asked for", s.cid())
	}
	return w.times[at]
}

// scansByCID makes objects at a hospital and sorts them by their CIDs.
func scansByCID(t *testing.T, at *hospital, n, size int) []scan {
	t.Helper()
	scans := make([]scan, n)
	for i := range scans {
		scans[i] = newScan(t, at.store, uint64(i)+1, size)
	}
	slices.SortFunc(scans, func(a, b scan) int { return strings.Compare(a.cid(), b.cid()) })
	return scans
}

// What has the fewest copies comes first, though it is the last of the list.
func TestMostUrgentCopiesComeFirst(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	scans := scansByCID(t, clinic, 4, 2000)
	for i, s := range scans {
		o := s.placed(clinic)
		o.Minimum = 2
		l.place(o, heart.number)
		l.set(func() {
			placed := l.objects[s.cid()]
			for range len(scans) - 1 - i {
				placed.Copies = append(placed.Copies, &storagev1.Copy{Node: clinic.number, Status: held})
			}
		})
	}
	heart.awaitPeers(clinic)
	w := &watcher{Node: heart.ipfs}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier, c.Workers = w, 1 }).Run, nil)
	var want []string
	for _, s := range scans {
		heart.awaitCopy(s.cid(), held)
		want = append([]string{s.cid()}, want...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.roots, want) {
		t.Errorf("asked for %v, want %v", w.roots, want)
	}
}

// Repairs keep to their rate, and new objects do not wait for them.
func TestRepairsKeepToTheirRate(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	const size = 2 << 20
	scans := scansByCID(t, clinic, 4, size)
	fresh, again := scans[3], scans[:3]
	for _, s := range again {
		l.place(s.placed(clinic), heart.number)
		l.set(func() { l.objects[s.cid()].Copies[0].Since = 7 })
	}
	l.place(fresh.placed(clinic), heart.number)
	w := &watcher{Node: heart.ipfs}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier, c.RepairRate = w, 4*size }).Run, nil)
	for _, s := range scans {
		heart.awaitCopy(s.cid(), held)
	}
	const apart = time.Second / 4
	for i, s := range again[1:] {
		if took := w.begun(t, s).Sub(w.begun(t, again[i])); took < apart-5*time.Millisecond {
			t.Errorf("repair %d begins %s after the one before it, want %s", i+2, took, apart)
		}
	}
	if took := w.begun(t, fresh).Sub(w.begun(t, again[0])); took > apart {
		t.Errorf("a new object waited %s for repairs", took)
	}
}

// A batch that takes more gas than a transaction has is sent in parts.
func TestBatchThatTakesTooMuchIsSplit(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	l.deliver = func(message proto.Message) *node.TxError {
		if m, ok := message.(*storagev1.MsgConfirmCopies); ok && len(m.GetObjects()) > 3 {
			return &node.TxError{Codespace: "sdk", Code: 11, Log: "out of gas"}
		}
		return nil
	}
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	scans := scansByCID(t, clinic, 12, 200)
	for _, s := range scans {
		l.place(s.placed(clinic), heart.number)
	}
	run(t, heart.replicator(nil).Run, nil)
	for _, s := range scans {
		heart.awaitCopy(s.cid(), held)
	}
}
