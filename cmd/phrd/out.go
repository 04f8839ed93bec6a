package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/phr"
)

// output writes what a command has to say: a table for people, or one JSON value for programs.
type output struct {
	out, err io.Writer
	json     bool
	bars     bool // the error stream is a terminal
}

func newOutput(cmd *cobra.Command) *output {
	asJSON, err := cmd.Flags().GetBool("json")
	o := &output{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), json: err == nil && asJSON}
	if f, ok := o.err.(*os.File); ok && !o.json {
		o.bars = term.IsTerminal(int(f.Fd()))
	}
	return o
}

// print writes value as JSON, or rows as a table under a header, which may be empty.
func (o *output) print(value any, header []string, rows [][]string) error {
	if o.json {
		return o.value(value)
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	if len(header) > 0 {
		rows = append([][]string{header}, rows...)
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t ")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// redraw begins a page anew: in place on a terminal, else below the last one.
func (o *output) redraw() error {
	if o.json {
		return nil
	}
	begin := "\n"
	if f, ok := o.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		begin = "\x1b[H\x1b[2J"
	}
	_, err := io.WriteString(o.out, begin)
	return err
}

// value writes one JSON value.
func (o *output) value(value any) error {
	encoder := json.NewEncoder(o.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// line writes a line for people; nothing under --json.
func (o *output) line(format string, args ...any) error {
	if o.json {
		return nil
	}
	_, err := fmt.Fprintln(o.out, printable(fmt.Sprintf(format, args...)))
	return err
}

// note writes a line about what is going on to the error stream, where people see it and pipes do not.
func (o *output) note(format string, args ...any) {
	if !o.json {
		fmt.Fprintln(o.err, printable(fmt.Sprintf(format, args...)))
	}
}

// printable keeps what others chose, such as file names, from steering the terminal: control characters and marks that
// turn the direction of writing are shown as their code.
func printable(s string) string {
	clean := func(r rune) bool { return r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) }
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) && r != utf8.RuneError {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "\\u%04x", r)
	}
	return b.String()
}

// protoJSON is a message of the chain as JSON, with the field names of its proto file and every field.
func protoJSON(m proto.Message) json.RawMessage {
	encoded, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return json.RawMessage("null") // a message that came over the wire always encodes
	}
	return encoded
}

func protosJSON[M proto.Message](all []M) []json.RawMessage {
	encoded := make([]json.RawMessage, len(all))
	for i, m := range all {
		encoded[i] = protoJSON(m)
	}
	return encoded
}

// barWidth is the number of marks in a progress bar, barPause how often it is drawn.
const (
	barWidth = 30
	barPause = 100 * time.Millisecond
)

// progress draws bars on the error stream, one for each stage; nil where that is no terminal. Call done at the end.
func (o *output) progress() (tell phr.Progress, done func()) {
	if !o.bars {
		return nil, func() {}
	}
	b := &bar{w: o.err}
	return b.tell, b.end
}

// bar is the progress of one stage after another.
type bar struct {
	w io.Writer

	mu       sync.Mutex
	stage    phr.Stage
	started  time.Time
	drawn    time.Time
	open     bool // the cursor stands behind a bar
	complete bool // the stage has come to its end
}

func (b *bar) tell(stage phr.Stage, done, total uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if stage != b.stage {
		b.finish()
		b.stage, b.started, b.drawn, b.complete = stage, now, time.Time{}, false
	}
	if b.complete || done < total && now.Sub(b.drawn) < barPause {
		return
	}
	b.drawn, b.open = now, true
	part := 1.0
	if total > 0 {
		part = float64(done) / float64(total)
	}
	marks := int(part * barWidth)
	fmt.Fprintf(b.w, "\r%-10s [%s%s] %3.0f %%  %s of %s%s\x1b[K", stage, strings.Repeat("#", marks), strings.Repeat(".", barWidth-marks),
		100*part, byteText(done), byteText(total), speedText(done, now.Sub(b.started)))
	if b.complete = done == total; b.complete {
		b.finish()
	}
}

func speedText(done uint64, took time.Duration) string {
	if took < barPause {
		return ""
	}
	return "  " + byteText(uint64(float64(done)/took.Seconds())) + "/s"
}

func (b *bar) finish() {
	if b.open {
		fmt.Fprintln(b.w)
		b.open = false
	}
}

func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish()
}

// byteText is a number of bytes for people.
func byteText(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

// timeText is a time of the chain for people.
func timeText(unix int64) string {
	if unix == 0 {
		return "-"
	}
	return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05")
}

// orDash fills an empty cell.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
