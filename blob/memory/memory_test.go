package memory_test

import (
	"testing"

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
