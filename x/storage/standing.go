package storage

// Placed is a copy, with its failure domain and what keeps it from counting.
type Placed struct {
	Copy
	// Domain of the node.
	Domain Domain
	// Lost and Draining are the node's.
	Lost, Draining bool
	// Stuck says that the node has been to fetch the copy for long, and that its disk has no room for it.
	Stuck bool
}

// Stays says whether the node is one that shall keep the object: it is neither lost nor
// being drained.
func (p Placed) Stays() bool { return !p.Lost && !p.Draining }

// Counts says whether the copy is held by a node that shall keep it.
func (p Placed) Counts() bool { return p.Stays() && p.Status == COPY_STATUS_HELD }

// HeldDomains is the number of distinct failure domains with a copy that counts.
func HeldDomains(copies []Placed) uint32 { return distinct(copies, Placed.Counts) }

func distinct(copies []Placed, counts func(Placed) bool) uint32 {
	seen := map[Domain]bool{}
	for _, c := range copies {
		if counts(c) {
			seen[c.Domain] = true
		}
	}
	return uint32(len(seen))
}

// Staying are the domains of the nodes that shall keep the object, whether they hold it
// yet or not. Of a copy that is stuck another domain is to have one, too; whichever comes
// first is kept.
func Staying(copies []Placed) []Domain {
	var stay []Domain
	for _, c := range copies {
		if c.Stays() && !c.Stuck {
			stay = append(stay, c.Domain)
		}
	}
	return stay
}

// Standing is how safe the object is with these copies. An object that is placing has
// never been whole.
func (o Object) Standing(copies []Placed, placing bool) Standing {
	var readable, lost, coming bool
	for _, c := range copies {
		switch c.Status {
		case COPY_STATUS_HELD:
			readable = readable || !c.Lost
			lost = lost || c.Lost
		case COPY_STATUS_LOST:
			lost = true
		case COPY_STATUS_ASSIGNED:
			coming = coming || c.Stays()
		}
	}
	held := HeldDomains(copies)
	switch {
	case held >= o.Target:
		return STANDING_WHOLE
	case lost && !readable:
		return STANDING_UNRECOVERABLE
	case placing && coming && !lost:
		return STANDING_PLACING
	case held < o.Minimum:
		return STANDING_ENDANGERED
	default:
		return STANDING_REPAIRING
	}
}

// Superfluous says which of the object's copies need not be any more: once it is whole,
// all that don't count. What is held beyond the target stays.
func (o Object) Superfluous(copies []Placed) func(Placed) bool {
	whole := HeldDomains(copies) >= o.Target
	return func(p Placed) bool { return whole && !p.Counts() }
}
