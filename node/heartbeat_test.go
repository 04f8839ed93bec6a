package node_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/phrd/phrd/node"
)

// disk has as much room as a test says.
type disk struct {
	mu     sync.Mutex
	free   uint64
	err    error
	looked int
}

func (d *disk) Free() (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looked++
	return d.free, d.err
}

func (d *disk) set(free uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = free
}

func (d *disk) looks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looked
}

// told is what the heartbeats told so far.
func (l *ledger) told() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.beats)
}

// startHeart starts the heart of a node that is registered already.
func startHeart(t *testing.T, l *ledger, d *disk) {
	t.Helper()
	key := newKey(t)
	l.addNode(key.Address(), "peer", "/ip4/127.0.0.1/tcp/1")
	h, err := node.NewHeart(node.HeartConfig{Chain: l.client(t, key, nil), Disk: d, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, h.Run, nil)
}

func TestHeartBeatsAtTheStartAndInItsInterval(t *testing.T) {
	l := newLedger(t)
	l.interval = 1
	l.commitAlways()
	begin := time.Now()
	startHeart(t, l, &disk{free: 1000})
	eventually(t, "the third heartbeat", func() bool { return len(l.told()) == 3 })
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("three heartbeats after %s, one at the start and one each second", took)
	}
	if got := l.told(); !slices.Equal(got, []uint64{1000, 1000, 1000}) {
		t.Errorf("told %v", got)
	}
}

// A node may run before it is registered.
func TestHeartBeatsOnceItsNodeIsRegistered(t *testing.T) {
	l := newLedger(t)
	l.interval = 1
	l.commitAlways()
	asked := make(chan struct{}, 1)
	l.set(func() {
		l.broken = func(method string) error {
			if method == "/phrd.consortium.v1.Query/StorageNodes" {
				select {
				case asked <- struct{}{}:
				default:
				}
			}
			return nil
		}
	})
	key := newKey(t)
	h, err := node.NewHeart(node.HeartConfig{Chain: l.client(t, key, nil), Disk: &disk{free: 1000}, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, h.Run, nil)
	for range 3 {
		<-asked
	}
	if got := l.broadcasts(); got != 0 {
		t.Errorf("%d transactions of a node that is not registered", got)
	}
	l.addNode(key.Address(), "peer", "/ip4/127.0.0.1/tcp/1")
	eventually(t, "the first heartbeat", func() bool { return len(l.told()) > 0 })
}

// Room that changed by more than a twentieth is told at once, a smaller change with the next
// heartbeat.
func TestHeartTellsWhenTheRoomChanges(t *testing.T) {
	l := newLedger(t)
	l.interval = 2
	l.commitAlways()
	d := &disk{free: 1000}
	startHeart(t, l, d)
	eventually(t, "the first heartbeat", func() bool { return len(l.told()) == 1 })
	d.set(949)
	begin := time.Now()
	eventually(t, "the second heartbeat", func() bool { return len(l.told()) == 2 })
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("a change of over a twentieth was told after %s", took)
	}
	d.set(949 - 47)
	looks := d.looks()
	eventually(t, "another look", func() bool { return d.looks() > looks })
	if got := l.told(); !slices.Equal(got, []uint64{1000, 949}) {
		t.Errorf("told %v, the last change is under a twentieth", got)
	}
}

// Nothing can be promised of a disk that does not answer.
func TestHeartIsSilentWithoutADisk(t *testing.T) {
	l := newLedger(t)
	l.interval = 1
	l.commitAlways()
	d := &disk{err: errors.New("input/output error")}
	startHeart(t, l, d)
	eventually(t, "a look", func() bool { return d.looks() > 0 })
	if got := l.broadcasts(); got != 0 {
		t.Errorf("%d transactions", got)
	}
}

func TestNewHeartNeedsItsParts(t *testing.T) {
	if _, err := node.NewHeart(node.HeartConfig{}); err == nil {
		t.Error("made of nothing")
	}
}
