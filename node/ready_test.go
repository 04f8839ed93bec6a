package node_test

import (
	"errors"
	"testing"

	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/node"
)

// meter is a disk with so much room.
type meter struct {
	free uint64
	err  error
}

func (m meter) Free() (uint64, error) { return m.free, m.err }

func TestDiskReady(t *testing.T) {
	for name, c := range map[string]struct {
		disk meter
		want error
	}{
		"room":   {meter{free: 1 << 30}, nil},
		"little": {meter{free: 64 << 20}, nil},
		"full":   {meter{free: 64<<20 - 1}, node.ErrDiskFull},
		"broken": {meter{err: errors.New("input/output error on /var/lib/phrd")}, node.ErrDisk},
	} {
		if err := node.DiskReady(c.disk)(t.Context()); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestGuardIsReadyWhenItIsOpen(t *testing.T) {
	guard := node.NewGuard(memory.New())
	if err := guard.Ready(t.Context()); !errors.Is(err, node.ErrErasing) {
		t.Errorf("shut: %v", err)
	}
	guard.Open()
	if err := guard.Ready(t.Context()); err != nil {
		t.Errorf("open: %v", err)
	}
}
