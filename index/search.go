package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble"

	"github.com/phrd/phrd/x/audit"
)

// maxSteps bounds what one page costs: how many rows are looked at. A page that
// meets it ends early and says where to go on.
const maxSteps = 50_000

// nearRows is how many rows a walk passes one by one before it seeks.
const nearRows = 16

// search answers one page, see [audit.Index].
func (r *rows) search(ctx context.Context, filter *audit.QueryEntriesRequest) (page []audit.Entry, next uint64, err error) {
	s := &search{ctx: ctx, steps: maxSteps}
	if s.low, s.high, err = r.span(filter); err != nil || s.low >= s.high {
		return nil, 0, err
	}
	found, next, err := s.page(r.db, filter)
	if err != nil {
		return nil, 0, err
	}
	page, err = r.entries(found)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range page {
		if !filter.Matches(e) {
			return nil, 0, fmt.Errorf("entry %d is in a list in which it should not be", e.Sequence)
		}
	}
	return page, next, nil
}

// entries reads entries of falling sequences, those that follow one another in the log at once.
func (r *rows) entries(sequences []uint64) ([]audit.Entry, error) {
	page := make([]audit.Entry, 0, len(sequences))
	for len(sequences) > 0 {
		run := 1
		for run < len(sequences) && sequences[run] == sequences[0]-uint64(run) {
			run++
		}
		values, err := r.files.read(sequences[run-1], sequences[0])
		if err != nil {
			return nil, err
		}
		for i, sequence := range sequences[:run] {
			e, err := decode(values[run-1-i], sequence)
			if err != nil {
				return nil, err
			}
			page = append(page, e)
		}
		sequences = sequences[run:]
	}
	return page, nil
}

// span is the sequences from low up to, not including, high that have the times of
// the filter and come before its page. Times never go back along the log, so they
// are one span.
func (r *rows) span(filter *audit.QueryEntriesRequest) (low, high uint64, err error) {
	low, high = 1, r.size.Load()+1
	if filter.Before != 0 {
		high = min(high, filter.Before)
	}
	if filter.From == 0 && filter.To == 0 {
		return low, high, nil
	}
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: []byte{timeTag}, UpperBound: []byte{timeTag + 1}})
	if err != nil {
		return 0, 0, err
	}
	if filter.From != 0 {
		low = math.MaxUint64
		if it.SeekGE(timeKey(filter.From)) {
			low = number(it.Value())
		}
	}
	if filter.To != 0 && it.SeekGE(timeKey(filter.To)) {
		high = min(high, number(it.Value()))
	}
	return low, high, errors.Join(it.Error(), it.Close())
}

// prefixes are those of the lists in all of which an entry must be.
func prefixes(filter *audit.QueryEntriesRequest) [][]byte {
	var list [][]byte
	for _, by := range []struct {
		tag  byte
		text string
	}{
		{unlockTag, filter.Unlock}, {recordTag, filter.Record}, {patientTag, filter.Patient},
		{actorTag, filter.Actor}, {kindTag, filter.Kind}, {purposeTag, filter.Purpose},
	} {
		if by.text != "" {
			list = append(list, prefix(by.tag, by.text))
		}
	}
	if filter.Hospital != 0 {
		list = append(list, hospitalPrefix(hospitalTag, filter.Hospital))
	}
	return list
}

// search walks down several lists of sequences at once, as they were when the search began.
type search struct {
	ctx       context.Context
	lists     []sequences // whole alone where nothing is asked
	low, high uint64
	// steps is how many more times a list may be moved.
	steps int
}

// page answers the sequences of one page, and where the next begins.
func (s *search) page(db *pebble.DB, filter *audit.QueryEntriesRequest) (found []uint64, next uint64, err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(db, filter); err != nil {
		return nil, 0, err
	}
	for target := s.high - 1; target >= s.low; target-- {
		if target, err = s.match(target); err != nil || target == 0 {
			return found, 0, err
		}
		if len(found) == int(filter.Limit) || s.steps <= 0 {
			return found, target + 1, nil
		}
		found = append(found, target)
	}
	return found, 0, nil
}

func (s *search) open(db *pebble.DB, filter *audit.QueryEntriesRequest) error {
	for _, prefix := range prefixes(filter) {
		l, err := s.list(db, prefix)
		if err != nil {
			return err
		}
		s.lists = append(s.lists, l)
	}
	for _, group := range eitherOf(filter) {
		if err := s.openAny(db, group); err != nil {
			return err
		}
	}
	if len(s.lists) == 0 {
		s.lists = []sequences{whole{}}
	}
	return nil
}

// eitherOf are the prefixes of lists of which an entry must be in one: for each group.
func eitherOf(filter *audit.QueryEntriesRequest) [][][]byte {
	var groups [][][]byte
	if len(filter.Kinds) != 0 {
		var kinds [][]byte
		for _, kind := range filter.Kinds {
			kinds = append(kinds, prefix(kindTag, kind))
		}
		groups = append(groups, kinds)
	}
	if len(filter.Concerns) != 0 {
		var hospitals [][]byte
		for _, hospital := range filter.Concerns {
			hospitals = append(hospitals, hospitalPrefix(hospitalTag, hospital), hospitalPrefix(concernTag, hospital))
		}
		groups = append(groups, hospitals)
	}
	return groups
}

// openAny opens several lists as one.
func (s *search) openAny(db *pebble.DB, prefixes [][]byte) error {
	either := &merged{}
	s.lists = append(s.lists, either)
	for _, prefix := range prefixes {
		l, err := s.list(db, prefix)
		if err != nil {
			return err
		}
		either.lists = append(either.lists, l)
	}
	return nil
}

func (s *search) list(db *pebble.DB, prefix []byte) (*list, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: appendNumber(prefix, s.low), UpperBound: appendNumber(prefix, s.high)})
	if err != nil {
		return nil, err
	}
	return &list{it: it, prefix: prefix}, nil
}

func (s *search) close() error {
	var err error
	for _, l := range s.lists {
		err = errors.Join(err, l.close())
	}
	return err
}

// match answers the highest sequence up to target that is in all lists, 0 for none.
// Out of steps it answers one below which it did not look.
//
// Each list in turn goes down to the target, and what it finds below is the new
// target: the rarest list decides how far the others leap.
func (s *search) match(target uint64) (uint64, error) {
	for agreed, i := 0, 0; agreed < len(s.lists); i = (i + 1) % len(s.lists) {
		if s.steps <= 0 {
			return target, nil
		}
		s.steps -= s.lists[i].moves()
		if s.ctx.Err() != nil {
			return 0, s.ctx.Err()
		}
		sequence, err := s.lists[i].atMost(target)
		if err != nil || sequence == 0 {
			return 0, err
		}
		if sequence == target {
			agreed++
			continue
		}
		target, agreed = sequence, 1
	}
	return target, nil
}

// sequences is a list of sequences that is walked down.
type sequences interface {
	// atMost answers the highest sequence up to target, 0 for none. The targets of a walk never rise.
	atMost(target uint64) (uint64, error)
	// moves is how many rows one call may look for.
	moves() int
	close() error
}

// whole is all that there is.
type whole struct{}

func (whole) atMost(target uint64) (uint64, error) { return target, nil }

func (whole) moves() int { return 1 }

func (whole) close() error { return nil }

// merged is what is in any of several lists.
type merged struct{ lists []*list }

func (m *merged) atMost(target uint64) (highest uint64, err error) {
	for _, l := range m.lists {
		at, err := l.atMost(target)
		if err != nil {
			return 0, err
		}
		highest = max(highest, at)
	}
	return highest, nil
}

func (m *merged) moves() int { return len(m.lists) }

func (m *merged) close() (err error) {
	for _, l := range m.lists {
		err = errors.Join(err, l.close())
	}
	return err
}

// list is the rows of one prefix.
type list struct {
	it     *pebble.Iterator
	prefix []byte
	// at is the sequence the walk has come to, 0 before it began.
	at uint64
	// over says that there is nothing below what it was asked for last.
	over bool
}

func (*list) moves() int { return 1 }

func (l *list) close() error { return l.it.Close() }

// atMost implements sequences. A row that is near is walked to, for a seek costs many steps.
func (l *list) atMost(target uint64) (uint64, error) {
	for passed := 0; !l.over && (l.at == 0 || l.at > target); passed++ {
		var found bool
		if l.at == 0 || passed == nearRows {
			found = l.it.SeekLT(appendNumber(l.prefix, target+1))
		} else {
			found = l.it.Prev()
		}
		if !found {
			l.over = true
			return 0, l.it.Error()
		}
		if l.at = number(l.it.Key()[len(l.prefix):]); l.at == 0 {
			return 0, fmt.Errorf("malformed row %x", l.it.Key())
		}
	}
	if l.over {
		return 0, nil
	}
	return l.at, nil
}

// number reads eight bytes; what is no number is 0, which is no sequence.
func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
