package pack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/phrd/phrd/blob"
	"golang.org/x/sys/unix"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	pageSize   = 4096
)

// makeFolder creates a folder with its parents and makes the new names durable.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := makeFolder(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockFile takes the lock that keeps other processes out; the kernel lets go of it when
// the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// full tells whether an error means that there is no space.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// roomAtOnce is how many bytes beyond the reserve are asked for when the disk is full.
const roomAtOnce = 64 << 20

// checkSpace returns an error that is blob.ErrFull when the store's disk has less than its
// reserve to give, also after others were asked to make room.
func (s *Store) checkSpace() error {
	reserve := s.options.Reserve
	if reserve < 0 {
		return nil
	}
	free, err := freeSpace(s.dir)
	if err != nil {
		return err
	}
	if free < uint64(reserve) && s.options.Room != nil {
		s.options.Room(uint64(reserve) - free + roomAtOnce)
		if free, err = freeSpace(s.dir); err != nil {
			return err
		}
	}
	if free < uint64(reserve) {
		return fmt.Errorf("%d MiB are free, %d MiB are kept in reserve: %w", free>>20, reserve>>20, blob.ErrFull)
	}
	return nil
}

// freeSpace returns how many bytes the disk of dir has to give.
func freeSpace(dir string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}

// Free returns how many more bytes fit on the store's disk before it refuses writes.
func (s *Store) Free() (uint64, error) {
	free, err := freeSpace(s.dir)
	if err != nil {
		return 0, err
	}
	reserve := uint64(max(s.options.Reserve, 0))
	return free - min(free, reserve), nil
}

// startWriteback lets the disk begin with bytes that were written, so that a later fsync
// has less to wait for. It promises nothing: fsync reports what goes wrong, so an error
// here says nothing that matters.
func startWriteback(f *os.File, offset, length int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}

// forget drops a range of a file from the memory of the operating system, so that the
// next read asks the disk.
func forget(f *os.File, offset, length int64) error {
	start := offset &^ (pageSize - 1)
	end := (offset + length + pageSize - 1) &^ (pageSize - 1)
	return unix.Fadvise(int(f.Fd()), start, end-start, unix.FADV_DONTNEED)
}
