package lock

import (
	"fmt"
	"io"
)

// Dealt is a key that one party dealt: it could have kept it, which is said wherever such a key is shown. A round that deals made
// together takes its place.
type Dealt struct {
	X       Point
	Holders []Holder      // ascending
	Shares  []SecretShare // of the holders, in their order; secret
}

// Deal makes a key and its shares for the members of these numbers, ascending and distinct. The error is ErrField for a threshold that is
// not 1 … len(indexes) or indexes that are not allowed, else that of random.
func Deal(threshold uint64, indexes []uint64, random io.Reader) (*Dealt, error) {
	if threshold < 1 || threshold > uint64(len(indexes)) {
		return nil, fmt.Errorf("threshold %d of %d: %w", threshold, len(indexes), ErrField)
	}
	if err := checkAscending("index", indexes); err != nil {
		return nil, err
	}
	for {
		p, err := NewPolynomial(threshold, random)
		if err != nil {
			return nil, err
		}
		if dealt := p.deal(indexes); dealt != nil {
			return dealt, nil
		}
	}
}

// deal returns nil where a share is zero, and another polynomial must be drawn.
func (p *Polynomial) deal(indexes []uint64) *Dealt {
	dealt := &Dealt{X: p.Secret().Public()}
	for _, index := range indexes {
		value, err := p.Share(index)
		if err != nil {
			return nil
		}
		dealt.Shares = append(dealt.Shares, SecretShare{Index: index, Value: value})
		dealt.Holders = append(dealt.Holders, Holder{Index: index, X: value.Public()})
	}
	return dealt
}
