package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/memory"
)

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	for _, c := range blobtest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), memory.New()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMemoryStoreCollects(t *testing.T) {
	for _, c := range blobtest.CollectorCases {
		t.Run(c.Name, func(t *testing.T) {
			var ahead atomic.Int64
			s := memory.NewAt(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
			if err := c.Run(t.Context(), s, func(d time.Duration) { ahead.Add(int64(d)) }); err != nil {
				t.Fatal(err)
			}
		})
	}
}
