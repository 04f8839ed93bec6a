package pack_test

import (
	"testing"

	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
)

// open opens a store without a reserve and fails the test on any damage.
func open(t *testing.T, dir string) *pack.Store {
	t.Helper()
	s, err := pack.Open(dir, pack.Options{
		Reserve: -1,
		Report:  func(d pack.Damage) { t.Errorf("unexpected damage: %s", d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestPackStoreKeepsTheContract(t *testing.T) {
	for _, c := range blobtest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), open(t, t.TempDir())); err != nil {
				t.Fatal(err)
			}
		})
	}
}
