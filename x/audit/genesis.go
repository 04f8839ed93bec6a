package audit

// DefaultGenesis has no entries.
func DefaultGenesis() *GenesisState { return &GenesisState{} }

// Validate answers ErrInvalidGenesis where the entries are not a log from its
// beginning: sequences from 1 without a gap, times that never go back, and each
// entry valid. Heights may go back, for a log outlives the chain it was exported
// from.
func (g *GenesisState) Validate() error {
	var last int64
	for i, e := range g.Entries {
		if want := uint64(i) + 1; e.Sequence != want {
			return ErrInvalidGenesis.Wrapf("entry %d: want sequence %d", e.Sequence, want)
		}
		if e.Height < 0 || e.Time < last {
			return ErrInvalidGenesis.Wrapf("entry %d: height %d, time %d after %d", e.Sequence, e.Height, e.Time, last)
		}
		if err := e.Validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("entry %d: %s", e.Sequence, err.Error())
		}
		last = e.Time
	}
	return nil
}
