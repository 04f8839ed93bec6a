package lock

import (
	"fmt"
	"slices"
)

// Receiver is a member that gets a share in a round.
type Receiver struct {
	Number uint64    // member number, 1 … 2^32−1
	Key    PublicKey // round key, for this round alone
}

// Round is one attempt to make a key's shares: the first of a generation where OldThreshold is 0, by all receivers together, else a
// reshare by the confirmed holders of the old epoch.
type Round struct {
	Network      Network
	Kind         KeyKind
	Generation   uint64 // from 1
	Epoch        uint64 // the new share epoch, from 1
	Attempt      uint64 // from 1
	OldThreshold uint64 // t_old; 0 in the first round of a generation
	Threshold    uint64 // t_new
	Dealers      []uint64
	Receivers    []Receiver
}

// Validate returns an error that is ErrField or ErrKey where a field is not allowed: lists ascending and distinct, 1 ≤ t_new ≤ receivers,
// t_old ≤ dealers, and in the first round the dealers are the receivers.
func (r Round) Validate() error {
	for _, err := range []error{r.Kind.Check(), checkNumber("generation", r.Generation), checkNumber("share epoch", r.Epoch),
		checkNumber("attempt", r.Attempt), checkAscending("dealer", r.Dealers), checkAscending("receiver", r.Numbers())} {
		if err != nil {
			return err
		}
	}
	for _, to := range r.Receivers {
		if to.Key == (PublicKey{}) {
			return fmt.Errorf("receiver %d has no round key: %w", to.Number, ErrKey)
		}
	}
	switch {
	case r.Threshold < 1 || r.Threshold > uint64(len(r.Receivers)):
		return fmt.Errorf("threshold %d of %d receivers: %w", r.Threshold, len(r.Receivers), ErrField)
	case r.OldThreshold > uint64(len(r.Dealers)):
		return fmt.Errorf("old threshold %d of %d dealers: %w", r.OldThreshold, len(r.Dealers), ErrField)
	case r.IsFirst() && !slices.Equal(r.Dealers, r.Numbers()):
		return fmt.Errorf("dealers of a first round are not its receivers: %w", ErrField)
	}
	return nil
}

// IsFirst tells whether this is the first round of a generation, else it is a reshare.
func (r Round) IsFirst() bool { return r.OldThreshold == 0 }

// Numbers are the receivers' member numbers.
func (r Round) Numbers() []uint64 {
	numbers := make([]uint64, len(r.Receivers))
	for i, to := range r.Receivers {
		numbers[i] = to.Number
	}
	return numbers
}

// Hash is ρ, which every message of the round names (docs/custody.md, appendix A), or the error of Validate.
func (r Round) Hash() ([64]byte, error) {
	if err := r.Validate(); err != nil {
		return [64]byte{}, err
	}
	fields := [][]byte{r.Network[:], Uint(uint64(r.Kind)), Uint(r.Generation), Uint(r.Epoch), Uint(r.Attempt), Uint(r.OldThreshold),
		Uint(r.Threshold), Uint(uint64(len(r.Dealers)))}
	for _, dealer := range r.Dealers {
		fields = append(fields, Uint(dealer))
	}
	fields = append(fields, Uint(uint64(len(r.Receivers))))
	for _, to := range r.Receivers {
		fields = append(fields, Uint(to.Number), []byte(to.Key.b))
	}
	return H("phrd/v1/round", fields...), nil
}

func checkAscending(name string, numbers []uint64) error {
	for i, n := range numbers {
		if err := checkIndex(name, n); err != nil {
			return err
		}
		if i > 0 && numbers[i-1] >= n {
			return fmt.Errorf("%s %d after %d: %w", name, n, numbers[i-1], ErrField)
		}
	}
	return nil
}
