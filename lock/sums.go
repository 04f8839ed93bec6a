package lock

import (
	"cmp"
	"fmt"
	"slices"
)

// Result is what a round gives: the public key, the public shares of its receivers, and whose deals made them.
type Result struct {
	X       Point
	Holders []Holder // every receiver, ascending
	Dealers []uint64 // ascending

	weights []Scalar // of the dealers; 1 in a first round
}

// Sum gives the result of a first round from the dealings of its qualified dealers, at least threshold many. The error is ErrRound where
// there is no result, and that of Validate or CheckDealing for what should not have come here.
func (r Round) Sum(qualified []Dealing) (Result, error) {
	if !r.IsFirst() {
		return Result{}, fmt.Errorf("a reshare is not summed without the old shares: %w", ErrField)
	}
	dealings, err := r.sorted(qualified, nil)
	if err != nil {
		return Result{}, err
	}
	if uint64(len(dealings)) < r.Threshold {
		return Result{}, fmt.Errorf("%d of %d dealers: %w", len(dealings), r.Threshold, ErrRound)
	}
	weights := make([]Scalar, len(dealings))
	for i := range weights {
		weights[i] = uintScalar(1)
	}
	return r.sum(dealings, weights)
}

// SumReshare gives the result of a reshare of X from the old holders' public shares and the dealings of the qualified dealers, of which
// the t_old lowest count. X stays. Errors are as for Sum.
func (r Round) SumReshare(x Point, old []Holder, qualified []Dealing) (Result, error) {
	if r.IsFirst() {
		return Result{}, fmt.Errorf("a first round has no old shares: %w", ErrField)
	}
	dealings, err := r.sorted(qualified, old)
	if err != nil {
		return Result{}, err
	}
	if uint64(len(dealings)) < r.OldThreshold {
		return Result{}, fmt.Errorf("%d of %d dealers: %w", len(dealings), r.OldThreshold, ErrRound)
	}
	dealings = dealings[:r.OldThreshold]
	indexes := make([]uint64, len(dealings))
	for i, d := range dealings {
		indexes[i] = d.Dealer
	}
	weights, err := lagrange(indexes)
	if err != nil {
		return Result{}, err
	}
	result, err := r.sum(dealings, weights)
	if err != nil {
		return Result{}, err
	}
	if !result.X.Equal(x) {
		return Result{}, fmt.Errorf("the public key would change: %w", ErrRound)
	}
	return result, nil
}

// sorted checks the dealings and returns them by ascending dealer.
func (r Round) sorted(dealings []Dealing, old []Holder) ([]Dealing, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	sorted := slices.SortedFunc(slices.Values(dealings), func(a, b Dealing) int { return cmp.Compare(a.Dealer, b.Dealer) })
	for i, d := range sorted {
		if i > 0 && sorted[i-1].Dealer == d.Dealer {
			return nil, fmt.Errorf("two dealings of dealer %d: %w", d.Dealer, ErrField)
		}
		if err := r.CheckDealing(d, old); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

// sum joins the dealings to one polynomial's commitments, whose values at 0 and at the receivers are X and the X_j.
func (r Round) sum(dealings []Dealing, weights []Scalar) (Result, error) {
	result := Result{weights: weights}
	for _, d := range dealings {
		result.Dealers = append(result.Dealers, d.Dealer)
	}
	// Weights and commitments stand on the chain for all to see.
	joined, points := make(Commitments, r.Threshold), make([]Point, len(dealings))
	for k := range joined {
		for i, d := range dealings {
			points[i] = d.Commitments[k]
		}
		joined[k] = publicSum(weights, points)
	}
	result.X = joined[0]
	if result.X.IsIdentity() {
		return Result{}, fmt.Errorf("the public key is the identity: %w", ErrRound)
	}
	for _, number := range r.Numbers() {
		h := Holder{Index: number, X: joined.At(number)}
		if h.X.IsIdentity() {
			return Result{}, fmt.Errorf("the public share of %d is the identity: %w", number, ErrRound)
		}
		result.Holders = append(result.Holders, h)
	}
	return result, nil
}

// SubShare is what a receiver got from one dealer.
type SubShare struct {
	Dealer uint64
	Value  Scalar
}

// Share gives a receiver's new share from the sub-shares it got, of which those of the result's dealers count. The error is ErrShare where
// one is missing or the share does not fit its public share, and ErrField for who is no receiver.
func (r Result) Share(receiver uint64, got []SubShare) (SecretShare, error) {
	x, known := Committee{Holders: r.Holders}.holder(receiver)
	if !known {
		return SecretShare{}, fmt.Errorf("%d is no receiver of the round: %w", receiver, ErrField)
	}
	share := SecretShare{Index: receiver}
	for i, dealer := range r.Dealers {
		at := slices.IndexFunc(got, func(s SubShare) bool { return s.Dealer == dealer })
		if at < 0 {
			return SecretShare{}, fmt.Errorf("no sub-share of dealer %d: %w", dealer, ErrShare)
		}
		share.Value = share.Value.add(r.weights[i].mul(got[at].Value))
	}
	if !share.Value.Public().Equal(x) {
		return SecretShare{}, fmt.Errorf("new share of %d: %w", receiver, ErrShare)
	}
	return share, nil
}
