package consortium

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

const (
	// MaxPageSize is how many things a query lists at most.
	MaxPageSize = 200
	// MaxClosingsPerBlock is how many proposals one block closes at most because
	// their voting period ended.
	MaxClosingsPerBlock = 100
	// MaxEndingsPerBlock is of how many roles one block tells at most that they ended.
	MaxEndingsPerBlock = 100
	// MaxExecutionsPerBlock is how many accepted proposals one block carries out.
	MaxExecutionsPerBlock = 1
	// ProposalGas is what carrying one proposal out may use.
	ProposalGas = 10_000_000

	// MaxMembers is how many members a network has at most.
	MaxMembers = 128
	// MaxSites is how many sites a member has at most, removed ones included: a number is a failure domain for good.
	MaxSites = 100
	// MaxStorageNodes is how many storage nodes a member registers at most, retired ones included.
	MaxStorageNodes = 100
	// RotationPause is how many seconds pass at least between two replacements of the keys of a member's server.
	RotationPause = 60 * minute
	// MaxAdmins is how many admins a member has at most at a time.
	MaxAdmins = 16
	// MaxPages is how many bundles of pages the members accept at most at a time.
	MaxPages = 8
	// MaxOpenProposals is how many proposals of one member are open at most at a time.
	MaxOpenProposals = 8

	minute = 60
	day    = 24 * 60 * minute

	minPeriod      = minute
	limitVoting    = 30 * day
	limitInviting  = 90 * day
	limitBucket    = 100_000
	defaultVoting  = 7 * day
	defaultInvites = 30 * day
)

// DefaultParams are a week to vote, 30 days to follow an invitation, and buckets
// that no person and no node empties in a working day.
func DefaultParams() Params {
	p := Params{VotingPeriod: defaultVoting, InvitationLifetime: defaultInvites}
	for _, r := range []Role{ROLE_ADMIN, ROLE_CLERK, ROLE_CLINICIAN, ROLE_OFFICER, ROLE_AUDITOR} {
		p.Buckets = append(p.Buckets, Bucket{Role: r.Text(), PerMinute: 120, Burst: 240})
	}
	p.Buckets = append(p.Buckets, Bucket{Role: ROLE_PATIENT.Text(), PerMinute: 20, Burst: 40})
	for _, r := range []Role{ROLE_NODE, ROLE_STORAGE} {
		p.Buckets = append(p.Buckets, Bucket{Role: r.Text(), PerMinute: 6_000, Burst: 12_000})
	}
	return p
}

// Validate answers ErrInvalidParams where a bound is outside its range. Admins
// always have a bucket: without one no vote could be cast that gives it back.
func (p Params) Validate() error {
	if p.VotingPeriod < minPeriod || p.VotingPeriod > limitVoting {
		return ErrInvalidParams.Wrapf("voting_period: got %d, want %d to %d seconds", p.VotingPeriod, minPeriod, limitVoting)
	}
	if p.InvitationLifetime < minPeriod || p.InvitationLifetime > limitInviting {
		return ErrInvalidParams.Wrapf("invitation_lifetime: got %d, want %d to %d seconds", p.InvitationLifetime, minPeriod, limitInviting)
	}
	seen := map[string]bool{}
	for _, b := range p.Buckets {
		if _, err := ParseRole(b.Role); err != nil {
			return ErrInvalidParams.Wrapf("bucket: %v", err)
		}
		if seen[b.Role] {
			return ErrInvalidParams.Wrapf("bucket of %s: repeated", b.Role)
		}
		if b.PerMinute < 1 || b.PerMinute > limitBucket || b.Burst < 1 || b.Burst > limitBucket {
			return ErrInvalidParams.Wrapf("bucket of %s: got %d a minute and a burst of %d, want 1 to %d", b.Role, b.PerMinute, b.Burst, limitBucket)
		}
		seen[b.Role] = true
	}
	if !seen[ROLE_ADMIN.Text()] {
		return ErrInvalidParams.Wrap("admins have no bucket")
	}
	if len(p.Pages) > MaxPages {
		return ErrInvalidParams.Wrapf("pages: got %d, want at most %d", len(p.Pages), MaxPages)
	}
	for i, hash := range p.Pages {
		if len(hash) != sha256.Size {
			return ErrInvalidParams.Wrapf("pages: got %d bytes, want %d", len(hash), sha256.Size)
		}
		if slices.ContainsFunc(p.Pages[:i], func(other []byte) bool { return bytes.Equal(other, hash) }) {
			return ErrInvalidParams.Wrapf("pages: %x repeated", hash)
		}
	}
	return nil
}

// Bucket is the bucket of a role's word, and whether it has one.
func (p Params) Bucket(role string) (Bucket, bool) {
	for _, b := range p.Buckets {
		if b.Role == role {
			return b, true
		}
	}
	return Bucket{}, false
}

// unitsPerToken makes the refill of a bucket a whole number each second.
const unitsPerToken = minute

// Full is what a full bucket holds, in units of which a token costs 60.
func (b Bucket) Full() uint64 { return b.Burst * unitsPerToken }

// Take fills up what a bucket held for the seconds that passed and takes n tokens
// out; it says whether there were enough. What is held never passes what fits.
func (b Bucket) Take(held uint64, seconds int64, n uint64) (left uint64, enough bool) {
	held = min(held, b.Full())
	if seconds > 0 {
		// A bucket is full after as many seconds as it has units, as one unit a second is the least refill.
		held = min(b.Full(), held+min(uint64(seconds), b.Full())*b.PerMinute)
	}
	if n > b.Burst || n*unitsPerToken > held {
		return held, false
	}
	return held - n*unitsPerToken, true
}
