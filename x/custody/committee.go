package custody

import (
	"fmt"
	"slices"

	"github.com/phrd/phrd/lock"
)

// one is the scalar 1 in its encoding.
var one = append([]byte{1}, make([]byte, lock.ScalarSize-1)...)

// checkCommittee answers an error unless the holders of the key's active epoch are
// its committee: distinct indexes, confirmed at least threshold many, a threshold
// that fits their number, and public shares any threshold of which give the key.
//
// The last holds if the first t-1 shares together with each of the others, one
// after another, interpolate to X: t-1 shares and X fix the polynomial, and so
// every other share lies on it.
func checkCommittee(k Key, holders []Holder) error {
	n := uint64(len(holders))
	if n < 1 || n > MaxHolders {
		return fmt.Errorf("got %d holders, want 1 to %d", n, MaxHolders)
	}
	least := Threshold(k.Kind, n)
	if k.Threshold < least || k.Threshold > n || k.isAsDealt() && k.Threshold != least {
		return fmt.Errorf("threshold %d of %d holders, want %d", k.Threshold, n, least)
	}
	var confirmed uint64
	shares := make([]lock.Holder, n)
	for i, h := range holders {
		if i > 0 && h.Index <= holders[i-1].Index {
			return fmt.Errorf("index %d after index %d", h.Index, holders[i-1].Index)
		}
		if h.Confirmed {
			confirmed++
		}
		x, err := lock.ParsePoint(h.PublicShare)
		if err != nil {
			return fmt.Errorf("holder %d: %w", h.Index, err)
		}
		shares[i] = lock.Holder{Index: h.Index, X: x}
	}
	if confirmed < k.Threshold || k.isAsDealt() && confirmed != n {
		return fmt.Errorf("%d of %d holders confirmed, threshold %d", confirmed, n, k.Threshold)
	}
	public, err := lock.ParsePoint(k.PublicKey)
	if err != nil {
		return err
	}
	return checkShares(public, shares[:k.Threshold-1], shares[k.Threshold-1:])
}

// isAsDealt says whether the shares are still those that the dealer made.
func (k Key) isAsDealt() bool { return k.Origin == ORIGIN_DEALT && k.ShareEpoch == 1 }

// checkShares answers an error unless the first shares together with each of the
// others interpolate to the key. The weight of a share at 0 over a set is the
// product of its weights over the pairs, so each share of the first is weighted for
// its set once.
func checkShares(public lock.Point, first, others []lock.Holder) error {
	weighted := make([]lock.Holder, len(first))
	for i, h := range first {
		x, err := weigh(h, append(slices.Clone(first[:i]), first[i+1:]...))
		if err != nil {
			return err
		}
		weighted[i] = lock.Holder{Index: h.Index, X: x}
	}
	for _, last := range others {
		sum, err := weigh(last, first)
		if err != nil {
			return err
		}
		for _, h := range weighted {
			x, err := weigh(h, []lock.Holder{last})
			if err != nil {
				return err
			}
			sum = sum.Add(x)
		}
		if !sum.Equal(public) {
			return fmt.Errorf("the public share of holder %d does not fit the key", last.Index)
		}
	}
	return nil
}

// weigh multiplies a holder's point by its Lagrange weight at 0 among the others.
func weigh(h lock.Holder, others []lock.Holder) (lock.Point, error) {
	unit, err := lock.ParseScalar(one)
	if err != nil {
		return lock.Point{}, err
	}
	x := h.X
	for _, other := range others {
		// The line that is 1 at the holder and 0 at the other.
		weight, err := lock.Interpolate([]lock.SecretShare{{Index: h.Index, Value: unit}, {Index: other.Index}})
		if err != nil {
			return lock.Point{}, err
		}
		x = x.Mul(weight)
	}
	return x, nil
}
