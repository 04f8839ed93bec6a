package lock

import (
	"cmp"
	"fmt"
	"slices"
)

// Holder is a member of a share epoch with its public share.
type Holder struct {
	Index uint64 // member number, 1 … 2^32−1
	X     Point  // X_i = x_i·G
}

// Committee is who holds the network's key in one share epoch. The lowest epoch with threshold many valid shares opens, by the shares of
// its lowest indexes; bad shares, and those of nobody in a committee, are skipped.
type Committee struct {
	Epoch     uint64 // from 1
	Threshold uint64 // t, at least 1
	Holders   []Holder
}

// Combined is the network's half of a release's versions and whose shares gave it.
type Combined struct {
	Epoch   uint64
	Indexes []uint64 // ascending
	K       []Point  // in the release's order; secret
}

func (c Committee) holder(index uint64) (Point, bool) {
	for _, h := range c.Holders {
		if h.Index == index {
			return h.X, true
		}
	}
	return Point{}, false
}

// combine follows docs/custody.md, appendix A, combine. The error is ErrShares where no epoch has enough valid shares, and where one
// holder's share of one epoch is there twice.
func combine(b Scalar, r Release, committees []Committee, shares []Share) (Combined, error) {
	chosen, err := choose(committees, shares, func(c Committee, s Share) bool {
		x, known := c.holder(s.Index)
		return known && r.Verify(s, x) == nil
	})
	if err != nil {
		return Combined{}, err
	}
	return join(b, chosen)
}

// choose returns the shares that open, by ascending index.
func choose(committees []Committee, shares []Share, valid func(Committee, Share) bool) ([]Share, error) {
	sorted := slices.SortedFunc(slices.Values(shares), func(s, t Share) int {
		return cmp.Or(cmp.Compare(s.Epoch, t.Epoch), cmp.Compare(s.Index, t.Index))
	})
	for i := 1; i < len(sorted); i++ {
		if s, t := sorted[i-1], sorted[i]; s.Epoch == t.Epoch && s.Index == t.Index {
			return nil, fmt.Errorf("two shares of holder %d in epoch %d: %w", s.Index, s.Epoch, ErrShares)
		}
	}
	byEpoch := slices.SortedFunc(slices.Values(committees), func(c, d Committee) int { return cmp.Compare(c.Epoch, d.Epoch) })
	for i, c := range byEpoch {
		if c.Epoch == 0 || c.Threshold == 0 || i > 0 && byEpoch[i-1].Epoch == c.Epoch {
			return nil, fmt.Errorf("committee of epoch %d with threshold %d: %w", c.Epoch, c.Threshold, ErrField)
		}
		var chosen []Share
		for _, s := range sorted {
			if s.Epoch != c.Epoch || !valid(c, s) {
				continue
			}
			if chosen = append(chosen, s); uint64(len(chosen)) == c.Threshold {
				return chosen, nil
			}
		}
	}
	return nil, fmt.Errorf("%d shares: %w", len(shares), ErrShares)
}

// join is b⁻¹·Σ λ_i·D_i over the chosen shares, for every point of them.
func join(b Scalar, chosen []Share) (Combined, error) {
	if err := b.checkSecret("b"); err != nil {
		return Combined{}, err
	}
	out := Combined{Epoch: chosen[0].Epoch}
	for _, s := range chosen {
		if len(s.D) != len(chosen[0].D) {
			return Combined{}, fmt.Errorf("shares of %d and %d points: %w", len(s.D), len(chosen[0].D), ErrField)
		}
		out.Indexes = append(out.Indexes, s.Index)
	}
	weights, err := lagrange(out.Indexes)
	if err != nil {
		return Combined{}, err
	}
	// Weights and shares stand on the chain for all to see; b and K are secret.
	unblind, points := b.inverse(), make([]Point, len(chosen))
	for k := range chosen[0].D {
		for i, s := range chosen {
			points[i] = s.D[k]
		}
		sum := publicSum(weights, points).Mul(unblind)
		if err := sum.check("K"); err != nil {
			return Combined{}, err
		}
		out.K = append(out.K, sum)
	}
	return out, nil
}

// SecretShare is a value of a polynomial at a member's number, or a guardian's place.
type SecretShare struct {
	Index uint64 // 1 … 2^32−1
	Value Scalar
}

// Interpolate is the value at 0 of the polynomial of degree below len(shares) through the shares. The error is ErrField for an index
// that is out of range or repeated, and for no shares.
func Interpolate(shares []SecretShare) (Scalar, error) {
	indexes := make([]uint64, len(shares))
	for i, s := range shares {
		indexes[i] = s.Index
	}
	weights, err := lagrange(indexes)
	if err != nil {
		return Scalar{}, err
	}
	var sum Scalar
	for i, s := range shares {
		sum = sum.add(weights[i].mul(s.Value))
	}
	return sum, nil
}

// lagrange returns λ_i at 0 over exactly these indexes, in their order.
func lagrange(indexes []uint64) ([]Scalar, error) {
	if len(indexes) == 0 {
		return nil, fmt.Errorf("no indexes: %w", ErrField)
	}
	weights := make([]Scalar, len(indexes))
	for i, at := range indexes {
		if err := checkIndex("index", at); err != nil {
			return nil, err
		}
		above, below := uintScalar(1), uintScalar(1)
		for j, other := range indexes {
			if i == j {
				continue
			}
			if other == at {
				return nil, fmt.Errorf("index %d is repeated: %w", at, ErrField)
			}
			above = above.mul(uintScalar(other))
			below = below.mul(uintScalar(other).sub(uintScalar(at)))
		}
		weights[i] = above.mul(below.inverse())
	}
	return weights, nil
}
