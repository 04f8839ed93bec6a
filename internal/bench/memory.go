package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/phrd/phrd/blob/pack"
)

// memory measures row 4: the most memory that a process of its own held while it stored and opened a file, above what it held
// before, for a tenth of the size and for the whole.
func (b *bench) memory(ctx context.Context) ([]row, error) {
	small, whole := filepath.Join(b.dir, "small"), filepath.Join(b.dir, "input")
	if err := newInput(small, b.size/10); err != nil {
		return nil, err
	}
	var added [2]float64
	for i, path := range []string{small, whole} {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		out, err := exec.CommandContext(ctx, program, "-child", path, "-dir", b.dir).Output()
		if err != nil {
			return nil, fmt.Errorf("measure memory: %w", err)
		}
		if added[i], err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64); err != nil {
			return nil, err
		}
	}
	return []row{{
		number: "4", what: "memory added while storing and opening, ten times the size against one", target: "≤ 1.2, and ≤ 64 MiB + 4 × workers × 1 MiB",
		measured: fmt.Sprintf("%.2f, %.0f MiB", added[1]/added[0], added[1]), raw: fmt.Sprintf("%d MiB file %.0f MiB, %d MiB file %.0f MiB", b.size/10/mib, added[0], b.size/mib, added[1]),
	}}, nil
}

// measureChild stores and opens the file and prints the MiB added.
func measureChild(ctx context.Context, path, parent string, out io.Writer) error {
	dir, err := os.MkdirTemp(parent, "memory-")
	if err != nil {
		return err
	}
	before, err := status("VmRSS")
	if err != nil {
		return err
	}
	store, err := pack.Open(dir, pack.Options{})
	if err != nil {
		return err
	}
	sealed, err := sealInto(ctx, store, path)
	if err == nil {
		_, err = opened(ctx, store, sealed)
	}
	if err := errors.Join(err, store.Close(), os.RemoveAll(dir)); err != nil {
		return err
	}
	peak, err := status("VmHWM")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%.1f\n", float64(peak-before)/1024)
	return err
}

// status reads a field of /proc/self/status in KiB (proc(5)).
func status(field string) (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", field)
}
