package custody

import (
	"math"

	"github.com/phrd/phrd/lock"
)

// maxIndex is the largest index of a share (docs/custody.md, appendix A, deal).
const maxIndex = math.MaxUint32

// IsValid says whether the kind exists.
func (k KeyKind) IsValid() bool { return lock.KeyKind(k).Check() == nil }

// Threshold is how many of n holders open, t: floor(2n/3)+1, and for emergency keys
// one more or five in six, whichever is larger. It is over n where n is too small
// for the kind.
func Threshold(kind KeyKind, n uint64) uint64 {
	t := 2*n/3 + 1
	if kind == KEY_KIND_EMERGENCY {
		return max(t+1, (5*n+5)/6)
	}
	return t
}

// LeastMembers is how many members make a key of the kind: where four hospitals opened in
// emergencies, all of them together, one that is away would end all access.
func (k KeyKind) LeastMembers() uint64 {
	if k == KEY_KIND_EMERGENCY {
		return leastForEmergencies
	}
	return 1
}

// Validate answers ErrInvalidGenesis for a key that cannot be. Its shares are
// checked with its holders.
func (k Key) Validate() error {
	if !k.Kind.IsValid() {
		return ErrInvalidGenesis.Wrapf("kind %d", k.Kind)
	}
	if !isCount(k.Generation) || !isCount(k.ShareEpoch) {
		return ErrInvalidGenesis.Wrapf("generation %d, share epoch %d", k.Generation, k.ShareEpoch)
	}
	if _, err := lock.ParsePoint(k.PublicKey); err != nil {
		return ErrInvalidGenesis.Wrapf("public key: %v", err)
	}
	if k.Origin != ORIGIN_DEALT && k.Origin != ORIGIN_DKG {
		return ErrInvalidGenesis.Wrapf("origin %d", k.Origin)
	}
	if k.Since < 0 || k.Renewed < 0 || k.FirstThreshold > k.Threshold {
		return ErrInvalidGenesis.Wrapf("since %d, renewed %d, first threshold %d of %d", k.Since, k.Renewed, k.FirstThreshold, k.Threshold)
	}
	return nil
}

// Validate answers ErrInvalidGenesis for a holder that cannot be.
func (h Holder) Validate() error {
	if !isCount(h.ShareEpoch) || h.Index < 1 || h.Index > maxIndex {
		return ErrInvalidGenesis.Wrapf("share epoch %d, index %d", h.ShareEpoch, h.Index)
	}
	if _, err := lock.ParsePoint(h.PublicShare); err != nil {
		return ErrInvalidGenesis.Wrapf("public share: %v", err)
	}
	if h.LostAt < 0 {
		return ErrInvalidGenesis.Wrapf("lost at %d", h.LostAt)
	}
	return nil
}

// Has says whether the holder has, for all the chain knows, its share of the key's epoch in
// force: it proved possession, and has not said since that it lost it.
func (h Holder) Has(k Key) bool { return h.Confirmed && h.LostAt <= max(k.Since, k.Renewed) }

// isCount says whether n is a number that counts from 1.
func isCount(n uint64) bool { return n >= 1 && n <= math.MaxInt64 }

// Keeps says whether members may not go as long as too few would be left to open with
// the key. What is locked under a records key, and a slot that guardians open, can be
// lost for good; a box for emergencies is a further way to what opens without it.
func (k Key) Keeps() bool { return k.Kind != KEY_KIND_EMERGENCY }

// Floor is the threshold below which none of the generation's epochs falls: that of
// its first.
func (k Key) Floor() uint64 {
	if k.FirstThreshold == 0 {
		return k.Threshold
	}
	return k.FirstThreshold
}

// FewLeft says whether so many shares bear the loss of one more at most.
func (k Key) FewLeft(shares uint64) bool { return shares <= k.Threshold+1 }

// Age is how many seconds the active epoch has been in force at a block time.
func (k Key) Age(now int64) int64 { return now - max(k.Since, k.Renewed) }
