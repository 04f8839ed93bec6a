package records

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/phrd/phrd/lock"
)

// Ref names one version of a record.
type Ref struct {
	// Record is the record's id.
	Record lock.ID
	// Version counts from 1.
	Version uint64
}

// String is the ref as messages name it: "<record id>/<version>".
func (r Ref) String() string { return fmt.Sprintf("%s/%d", r.Record, r.Version) }

// ParseRefs reads the versions that a message of their owner names: 1 to MaxRefs, sorted by the bytes of the
// record's id and the version's number, distinct, each in its one text. It answers
// ErrInvalidVersions.
func ParseRefs(texts []string) ([]Ref, error) {
	if n := len(texts); n < 1 || n > MaxRefs {
		return nil, ErrInvalidVersions.Wrapf("got %d versions, want 1 to %d", n, MaxRefs)
	}
	refs := make([]Ref, len(texts))
	for i, text := range texts {
		id, number, _ := strings.Cut(text, "/")
		record, err := lock.ParseCanonicalID(id)
		if err != nil {
			return nil, ErrInvalidVersions.Wrapf("%q: %v", text, err)
		}
		version, err := strconv.ParseUint(number, 10, 63)
		refs[i] = Ref{Record: record, Version: version}
		if err != nil || version == 0 || refs[i].String() != text {
			return nil, ErrInvalidVersions.Wrapf("%q: want a record and a version, like 3ZQK/2", text)
		}
		if i > 0 && refs[i-1].compare(refs[i]) >= 0 {
			return nil, ErrInvalidVersions.Wrapf("%q after %q: want them sorted and distinct", text, texts[i-1])
		}
	}
	return refs, nil
}

func (r Ref) compare(other Ref) int {
	return cmp.Or(bytes.Compare(r.Record[:], other.Record[:]), cmp.Compare(r.Version, other.Version))
}
