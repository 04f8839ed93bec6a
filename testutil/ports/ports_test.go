package ports_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/phrd/phrd/testutil/ports"
)

// bases leave few offsets, so that two processes would soon choose the same one.
var bases = []int{32768 - 2*ports.Step - 40, 9000}

// occupied is an offset at which a program listens.
func occupied(t *testing.T) int {
	t.Helper()
	for offset := range 40 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", bases[1]+offset))
		if err != nil {
			continue // another program does
		}
		t.Cleanup(func() { _ = l.Close() })
		return offset
	}
	t.Fatal("no port can be listened at")
	return 0
}

// Two processes get no port twice, and neither gets one that is in use.
func TestOffset(t *testing.T) {
	if os.Getenv("PHRD_PORTS_CHILD") != "" {
		for {
			offset, err := ports.Offset(1, bases...)
			if err != nil {
				return // it took what was left
			}
			fmt.Printf("got %d\n", offset)
		}
	}
	used := occupied(t)
	got := map[int]bool{}
	for range 5 {
		offset, err := ports.Offset(1, bases...)
		if err != nil {
			t.Fatal(err)
		}
		got[offset] = true
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestOffset$")
	child.Env = append(os.Environ(), "PHRD_PORTS_CHILD=1")
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	others := 0
	for line := range strings.Lines(string(out)) {
		text, is := strings.CutPrefix(strings.TrimSpace(line), "got ")
		if !is {
			continue
		}
		offset, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if others++; got[offset] {
			t.Errorf("both processes have the ports at %d", offset)
		}
		got[offset] = true
	}
	if got[used] || len(got) != 5+others || others == 0 {
		t.Errorf("%d offsets, the other process has %d: %v", len(got), others, got)
	}
}
