// Command bench measures the ratios of docs/performance.md on this machine: what phrd does against the raw limit of the same
// machine, or against a tool that anyone can have, interleaved in one run.
//
//	bench [-size BYTES] [-rounds N] [-dir DIR] [-write FILE] [-plot FILE] [-only ROWS]
//
// Every comparator verifies its own output. Nothing here judges: a figure is read by a person, who knows the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/internal/plot"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := os.Setenv(sdk.EnvConfigScope, "bench"); err != nil { // as the program does
		panic(err)
	}
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

// bench is what the rows share.
type bench struct {
	dir    string
	size   int64
	rounds int
	commit string
	// queries are what the rows of the log measured: p50, and p99 dashed.
	queries plot.Figure
}

// row is one line of the table.
type row struct {
	// number is that of the targets in docs/performance.md.
	number string
	what   string
	target string
	// measured is the figure as text; raw are the figures that it came from.
	measured, raw string
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	b := bench{}
	flags.Int64Var(&b.size, "size", 1<<30, "bytes to store and to copy")
	flags.IntVar(&b.rounds, "rounds", 5, "rounds of each comparison")
	flags.StringVar(&b.commit, "commit", "unknown", "commit that is measured")
	parent := flags.String("dir", os.TempDir(), "folder for the data, six times the size")
	path := flags.String("write", "", "file whose table is replaced")
	drawing := flags.String("plot", "", "file for the plot of the log's queries, as SVG")
	only := flags.String("only", "", "measure these rows alone: store, memory, ranges, copies, versions, small, locks, log or appends")
	child := flags.String("child", "", "internal: measure the memory of one operation on this file")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *child != "" {
		return measureChild(ctx, *child, *parent, out)
	}
	if b.size < 1<<20 || b.rounds < 1 {
		return errors.New("size is at least 1 MiB and rounds at least 1")
	}
	if *only != "" && *path != "" {
		return errors.New("a table has all rows: -only goes without -write")
	}
	dir, err := os.MkdirTemp(*parent, "phrd-bench-")
	if err != nil {
		return err
	}
	b.dir = dir
	rows, err := b.all(ctx, *only)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	table := b.table(rows)
	if _, err := io.WriteString(out, table); err != nil {
		return err
	}
	if *drawing != "" {
		if err := b.draw(*drawing); err != nil {
			return err
		}
	}
	if *path == "" {
		return nil
	}
	return replaceTable(*path, table)
}

// draw writes the plot of the log's queries.
func (b *bench) draw(path string) error {
	f := b.queries
	f.Title, f.Unit, f.Note = "Milliseconds of a query by entries in the log", "ms", "entries; p50 whole, p99 dashed; "+b.commit
	svg, err := f.SVG()
	if err != nil {
		return err
	}
	return os.WriteFile(path, svg, 0o644)
}

// all measures every row, or those of a name.
func (b *bench) all(ctx context.Context, only string) ([]row, error) {
	var rows []row
	for _, m := range []struct {
		name    string
		measure func(context.Context) ([]row, error)
	}{
		{"store", b.store}, {"memory", b.memory}, {"ranges", b.ranges}, {"copies", b.copies}, {"versions", b.versions}, {"small", b.small},
		{"locks", b.locks}, {"log", b.log}, {"appends", b.appends},
	} {
		if only != "" && m.name != only {
			continue
		}
		measured, err := m.measure(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// Marks around the table in a document.
const (
	tableBegin = "<!-- bench: begin -->\n"
	tableEnd   = "<!-- bench: end -->\n"
)

func (b *bench) table(rows []row) string {
	var s strings.Builder
	s.WriteString(tableBegin)
	fmt.Fprintf(&s, "Commit %s, %d cores, %s, %d MiB, %d rounds; median (lowest … highest).\n\n", b.commit, runtime.NumCPU(), runtime.Version(), b.size>>20, b.rounds)
	s.WriteString("| # | What | Target | Measured | From |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.number, r.what, r.target, r.measured, r.raw)
	}
	s.WriteString(tableEnd)
	return s.String()
}

// replaceTable replaces what stands between the marks of a document.
func replaceTable(path, table string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, []byte(before+table+after), 0o644)
}
