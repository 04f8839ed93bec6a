package pack_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
)

// A store that would be full asks for room first, and is full only when there is none.
func TestRoomIsMade(t *testing.T) {
	const ballast = 512 << 20
	path := filepath.Join(t.TempDir(), "ballast")
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, ballast), f.Close())
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this file system reserves no room")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	free, err := openWith(t, filepath.Join(dir, "probe"), pack.Options{Reserve: -1}).Free()
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s := openWith(t, filepath.Join(dir, "store"), pack.Options{Reserve: int64(free) + ballast/2, Room: func(bytes uint64) {
		if asked++; bytes < 1<<20 || bytes > 2*ballast {
			t.Errorf("%d bytes of room are asked for", bytes)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}})
	if err := blobtest.Store(t.Context(), s, blob.Hint{}, blocks(1, 2, 1000)...); err != nil || asked != 1 {
		t.Errorf("with room that others give: %v, asked %d times", err, asked)
	}
	asked = 0
	none := openWith(t, filepath.Join(dir, "none"), pack.Options{Reserve: 1 << 62, Room: func(uint64) { asked++ }})
	if err := blobtest.Store(t.Context(), none, blob.Hint{}, blocks(1, 1, 1000)...); !errors.Is(err, blob.ErrFull) || asked == 0 {
		t.Errorf("without any: %v, asked %d times", err, asked)
	}
}
