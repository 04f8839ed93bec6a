package audit

import (
	"math"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

const (
	// MaxPageSize is how many entries one page has at most.
	MaxPageSize     = 200
	defaultPageSize = 50
	// maxKinds is how many kinds one filter names at most.
	maxKinds = 16
	// maxConcerns is how many hospitals one filter names at most, as many as a network has.
	maxConcerns = 128
)

// Bounded is a copy of the filter with a page size from 1 to MaxPageSize. It answers
// ErrInvalidFilter where a field has a value that no entry can have.
func (r *QueryEntriesRequest) Bounded() (*QueryEntriesRequest, error) {
	if r == nil {
		return &QueryEntriesRequest{Limit: defaultPageSize}, nil
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	filter := *r
	if filter.Limit == 0 {
		filter.Limit = defaultPageSize
	}
	filter.Limit = min(filter.Limit, MaxPageSize)
	return &filter, nil
}

func (r *QueryEntriesRequest) validate() error {
	for _, id := range []struct{ name, text string }{{"patient", r.Patient}, {"record", r.Record}} {
		if id.text == "" {
			continue
		}
		if _, err := lock.ParseCanonicalID(id.text); err != nil {
			return ErrInvalidFilter.Wrapf("%s: %v", id.name, err)
		}
	}
	if r.Actor != "" {
		if address, err := sdk.AccAddressFromBech32(r.Actor); err != nil || address.String() != r.Actor {
			return ErrInvalidFilter.Wrapf("actor %q: want a bech32 address", r.Actor)
		}
	}
	if r.Hospital > math.MaxUint32 {
		return ErrInvalidFilter.Wrapf("hospital %d", r.Hospital)
	}
	if r.Kind != "" && !isKind(r.Kind) {
		return ErrInvalidFilter.Wrapf("kind %q", r.Kind)
	}
	if len(r.Kinds) > maxKinds {
		return ErrInvalidFilter.Wrapf("%d kinds, at most %d", len(r.Kinds), maxKinds)
	}
	if len(r.Concerns) > maxConcerns {
		return ErrInvalidFilter.Wrapf("concerns %d hospitals, at most %d", len(r.Concerns), maxConcerns)
	}
	for _, hospital := range r.Concerns {
		if hospital == 0 || hospital > math.MaxUint32 {
			return ErrInvalidFilter.Wrapf("concerns hospital %d", hospital)
		}
	}
	for _, kind := range r.Kinds {
		if !isKind(kind) {
			return ErrInvalidFilter.Wrapf("kind %q", kind)
		}
	}
	if len(r.Purpose) > maxPurpose || !consistsOf(r.Purpose, upper+digits) {
		return ErrInvalidFilter.Wrapf("purpose %q: want capital letters and digits, at most %d", r.Purpose, maxPurpose)
	}
	if r.Unlock != "" && !isUnlock(r.Unlock) {
		return ErrInvalidFilter.Wrapf("unlock %q: want 64 lower-case hex digits", r.Unlock)
	}
	if r.From < 0 || r.To < 0 {
		return ErrInvalidFilter.Wrapf("from %d to %d: want unix seconds", r.From, r.To)
	}
	return nil
}

// Matches says whether the entry has all that the filter asks for. Where the page
// begins and ends is not asked, nor whom the entry concerns, which it does not say alone.
func (r *QueryEntriesRequest) Matches(e Entry) bool {
	switch {
	case r.Patient != "" && e.Patient != r.Patient,
		r.Actor != "" && e.Actor != r.Actor,
		r.Hospital != 0 && e.Hospital != r.Hospital,
		r.Kind != "" && e.Kind != r.Kind,
		len(r.Kinds) != 0 && !slices.Contains(r.Kinds, e.Kind),
		r.Purpose != "" && e.Purpose != r.Purpose,
		r.Unlock != "" && e.Unlock != r.Unlock,
		r.From != 0 && e.Time < r.From,
		r.To != 0 && e.Time >= r.To:
		return false
	}
	return r.Record == "" || slices.ContainsFunc(e.Subjects, func(s Subject) bool { return s.Record == r.Record })
}
