package logproof

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
)

// Report says what a file proves.
type Report struct {
	// Head is what it claims.
	Head Head
	// ChainID of the network, and the block under whose state the log ends: Height, Time and Hash, signed by the hospitals with Signed
	// of Votes votes.
	ChainID       string
	Height        int64
	Time          time.Time
	Hash          Hex
	Signed, Votes int64
	// Size and Root are the log's at that block; Size is 0 for a patient's log, which ends by itself.
	Size uint64
	Root Hex
	// Witnesses are those whose signatures the file has.
	Witnesses []Witnessed
	// Entries is how many were asked for and are in the file.
	Entries uint64
	// Complete says that no entry of what is claimed is missing. A selection is not complete.
	Complete bool
	// Until is up to when a period is proven, unix seconds: its end, or the block's time where that comes before.
	Until int64
}

// Verify reads a file to its end and checks all of it against what is trusted. visit, which may be nil, is given each entry that was
// asked for in the order of the log; what it was given is proven only when Verify has returned no error. An error names the line or
// the entry and is ErrFormat, ErrTrust, ErrBlock, ErrState, ErrEntry, or visit's.
func Verify(r io.Reader, trust Trust, visit func(*auditv1.Entry) error) (Report, error) {
	p, err := newPath(trust)
	if err != nil {
		return Report{}, err
	}
	if visit == nil {
		visit = func(*auditv1.Entry) error { return nil }
	}
	v := &verifier{in: newReader(r), path: p, visit: visit}
	if err := v.begin(); err != nil {
		return Report{}, err
	}
	switch v.report.Head.Kind {
	case Period:
		err = v.period()
	case Patient:
		err = v.patient()
	case Growth:
		err = v.growth()
	default:
		err = v.selection()
	}
	if err != nil {
		return Report{}, err
	}
	return v.report, v.in.close(v.read)
}

// verifier is a file that is being verified.
type verifier struct {
	in     *reader
	path   *path
	visit  func(*auditv1.Entry) error
	report Report
	block  *Block
	read   uint64 // entries
}

// begin reads the head and the blocks.
func (v *verifier) begin() error {
	l, err := v.in.expect("head")
	if err != nil {
		return err
	}
	if err := l.Head.Validate(); err != nil {
		return err
	}
	v.report.Head = *l.Head
	for {
		more, err := v.in.is("block")
		if err != nil {
			return err
		}
		if !more {
			break
		}
		l, err := v.in.next()
		if err != nil {
			return err
		}
		if err := v.path.follow(l.Block); err != nil {
			return fmt.Errorf("line %d: %w", v.in.number, err)
		}
	}
	if v.block, err = v.path.end(); err != nil {
		return err
	}
	b := v.block
	v.report.ChainID, v.report.Height, v.report.Time, v.report.Hash = b.ChainID, b.Height, b.Time, b.Hash()
	for _, one := range b.Validators {
		v.report.Votes += one.Votes
	}
	for _, s := range b.Signatures {
		v.report.Signed += b.Validators[s.Validator].Votes
	}
	return nil
}

// state reads a value of the state.
func (v *verifier) state(key []byte) (*State, error) {
	l, err := v.in.expect("state")
	if err != nil {
		return nil, err
	}
	if err := l.State.Verify(key, v.block.AppHash); err != nil {
		return nil, fmt.Errorf("line %d: %w", v.in.number, err)
	}
	return l.State, nil
}

// log reads the log's end.
func (v *verifier) log() error {
	s, err := v.state(FrontierKey())
	if err != nil {
		return err
	}
	f, err := s.frontier()
	if err != nil {
		return err
	}
	r, err := tree.NewRange(0, f.GetSize(), f.GetNodes())
	if err != nil {
		return fmt.Errorf("the log's end: %w: %w", err, ErrState)
	}
	v.report.Size, v.report.Root = f.GetSize(), rootOf(r)
	for {
		more, err := v.in.is("witness")
		if err != nil || !more {
			return err
		}
		l, err := v.in.next()
		if err != nil {
			return err
		}
		seen, err := l.Seen.verify(&v.report, v.path.trust.Witnesses)
		if err != nil {
			return fmt.Errorf("line %d: %w", v.in.number, err)
		}
		v.report.Witnesses = append(v.report.Witnesses, seen...)
	}
}

// growth reads that a log of a size goes on as that of now.
func (v *verifier) growth() error {
	if err := v.log(); err != nil {
		return err
	}
	if v.report.Head.Size == 0 {
		return nil
	}
	l, err := v.in.expect("range")
	if err != nil {
		return err
	}
	h := v.report.Head
	if l.Range.First != 0 || l.Range.Last != h.Size || len(l.Range.Before) != 0 {
		return v.fail("it is of entries %d to %d, not of a log of %d", l.Range.First, l.Range.Last, h.Size)
	}
	if v.report.Size < h.Size {
		return fmt.Errorf("line %d: it had %d entries, and has %d: %w", v.in.number, h.Size, v.report.Size, ErrShrunk)
	}
	if err := goesOn(h.Size, v.report.Size, l.Range.After, h.Root, v.report.Root); err != nil {
		return v.fail("the log of %d entries does not go on as that of %d: %v", h.Size, v.report.Size, err)
	}
	return nil
}

// entry reads the next entry and its path.
func (v *verifier) entry() (e *auditv1.Entry, l *line, err error) {
	if l, err = v.in.expect("entry"); err != nil {
		return nil, nil, err
	}
	v.read++
	e = &auditv1.Entry{}
	if err := proto.Unmarshal(l.Entry, e); err != nil {
		return nil, nil, v.in.fail("it is no entry: %v", err)
	}
	return e, l, nil
}

// fail is ErrEntry with the line.
func (v *verifier) fail(format string, a ...any) error {
	return fmt.Errorf("line %d: %s: %w", v.in.number, fmt.Sprintf(format, a...), ErrEntry)
}

// period reads a stretch of the log that has every entry of the period, and where there are such the entry before and the one after.
func (v *verifier) period() error {
	if err := v.log(); err != nil {
		return err
	}
	l, err := v.in.expect("range")
	if err != nil {
		return err
	}
	h, size, stretch := v.report.Head, v.report.Size, l.Range
	if stretch.First == 0 || stretch.First > stretch.Last || stretch.Last > size {
		return v.fail("entries %d to %d of a log of %d", stretch.First, stretch.Last, size)
	}
	r, err := tree.NewRange(0, stretch.First-1, stretch.Before)
	if err != nil {
		return v.fail("what stands before entry %d: %v", stretch.First, err)
	}
	for sequence := stretch.First; sequence <= stretch.Last; sequence++ {
		e, l, err := v.entry()
		if err != nil {
			return err
		}
		if e.GetSequence() != sequence || len(l.Path) != 0 {
			return v.fail("entry %d stands where entry %d should", e.GetSequence(), sequence)
		}
		if err := r.Append(leafHash(l.Entry), nil); err != nil {
			return v.fail("entry %d: %v", sequence, err)
		}
		before, after := h.From != 0 && e.GetTime() < h.From, h.To != 0 && e.GetTime() >= h.To
		switch {
		case before && sequence != stretch.First:
			return v.fail("entry %d is of before the period, as the one before it", sequence)
		case after && sequence != stretch.Last:
			return v.fail("entry %d is of after the period, as the one behind it", sequence)
		case !before && sequence == stretch.First && sequence != 1:
			return v.fail("entry %d is the first here and lies in the period: those before may be missing", sequence)
		case !after && sequence == stretch.Last && sequence != size:
			return v.fail("entry %d is the last here and lies in the period: those behind may be missing", sequence)
		}
		if before || after {
			continue
		}
		v.report.Entries++
		if err := v.visit(e); err != nil {
			return err
		}
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, stretch.Last, size, l.Range.After, rootOf(r), v.report.Root); err != nil {
		return fmt.Errorf("entries %d to %d: they are not what the hospitals signed: one was altered, or what joins them to the log: %w: %w", stretch.First, stretch.Last, err, ErrEntry)
	}
	v.report.Complete, v.report.Until = true, v.block.Time.Unix()
	if h.To != 0 {
		v.report.Until = min(h.To, v.report.Until)
	}
	return nil
}

// subjectTag is that of x/audit/doc.go.
const subjectTag = "phrd/v1/audit/subject"

// patient reads every entry about a patient.
func (v *verifier) patient() error {
	h := v.report.Head
	id, err := lock.ParseCanonicalID(h.Patient)
	if err != nil {
		return fmt.Errorf("patient %q: %w: %w", h.Patient, err, ErrFormat)
	}
	s, err := v.state(SubjectKey(id))
	if err != nil {
		return err
	}
	want, err := s.subject()
	if err != nil {
		return err
	}
	var link []byte
	var last uint64
	for range want.GetCount() {
		e, l, err := v.entry()
		if err != nil {
			return err
		}
		if e.GetPatient() != h.Patient || e.GetSequence() <= last || len(l.Path) != 0 {
			return v.fail("entry %d after entry %d is none of the patient's, or not the next", e.GetSequence(), last)
		}
		last = e.GetSequence()
		next := lock.H32(subjectTag, link, lock.Uint(last), leafHash(l.Entry))
		link = next[:]
		v.report.Entries++
		if err := v.visit(e); err != nil {
			return err
		}
	}
	if !bytes.Equal(link, want.GetHead()) || last != want.GetLast() {
		return fmt.Errorf("the %d entries about the patient are not what the hospitals signed: one was altered, left out or put elsewhere: %w", want.GetCount(), ErrEntry)
	}
	v.report.Complete = true
	return nil
}

// selection reads entries, each with its path to the log's root.
func (v *verifier) selection() error {
	if err := v.log(); err != nil {
		return err
	}
	var last uint64
	for {
		more, err := v.in.is("entry")
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
		e, l, err := v.entry()
		if err != nil {
			return err
		}
		sequence := e.GetSequence()
		if sequence <= last || sequence > v.report.Size {
			return v.fail("entry %d after entry %d, of a log of %d", sequence, last, v.report.Size)
		}
		last = sequence
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, sequence-1, v.report.Size, leafHash(l.Entry), l.Path, v.report.Root); err != nil {
			return v.fail("entry %d is not in the log that the hospitals signed: %v", sequence, err)
		}
		if !v.report.Head.Matches(e) {
			return v.fail("entry %d is none of those that were asked for", sequence)
		}
		v.report.Entries++
		if err := v.visit(e); err != nil {
			return err
		}
	}
}
