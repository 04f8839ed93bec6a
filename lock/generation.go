package lock

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

// SecondGenerator is Ḡ of a generation, a point whose logarithm nobody knows. Its argument is gen.
func SecondGenerator(generation [64]byte) Point { return HashToGroup(generation[:]) }
