package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepMemory sees that what is in this process's memory, keys among it, stays there: a crash leaves none of it on a disk, and no
// process of the same user but root's reads it. The kernel asks for the second even where it hands a core to a program, which the
// limit does not bind.
func keepMemory() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep the memory from other processes: %w", err)
	}
	return nil
}
