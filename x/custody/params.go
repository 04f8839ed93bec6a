package custody

const (
	// MaxShares is how many shares one message gives at most.
	MaxShares = 32
	// MaxPoints is how many points one release has at most: the versions of an unlock.
	MaxPoints = 64
	// MaxHolders is how many holders a key has at most in one epoch.
	MaxHolders = 128
	// MaxPageSize is how many things a query lists at most.
	MaxPageSize = 200

	maxRankDelay = 60
	pointSize    = 32
	proofSize    = 64
)

// DefaultParams let the holders behind the first threshold wait for three seconds.
func DefaultParams() Params { return Params{RankDelay: 3} }

// Validate answers ErrInvalidParams where a bound is outside its range.
func (p Params) Validate() error {
	if p.RankDelay < 1 || p.RankDelay > maxRankDelay {
		return ErrInvalidParams.Wrapf("rank_delay: got %d, want 1 to %d", p.RankDelay, maxRankDelay)
	}
	return nil
}
