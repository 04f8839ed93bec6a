package pack_test

import (
	"math"
	"testing"

	"github.com/phrd/phrd/blob/pack"
)

// What is kept in reserve is not free.
func TestFreeSpace(t *testing.T) {
	all, err := openWith(t, t.TempDir(), pack.Options{Reserve: -1}).Free()
	if err != nil || all == 0 {
		t.Fatalf("%d bytes are free: %v", all, err)
	}
	none, err := openWith(t, t.TempDir(), pack.Options{Reserve: math.MaxInt64}).Free()
	if err != nil || none != 0 {
		t.Errorf("%d bytes are free beside a reserve of everything: %v", none, err)
	}
}
