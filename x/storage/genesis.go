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

// Held counts the copies that are held.
func Held(copies []Copy) uint32 {
	var held uint32
	for _, c := range copies {
		if c.Status == COPY_STATUS_HELD {
			held++
		}
	}
	return held
}
