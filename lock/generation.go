package lock

import "sync"

// Generation names one of the network's keys: kinds have generations, each with a public key X that reshares keep.
type Generation struct {
	Network Network
	Kind    KeyKind
	Number  uint64 // from 1
	X       Point
}

// Hash is gen (docs/custody.md, appendix A). The error is ErrField or ErrPoint.
func (g Generation) Hash() ([64]byte, error) {
	if err := g.Kind.Check(); err != nil {
		return [64]byte{}, err
	}
	if err := checkNumber("generation", g.Number); err != nil {
		return [64]byte{}, err
	}
	if err := g.X.check("public key"); err != nil {
		return [64]byte{}, err
	}
	return H("phrd/v1/generation", g.Network[:], Uint(uint64(g.Kind)), Uint(g.Number), g.X.Bytes()), nil
}

// keptGenerators is how many second generators are kept; a network has one for each key that it ever made.
const keptGenerators = 64

// secondGenerators keeps second generators, for making one takes an eighth of the check of a proof. They are public.
var secondGenerators struct {
	sync.RWMutex
	of map[[64]byte]Point
}

// SecondGenerator is Ḡ of a generation, a point whose logarithm nobody knows. Its argument is gen.
func SecondGenerator(generation [64]byte) Point {
	kept := &secondGenerators
	kept.RLock()
	p, known := kept.of[generation]
	kept.RUnlock()
	if known {
		return p
	}
	p = HashToGroup(generation[:]).encoded()
	kept.Lock()
	defer kept.Unlock()
	if kept.of == nil || len(kept.of) == keptGenerators {
		kept.of = make(map[[64]byte]Point, keptGenerators)
	}
	kept.of[generation] = p
	return p
}
