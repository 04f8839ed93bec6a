package node

import (
	"context"
	"errors"
)

// leastRoom is the room on the disk in bytes without which a server is of no use: nothing that it
// must write down before it serves could be written.
const leastRoom = 64 << 20

// Reasons for which a server is not ready, beside those of its chain.
var (
	ErrErasing  = errors.New("what was erased meanwhile is deleted first")
	ErrDiskFull = errors.New("the disk of the blobs is full")
	ErrDisk     = errors.New("the disk of the blobs does not answer")
)

// Ready returns ErrErasing before the guard was opened.
func (g *Guard) Ready(context.Context) error {
	if !g.isOpen() {
		return ErrErasing
	}
	return nil
}

// DiskReady tells whether a disk has room to go on. Errors are ErrDiskFull and ErrDisk, which
// says no more to whoever asks.
func DiskReady(disk Disk) func(context.Context) error {
	return func(context.Context) error {
		free, err := disk.Free()
		if err != nil {
			return ErrDisk
		}
		if free < leastRoom {
			return ErrDiskFull
		}
		return nil
	}
}
