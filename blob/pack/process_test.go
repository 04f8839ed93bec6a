package pack_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
	"golang.org/x/sys/unix"
)

// The test binary runs itself as a second process, which does what these variables say.
const (
	childJob = "PHRD_PACK_CHILD"
	childDir = "PHRD_PACK_DIR"
	// childGate makes the child wait for a line once its store is open, so that a tracer can
	// be attached, by any process of the same user.
	childGate = "PHRD_PACK_GATE"
)

func fmtAcked(n int) string { return "acked " + strconv.Itoa(n) }

func fmtPid(pid int) string { return strconv.Itoa(pid) }

func TestMain(m *testing.M) {
	if job := os.Getenv(childJob); job != "" {
		os.Exit(child(job, os.Getenv(childDir)))
	}
	os.Exit(m.Run())
}

// child runs a job on a store. It prints a line before and after each promise that the
// store makes, straight to the pipe.
func child(job, dir string) int {
	// Calls to the system are counted by thread; see TestKilledAtEachCall.
	runtime.LockOSThread()
	at := &clock{}
	s, err := pack.Open(dir, pack.Options{Reserve: -1, Now: at.now})
	if err != nil {
		fmt.Fprintln(os.Stdout, "open:", err)
		return 2
	}
	if os.Getenv(childGate) != "" {
		if err := unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			fmt.Fprintln(os.Stdout, "allow a tracer:", err)
			return 2
		}
	}
	fmt.Fprintln(os.Stdout, "opened")
	if os.Getenv(childGate) != "" {
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			fmt.Fprintln(os.Stdout, "wait for a tracer:", err)
			return 2
		}
	}
	switch job {
	case "hold":
		// Until the parent closes our standard input.
		_, err = io.Copy(io.Discard, os.Stdin)
	case "write":
		err = writeForEver(s)
	case "collect":
		err = collectForEver(s, at)
	case "one":
		err = writeOne(s)
	case "full":
		err = writeUntilFull(s)
	case "steps":
		err = steps(s, at)
	default:
		err = fmt.Errorf("no job %q", job)
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, "failed:", err)
		return 3
	}
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stdout, "close:", err)
		return 4
	}
	return 0
}

// written is the block that a child stores as its n-th: most are small, some are full.
func written(n int) []byte {
	size := 100 + n*37%9000
	if n%7 == 3 {
		size = blob.MaxBlock - n
	}
	_, b := blobtest.Block(uint64(n), size)
	return b
}

// writeForEver stores blocks in batches, some of their own and some shared, and erases
// one in ten; it says what was acknowledged.
func writeForEver(s *pack.Store) error {
	ctx := context.Background()
	for n := 0; ; n += 5 {
		batch, err := s.Begin(ctx, blob.Hint{Size: uint64(n%2) * blob.LargeObject})
		if err != nil {
			return err
		}
		for i := n; i < n+5; i++ {
			b := written(i)
			if err := batch.Put(cidOf(b), b); err != nil {
				return err
			}
			if i%2 == 0 {
				if err := batch.Sync(ctx); err != nil {
					return err
				}
				fmt.Fprintln(os.Stdout, "acked", i)
			}
		}
		if err := errors.Join(batch.Sync(ctx), batch.Close()); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "acked", n+4)
		if n%10 == 0 {
			fmt.Fprintln(os.Stdout, "erasing", n)
			if err := s.Erase(ctx, cids(written(n)), nil); err != nil {
				return err
			}
			fmt.Fprintln(os.Stdout, "erased", n)
		}
	}
}

// collectForEver stores blocks, grows old, uses two of six again, and collects all six.
func collectForEver(s *pack.Store, at *clock) error {
	ctx := context.Background()
	for n := 0; ; n += 6 {
		var old [][]byte
		for i := n; i < n+6; i++ {
			old = append(old, written(i))
		}
		if err := blobtest.Store(ctx, s, blob.Hint{}, old...); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "acked", n+5)
		at.advance(10 * day)
		if held, err := s.Touch(ctx, cidOf(old[1])); err != nil || !held {
			return fmt.Errorf("touch: %t, %w", held, err)
		}
		if err := blobtest.Store(ctx, s, blob.Hint{}, old[4]); err != nil {
			return err
		}
		gone := []int{n, n + 2, n + 3, n + 5}
		for _, i := range gone {
			fmt.Fprintln(os.Stdout, "erasing", i)
		}
		done, err := s.Collect(ctx, cids(old...), at.now().Add(-5*day))
		if err != nil || done.Blocks != 4 {
			return fmt.Errorf("collected %v: %w", done, err)
		}
		for _, i := range gone {
			fmt.Fprintln(os.Stdout, "erased", i)
		}
	}
}

// writeOne stores one block.
func writeOne(s *pack.Store) error {
	b := written(0)
	if err := blobtest.Store(context.Background(), s, blob.Hint{}, b); err != nil {
		return explain(s, err)
	}
	fmt.Fprintln(os.Stdout, "acked", 0)
	return nil
}

// writeUntilFull stores blocks until that fails, then checks that reads go on.
func writeUntilFull(s *pack.Store) error {
	ctx := context.Background()
	for n := range 1000 {
		if err := blobtest.Store(ctx, s, blob.Hint{Size: uint64(n%2) * blob.LargeObject}, written(n)); err != nil {
			for held := range n {
				if err := blobtest.Holds(ctx, s, written(held)); err != nil {
					return fmt.Errorf("read on a full disk: %w", err)
				}
			}
			return explain(s, err)
		}
		fmt.Fprintln(os.Stdout, fmtAcked(n))
	}
	return nil
}

// explain says which promise an error of writing keeps, and what the store says next.
func explain(s *pack.Store, err error) error {
	_, again := s.Begin(context.Background(), blob.Hint{})
	return fmt.Errorf("full=%t failed=%t stays=%t: %w",
		errors.Is(err, blob.ErrFull), errors.Is(err, blob.ErrFailed), errors.Is(again, blob.ErrFailed), err)
}

// command prepares a child; wrapper stands before it, such as strace and its flags.
func command(t *testing.T, job, dir string, wrapper ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(wrapper, self)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childJob+"="+job, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestTwoProcessesCannotOpenOneStore(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, "hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "opened\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	if _, err := pack.Open(dir, pack.Options{}); !errors.Is(err, pack.ErrLocked) {
		t.Errorf("got %v, want %v", err, pack.ErrLocked)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, open(t, dir))
}

// TestKilledWriterLosesNothingAcknowledged kills a writer at random moments, again and
// again on the same store, and reads everything back.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	killAndReadBack(t, "write", 9)
}

// TestKilledCollectorLosesNothingInUse does the same to one that collects what others use.
func TestKilledCollectorLosesNothingInUse(t *testing.T) {
	t.Parallel()
	killAndReadBack(t, "collect", 6)
}

// killAndReadBack lets a child do a job, kills it, and reads everything back, so many times.
func killAndReadBack(t *testing.T, job string, rounds int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range rounds {
		dir := t.TempDir()
		cmd := command(t, job, dir)
		lines, delay := 1+random.IntN(25), time.Duration(random.IntN(3000))*time.Microsecond
		said := listen(t, cmd, func(line int) {
			if line == lines {
				time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
			}
		})
		if cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("child ended by itself: %v", cmd.ProcessState)
		}
		readBack(t, dir, said, round%3 == 2)
	}
}

// promises are what a child said of the blocks that written makes.
type promises struct {
	acked           int // the last one that is stored, -1 for none
	erasing, erased map[int]bool
}

// listen runs a child until its end and returns what it said. heard, unless nil, is told the number of each line as it comes.
func listen(t *testing.T, cmd *exec.Cmd, heard func(line int)) promises {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := promises{acked: -1, erasing: map[int]bool{}, erased: map[int]bool{}}
	scanner := bufio.NewScanner(out)
	for line := 0; scanner.Scan(); line++ {
		word, number, _ := strings.Cut(scanner.Text(), " ")
		n, err := strconv.Atoi(number)
		switch {
		case word == "opened":
		case err != nil:
			t.Fatalf("child said %q", scanner.Text())
		case word == "acked":
			said.acked = n
		case word == "erasing":
			said.erasing[n] = true
		case word == "erased":
			said.erased[n] = true
		}
		if heard != nil {
			heard(line)
		}
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return said
}

// readBack opens what a killed child left, without its index where told, and holds the child to its promises.
func readBack(t *testing.T, dir string, said promises, withoutIndex bool) {
	t.Helper()
	if withoutIndex {
		if err := os.RemoveAll(dir + "/index"); err != nil {
			t.Fatal(err)
		}
	}
	s := openWith(t, dir, pack.Options{Report: func(d pack.Damage) {
		if !strings.Contains(d.Reason, "torn end") {
			t.Errorf("after %+v: %s", said, d)
		}
	}})
	for n := 0; n <= said.acked; n++ {
		switch b := written(n); {
		case said.erased[n]:
			mustLack(t, s, b)
		case said.erasing[n]:
			// Cut in the middle: both are right.
		default:
			mustHold(t, s, b)
		}
	}
	closeStore(t, s)
}
