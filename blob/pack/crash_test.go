package pack_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
)

// steps does once each thing that moves or removes bytes: store, erase from a pack of its own and from a shared one, collect. It says
// what was acknowledged.
func steps(s *pack.Store, at *clock) error {
	ctx := context.Background()
	store := func(hint blob.Hint, from, to int) error {
		for n := from; n < to; n++ {
			if err := blobtest.Store(ctx, s, hint, written(n)); err != nil {
				return err
			}
			fmt.Fprintln(os.Stdout, "acked", n)
		}
		return nil
	}
	if err := errors.Join(store(blob.Hint{}, 0, 6), store(blob.Hint{Size: blob.LargeObject}, 6, 8)); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "erasing", 1)
	fmt.Fprintln(os.Stdout, "erasing", 6)
	if err := s.Erase(ctx, cids(written(1), written(6)), nil); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "erased", 1)
	fmt.Fprintln(os.Stdout, "erased", 6)
	at.advance(10 * day)
	if err := store(blob.Hint{}, 8, 10); err != nil {
		return err
	}
	for _, n := range []int{0, 2, 7} {
		if held, err := s.Touch(ctx, cidOf(written(n))); err != nil || !held {
			return fmt.Errorf("touch %d: %t, %w", n, held, err)
		}
	}
	gone := []int{3, 4, 5}
	for _, n := range gone {
		fmt.Fprintln(os.Stdout, "erasing", n)
	}
	old := cids(written(0), written(2), written(3), written(4), written(5), written(7), written(8))
	if done, err := s.Collect(ctx, old, at.now().Add(-5*day)); err != nil || done.Blocks != int64(len(gone)) {
		return fmt.Errorf("collected %v: %w", done, err)
	}
	for _, n := range gone {
		fmt.Fprintln(os.Stdout, "erased", n)
	}
	return nil
}

// TestKilledAtEachCall kills a store before the first, the second, … of each kind of call that changes a file, until it comes through, and
// reads back what it had acknowledged. Whatever was cut is finished or taken back by the next one that opens the store.
func TestKilledAtEachCall(t *testing.T) {
	tool := strace(t)
	for _, call := range []string{"write", "pwrite64", "fsync", "renameat", "unlinkat"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			killed := 0
			for n := 1; ; n++ {
				dir := t.TempDir()
				cmd := command(t, "steps", dir, tool, "-f", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+call+":signal=KILL:when="+strconv.Itoa(n))
				said := listen(t, cmd, nil)
				if cmd.ProcessState.Success() {
					break
				}
				// strace ends by the signal that ended the child.
				if cmd.ProcessState.ExitCode() != -1 {
					t.Fatalf("%s %d: child ended by itself with %v", call, n, cmd.ProcessState)
				}
				killed++
				readBack(t, dir, said, n%2 == 0)
			}
			t.Logf("killed at %d calls", killed)
			if killed < 3 {
				t.Errorf("killed at %d calls of %s, which are too few for what the child does", killed, call)
			}
		})
	}
}
