package custody

const (
	// MaxShares is how many shares one message gives at most.
	MaxShares = 32
	// MaxPoints is how many points one release has at most: the versions of an unlock.
	MaxPoints = 64
	// MaxHolders is how many holders a key has at most in one epoch.
	MaxHolders = 128
	// MaxSubShares is how many sealed sub-shares one message gives at most: about 48 KB.
	MaxSubShares = 40
	// MaxPageSize is how many things a query lists at most.
	MaxPageSize = 200

	// leastForEmergencies is how many members an emergency key takes.
	leastForEmergencies = 5

	maxRankDelay = 60
	pointSize    = 32
	proofSize    = 64
	// sealedSize is the size of a sealed sub-share: encapsulation, scalar and tag.
	sealedSize = 1120 + 32 + 16

	defaultRoundWindow  = 120
	minRoundWindow      = 10
	maxRoundWindow      = 24 * 3600
	defaultReshareEvery = 30 * 24 * 3600
	minReshareEvery     = 3600
	maxReshareEvery     = 10 * 365 * 24 * 3600
)

// DefaultParams let the holders behind the first threshold wait for three seconds.
func DefaultParams() Params { return Params{RankDelay: 3} }

// Validate answers ErrInvalidParams where a bound is outside its range.
func (p Params) Validate() error {
	if p.RankDelay < 1 || p.RankDelay > maxRankDelay {
		return ErrInvalidParams.Wrapf("rank_delay: got %d, want 1 to %d", p.RankDelay, maxRankDelay)
	}
	if w := p.RoundWindow; w != 0 && (w < minRoundWindow || w > maxRoundWindow) {
		return ErrInvalidParams.Wrapf("round_window: got %d, want 0 or %d to %d", w, minRoundWindow, maxRoundWindow)
	}
	if e := p.ReshareEvery; e != 0 && (e < minReshareEvery || e > maxReshareEvery) {
		return ErrInvalidParams.Wrapf("reshare_every: got %d, want 0 or %d to %d", e, minReshareEvery, maxReshareEvery)
	}
	return nil
}

// Window is how many seconds a phase of a round takes at most.
func (p Params) Window() int64 {
	if p.RoundWindow == 0 {
		return defaultRoundWindow
	}
	return int64(p.RoundWindow)
}

// After how many seconds shares are renewed for one member.
const (
	// RenewalForOne is the age of the shares in force at which a member that has none has them renewed.
	RenewalForOne = 600
	// RenewalForLost is their age at which a member has them renewed that proved possession of its share, and lost it. As its word is
	// all there is, it is taken once in that time; where few shares are left, whatever their age ([Key.FewLeft]).
	RenewalForLost = 24 * 3600
)

// Renewal is after how many seconds the shares of a key are renewed.
func (p Params) Renewal() int64 {
	if p.ReshareEvery == 0 {
		return defaultReshareEvery
	}
	return int64(p.ReshareEvery)
}
