package storage

import "github.com/phrd/phrd/lock"

// DefaultGenesis has the default rules and no objects.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Validate answers ErrInvalidGenesis, or what is wrong with the parameters, where
// the state is not one that the module could have exported.
func (g *GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	blocks := map[string]bool{}
	for _, p := range g.Objects {
		if err := p.Object.Validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("object %q: %v", p.Object.Cid, err)
		}
		for _, text := range append([]string{p.Object.Cid}, p.Object.Attached...) {
			if blocks[text] {
				return ErrInvalidGenesis.Wrapf("object %q: block %q is known already", p.Object.Cid, text)
			}
			blocks[text] = true
		}
		if err := validateCopies(p.Copies); err != nil {
			return ErrInvalidGenesis.Wrapf("object %q: %v", p.Object.Cid, err)
		}
	}
	if err := g.validateRepairs(blocks); err != nil {
		return err
	}
	if err := g.validateErasures(blocks); err != nil {
		return err
	}
	return g.validateProofs()
}

// validateProofs checks what is left of past epochs.
func (g *GenesisState) validateProofs() error {
	e := g.Epoch
	if n := len(e.Seed); n != hashSize && (n > 0 || e.Number > 0) {
		return ErrInvalidGenesis.Wrapf("epoch %d: seed of %d bytes", e.Number, n)
	}
	if len(e.Mix) > 0 || e.Step != EPOCH_STEP_UNSPECIFIED || e.After != 0 || e.Since != 0 || e.Challenged != 0 || e.Proven != 0 {
		return ErrInvalidGenesis.Wrapf("epoch %d: more than a number and a seed", e.Number)
	}
	var last uint64
	for _, s := range g.Strikes {
		if s.Node <= last || s.Count == 0 {
			return ErrInvalidGenesis.Wrapf("%d strikes against node %d after node %d", s.Count, s.Node, last)
		}
		last = s.Node
	}
	return nil
}

// maxList is the highest number of a list of objects that is swept.
const maxList = 4

// validateRepairs checks what is known of nodes, and what is left to do about objects.
func (g *GenesisState) validateRepairs(blocks map[string]bool) error {
	if g.Clock.Running < 0 || g.Clock.At < 0 {
		return ErrInvalidGenesis.Wrapf("clock: running %d at %d", g.Clock.Running, g.Clock.At)
	}
	var last uint64
	for _, p := range g.Pulses {
		if p.Node <= last {
			return ErrInvalidGenesis.Wrapf("pulse of node %d after node %d", p.Node, last)
		}
		last = p.Node
		if p.BeatAt < 0 || p.Since < 0 || p.Running < 0 || p.Running > g.Clock.Running {
			return ErrInvalidGenesis.Wrapf("pulse of node %d: beat at %d, since %d, clock at %d of %d", p.Node, p.BeatAt, p.Since, p.Running, g.Clock.Running)
		}
	}
	seen := map[string]bool{}
	for _, s := range g.Shortfalls {
		if !blocks[s.Cid] || seen[s.Cid] {
			return ErrInvalidGenesis.Wrapf("shortfall of object %q, which is unknown or named twice", s.Cid)
		}
		seen[s.Cid] = true
		if s.Standing < STANDING_PLACING || s.Standing > STANDING_UNRECOVERABLE {
			return ErrInvalidGenesis.Wrapf("shortfall of object %q: standing %d", s.Cid, s.Standing)
		}
	}
	for _, s := range g.Sweeps {
		if s.List < 1 || s.List > maxList {
			return ErrInvalidGenesis.Wrapf("sweep of list %d", s.List)
		}
		if len(s.After) > 0 {
			if _, err := lock.CIDFromBytes(s.After); err != nil {
				return ErrInvalidGenesis.Wrapf("sweep of list %d of node %d: %v", s.List, s.Node, err)
			}
		}
	}
	return nil
}

// Validate answers ErrInvalidCID or ErrInvalidPlacement for an object that cannot be.
func (o Object) Validate() error {
	if _, err := lock.ParseCID(o.Cid); err != nil {
		return ErrInvalidCID.Wrap(err.Error())
	}
	if err := validateAttached(o.Cid, o.Attached); err != nil {
		return err
	}
	if err := validateKey(o.Cid, o.Key); err != nil {
		return err
	}
	if o.Size_ < 1 || o.Size_ > maxSize || o.Origin == 0 || o.PlacedAt < 0 {
		return ErrInvalidPlacement.Wrapf("size %d, origin %d, placed at %d", o.Size_, o.Origin, o.PlacedAt)
	}
	if o.Minimum < 1 || o.Target < o.Minimum {
		return ErrInvalidPlacement.Wrapf("minimum %d, target %d", o.Minimum, o.Target)
	}
	return nil
}

// validateCopies checks that an object's copies are on distinct nodes, by number.
func validateCopies(copies []Copy) error {
	if len(copies) == 0 {
		return ErrInvalidPlacement.Wrap("no copies")
	}
	var last uint64
	for _, c := range copies {
		if c.Node <= last {
			return ErrInvalidPlacement.Wrapf("node %d after node %d", c.Node, last)
		}
		last = c.Node
		switch c.Status {
		case COPY_STATUS_ASSIGNED, COPY_STATUS_HELD, COPY_STATUS_LOST:
		default:
			return ErrInvalidPlacement.Wrapf("node %d: status %d", c.Node, c.Status)
		}
		if c.Since < 0 {
			return ErrInvalidPlacement.Wrapf("node %d: since %d", c.Node, c.Since)
		}
	}
	return nil
}
