package logproof

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
)

// Format names the form of a file, in its first line.
const Format = "phrd log export 1"

// maxLine bounds a line: a block with the keys of a thousand hospitals has less.
const maxLine = 1 << 20

// Kind says what a file claims.
type Kind string

const (
	// Period is every entry from a time to another one.
	Period Kind = "period"
	// Patient is every entry about a patient.
	Patient Kind = "patient"
	// Selection is entries that match a filter. That there are no others is not proven.
	Selection Kind = "selection"
	// Growth is no entries: that the log of a size and a root goes on as the log of now. Witnesses follow a log by it.
	Growth Kind = "growth"
)

// Head is the first line: what the file claims.
type Head struct {
	Format string `json:"format"`
	Kind   Kind   `json:"kind"`
	// Patient number: of whom a file of kind Patient is, or which entries of a selection name.
	Patient string `json:"patient,omitempty"`
	// From and To bound the block times of a period or a selection, unix seconds, From inclusive, To exclusive; 0 for none.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`
	// Record, Actor, Hospital, What (the kind of entry) and Unlock are filters of a selection; all that are set match.
	Record   string `json:"record,omitempty"`
	Actor    string `json:"actor,omitempty"`
	Hospital uint64 `json:"hospital,omitempty"`
	What     string `json:"what,omitempty"`
	Unlock   string `json:"unlock,omitempty"`
	// Size and Root are those of a log that has grown since; Size is 0 where there was none.
	Size uint64 `json:"size,omitempty"`
	Root Hex    `json:"root,omitempty"`
}

// Validate answers ErrFormat where the claim is none.
func (h *Head) Validate() error {
	filters := h.Record != "" || h.Actor != "" || h.Hospital != 0 || h.What != "" || h.Unlock != ""
	var fault string
	switch {
	case h.Format != Format:
		fault = fmt.Sprintf("its form is %q, not %q", h.Format, Format)
	case h.From < 0 || h.To < 0 || h.To != 0 && h.To <= h.From:
		fault = fmt.Sprintf("from %d to %d is no period", h.From, h.To)
	case h.Kind != Growth && (h.Size != 0 || len(h.Root) != 0) || h.Kind == Growth && (filters || h.Patient != "" || h.From != 0 || h.To != 0 || (h.Size == 0) != (len(h.Root) == 0)):
		fault = "growth alone has a size and a root, and nothing else"
	case h.Kind == Period && (h.Patient != "" || filters):
		fault = "a period has no filters"
	case h.Kind == Patient && (h.Patient == "" || filters || h.From != 0 || h.To != 0):
		fault = "a patient's log has a patient number and no filters"
	case h.Kind == Selection && !filters && h.Patient == "":
		fault = "a selection has a filter"
	case h.Kind != Period && h.Kind != Patient && h.Kind != Selection && h.Kind != Growth:
		fault = fmt.Sprintf("kind %q", h.Kind)
	}
	if fault != "" {
		return fmt.Errorf("%s: %w", fault, ErrFormat)
	}
	return nil
}

// Matches tells whether an entry is one of a selection's.
func (h *Head) Matches(e *auditv1.Entry) bool {
	named := h.Record == ""
	for _, s := range e.GetSubjects() {
		named = named || s.GetRecord() == h.Record
	}
	return named && (h.Patient == "" || h.Patient == e.GetPatient()) && (h.Actor == "" || h.Actor == e.GetActor()) &&
		(h.Hospital == 0 || h.Hospital == e.GetHospital()) && (h.What == "" || h.What == e.GetKind()) && (h.Unlock == "" || h.Unlock == e.GetUnlock()) &&
		(h.From == 0 || e.GetTime() >= h.From) && (h.To == 0 || e.GetTime() < h.To)
}

// Range says which stretch of the log follows, and joins it to the log's end.
type Range struct {
	// First and Last are sequences, from 1.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Before are the roots of the perfect subtrees over the entries before First, the largest first.
	Before [][]byte `json:"before,omitempty"`
	// After proves that the log of Last entries goes on to the log's end (RFC 9162, section 2.1.4).
	After [][]byte `json:"after,omitempty"`
}

// end is the last line: how many entries there are, and the SHA-256 over all lines before. It proves nothing, but tells a damaged
// file from an intact one where the damage would change no claim.
type end struct {
	Entries uint64 `json:"entries"`
	SHA256  Hex    `json:"sha256"`
}

// line is one line of a file: exactly one of its fields, Path beside Entry in a selection. A line of growth has a range without
// entries: its First is 0, its Last the size from which the log has grown.
type line struct {
	Head  *Head     `json:"head,omitempty"`
	Block *Block    `json:"block,omitempty"`
	State *State    `json:"state,omitempty"`
	Seen  *Cosigned `json:"witness,omitempty"`
	Range *Range    `json:"range,omitempty"`
	Entry []byte    `json:"entry,omitempty"`
	Path  [][]byte  `json:"path,omitempty"`
	End   *end      `json:"end,omitempty"`
}

// name is what a line is.
func (l *line) name() string {
	for _, field := range []struct {
		is   bool
		name string
	}{{l.Head != nil, "head"}, {l.Block != nil, "block"}, {l.State != nil, "state"}, {l.Seen != nil, "witness"}, {l.Range != nil, "range"}, {l.Entry != nil, "entry"}, {l.End != nil, "end"}} {
		if field.is {
			return field.name
		}
	}
	return "nothing"
}

// Writer writes a file, line by line.
type Writer struct {
	w       io.Writer
	sum     hash.Hash
	entries uint64
}

// NewWriter begins a file with its head.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	h.Format = Format
	if err := h.Validate(); err != nil {
		return nil, err
	}
	out := &Writer{w: w, sum: sha256.New()}
	return out, out.write(&line{Head: &h})
}

func (w *Writer) write(l *line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write %s: %w", l.name(), err)
	}
	text = append(text, '\n')
	w.sum.Write(text)
	if _, err := w.w.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", l.name(), err)
	}
	return nil
}

// Block writes a block; their heights ascend.
func (w *Writer) Block(b *Block) error { return w.write(&line{Block: b}) }

// State writes the end of the log or of the patient's chain in the state of the last block.
func (w *Writer) State(s *State) error { return w.write(&line{State: s}) }

// Witness writes what witnesses have signed of the log, behind its end.
func (w *Writer) Witness(c *Cosigned) error { return w.write(&line{Seen: c}) }

// Range writes which entries follow, in a period.
func (w *Writer) Range(r *Range) error { return w.write(&line{Range: r}) }

// Entry writes an entry as it is in the tree, and in a selection its path.
func (w *Writer) Entry(leaf []byte, path [][]byte) error {
	w.entries++
	return w.write(&line{Entry: leaf, Path: path})
}

// Close ends the file; it does not close the writer below.
func (w *Writer) Close() error {
	return w.write(&line{End: &end{Entries: w.entries, SHA256: w.sum.Sum(nil)}})
}

// reader reads a file, line by line, and insists on its canonical form.
type reader struct {
	r      *bufio.Reader
	sum    hash.Hash
	number int
	ahead  *line
}

func newReader(r io.Reader) *reader {
	return &reader{r: bufio.NewReaderSize(r, maxLine), sum: sha256.New()}
}

// next reads the next line. The error is ErrFormat.
func (r *reader) next() (*line, error) {
	if l := r.ahead; l != nil {
		r.ahead = nil
		return l, nil
	}
	text, err := r.r.ReadSlice('\n')
	r.number++
	switch {
	case errors.Is(err, io.EOF) && len(text) == 0:
		return nil, r.fail("the file ends without its last line")
	case errors.Is(err, io.EOF):
		return nil, r.fail("the file is cut off")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, r.fail("it is longer than %d bytes", maxLine)
	case err != nil:
		return nil, fmt.Errorf("line %d: %w", r.number, err)
	}
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return nil, r.fail("%v", err)
	}
	if again, err := json.Marshal(&l); err != nil || !bytes.Equal(append(again, '\n'), text) || l.Block != nil && !l.Block.inUTC() {
		return nil, r.fail("it is not in its canonical form")
	}
	if l.End == nil {
		r.sum.Write(text)
	}
	return &l, nil
}

// expect reads the next line, which is to be of a name.
func (r *reader) expect(name string) (*line, error) {
	l, err := r.next()
	if err != nil {
		return nil, err
	}
	if got := l.name(); got != name {
		return nil, r.fail("it is %s, want %s", got, name)
	}
	return l, nil
}

// is tells whether the next line is of a name, and leaves it.
func (r *reader) is(name string) (bool, error) {
	if r.ahead == nil {
		l, err := r.next()
		if err != nil {
			return false, err
		}
		r.ahead = l
	}
	return r.ahead.name() == name, nil
}

// close reads the last line and that nothing follows.
func (r *reader) close(entries uint64) error {
	l, err := r.expect("end")
	if err != nil {
		return err
	}
	if l.End.Entries != entries {
		return r.fail("%d entries stand before the end, which names %d", entries, l.End.Entries)
	}
	if !bytes.Equal(l.End.SHA256, r.sum.Sum(nil)) {
		return r.fail("the checksum is not that of the lines before: the file was damaged")
	}
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
		return r.fail("something follows the end")
	}
	return nil
}

func (r *reader) fail(format string, a ...any) error {
	return fmt.Errorf("line %d: %s: %w", r.number, fmt.Sprintf(format, a...), ErrFormat)
}

// Before takes from the inclusion proof of entry first in a log of a size what stands before it in a [Range]. It answers nothing of
// use for a proof that is none.
func Before(first, size uint64, path [][]byte) [][]byte {
	var before [][]byte
	begin, end, leaf := uint64(0), size, first-1
	for i := len(path) - 1; i >= 0 && end-begin > 1; i-- {
		middle := begin + 1<<(bits.Len64(end-begin-1)-1)
		if leaf < middle {
			end = middle
			continue
		}
		before, begin = append(before, path[i]), middle
	}
	return before
}
