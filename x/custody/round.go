package custody

import (
	"fmt"
	"slices"

	"github.com/phrd/phrd/lock"
)

// RoundHash names a round: ρ of docs/custody.md, appendix A.
type RoundHash [64]byte

// IsRunning says whether the round makes shares that are not in force yet.
func (r Round) IsRunning() bool { return r.Phase != ROUND_PHASE_DONE }

// IsFirst says whether the round makes a new key, else it renews the shares of one.
func (r Round) IsFirst() bool { return r.ShareEpoch == 1 }

// Faults is how many of n hospitals may misbehave, f = floor((n-1)/3).
func Faults(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return (n - 1) / 3
}

// Confirmations is how many of n holders must have proved possession before their
// shares are in force: max(t, n-f).
func Confirmations(threshold, n uint64) uint64 { return max(threshold, n-Faults(n)) }

// what a round waits for in each phase, for people.
var phaseTexts = map[RoundPhase]string{
	ROUND_PHASE_KEYS: "round keys", ROUND_PHASE_DEALS: "deals", ROUND_PHASE_COMPLAINTS: "checks of the deals",
	ROUND_PHASE_JUSTIFICATIONS: "answers to complaints", ROUND_PHASE_CONFIRMATIONS: "confirmations",
}

// Progress says for people where a round stands, such as "round 1, 3 of 4 deals".
func (r Round) Progress() string {
	if !r.IsRunning() {
		return fmt.Sprintf("round %d, done", r.Attempt)
	}
	return fmt.Sprintf("round %d, %d of %d %s", r.Attempt, r.Received, r.Awaited, phaseTexts[r.Phase])
}

// Lock is the round for lock, with the round keys of its receivers in their order.
func (r Round) Lock(network lock.Network, keys [][]byte) (lock.Round, error) {
	made := lock.Round{
		Network: network, Kind: lock.KeyKind(r.Kind), Generation: r.Generation, Epoch: r.ShareEpoch, Attempt: r.Attempt,
		OldThreshold: r.OldThreshold, Threshold: r.Threshold, Dealers: r.Dealers,
	}
	if len(keys) != len(r.Receivers) {
		return made, fmt.Errorf("%d round keys for %d receivers", len(keys), len(r.Receivers))
	}
	for i, number := range r.Receivers {
		key, err := lock.ParsePublicKey(keys[i])
		if err != nil {
			return made, fmt.Errorf("round key of %d: %w", number, err)
		}
		made.Receivers = append(made.Receivers, lock.Receiver{Number: number, Key: key})
	}
	return made, made.Validate()
}

// Validate answers ErrInvalidRound for a round that cannot be one before its first
// deal, which is all that a genesis may hold: in ROUND_PHASE_KEYS, or in
// ROUND_PHASE_DEALS as the first round of a key, whose receivers are its dealers.
func (r Round) Validate() error {
	if !r.Kind.IsValid() || !isCount(r.Generation) || !isCount(r.ShareEpoch) || !isCount(r.Attempt) {
		return ErrInvalidRound.Wrapf("kind %d, generation %d, share epoch %d, attempt %d", r.Kind, r.Generation, r.ShareEpoch, r.Attempt)
	}
	if r.StartedAt < 0 || r.EndsAt < 0 || r.Received > r.Awaited || r.Awaited > MaxHolders || len(r.PublicKey) != 0 || len(r.Qualified) != 0 {
		return ErrInvalidRound.Wrapf("started at %d, ends at %d, %d of %d", r.StartedAt, r.EndsAt, r.Received, r.Awaited)
	}
	n := len(r.Receivers)
	switch r.Phase {
	case ROUND_PHASE_KEYS:
		if n != 0 || len(r.Dealers) != 0 || len(r.Hash) != 0 || r.Threshold != 0 {
			return ErrInvalidRound.Wrap("receivers before their keys are known")
		}
	case ROUND_PHASE_DEALS:
		if !r.IsFirst() || r.OldThreshold != 0 || r.Received != 0 || r.EndsAt != 0 || n < 1 || n > MaxHolders || !slices.Equal(r.Dealers, r.Receivers) ||
			r.Awaited != uint64(n) || r.Threshold != Threshold(r.Kind, uint64(n)) || r.Threshold > r.Awaited || len(r.Hash) != len(RoundHash{}) {
			return ErrInvalidRound.Wrapf("%d dealers, %d receivers, threshold %d", len(r.Dealers), n, r.Threshold)
		}
	default:
		return ErrInvalidRound.Wrapf("phase %d", r.Phase)
	}
	return nil
}

// Begin is the first round of a new key in which these members take part, given with
// the round keys that they declared: it waits for their deals.
func Begin(network lock.Network, kind KeyKind, members []uint64, keys [][]byte, at int64) (Round, []RoundKey, error) {
	n := uint64(len(members))
	r := Round{
		Kind: kind, Generation: 1, ShareEpoch: 1, Attempt: 1, Phase: ROUND_PHASE_DEALS, Threshold: Threshold(kind, n),
		Dealers: members, Receivers: members, StartedAt: at, Awaited: n,
	}
	checked, err := r.Lock(network, keys)
	if err != nil {
		return r, nil, ErrInvalidRound.Wrap(err.Error())
	}
	hash, err := checked.Hash()
	if err != nil {
		return r, nil, ErrInvalidRound.Wrap(err.Error())
	}
	r.Hash = hash[:]
	published := make([]RoundKey, n)
	for i, member := range members {
		published[i] = RoundKey{Kind: kind, Generation: 1, Member: member, Key: keys[i]}
	}
	return r, published, r.Validate()
}

// Validate answers ErrInvalidRound for a round key that cannot be.
func (k RoundKey) Validate() error {
	if !k.Kind.IsValid() || !isCount(k.Generation) || k.Member < 1 || k.Member > maxIndex {
		return ErrInvalidRound.Wrapf("kind %d, generation %d, member %d", k.Kind, k.Generation, k.Member)
	}
	if _, err := lock.ParsePublicKey(k.Key); err != nil {
		return ErrInvalidRound.Wrapf("round key: %v", err)
	}
	return nil
}

// checkNamed answers ErrInvalidRound unless the three name a round.
func checkNamed(kind KeyKind, generation uint64, hash []byte) error {
	if !kind.IsValid() || !isCount(generation) || len(hash) != len(RoundHash{}) {
		return ErrInvalidRound.Wrapf("kind %d, generation %d, round of %d bytes", kind, generation, len(hash))
	}
	return nil
}

// Validate answers ErrInvalidRound for a malformed message.
func (m *MsgPublishRoundKey) Validate() error {
	if !isCount(m.ShareEpoch) || !isCount(m.Attempt) {
		return ErrInvalidRound.Wrapf("share epoch %d, attempt %d", m.ShareEpoch, m.Attempt)
	}
	return RoundKey{Kind: m.Kind, Generation: m.Generation, Member: 1, Key: m.Key}.Validate()
}

// Begins says whether the message is the first of its deal.
func (m *MsgSubmitDeal) Begins() bool { return len(m.Commitments) != 0 || len(m.Knowledge) != 0 }

// Validate answers ErrInvalidRound for a malformed message. Whether the deal is right
// is for the handler to say: a wrong one is refused and noted.
func (m *MsgSubmitDeal) Validate() error {
	if err := checkNamed(m.Kind, m.Generation, m.Round); err != nil {
		return err
	}
	if m.Begins() && (len(m.Commitments) < 1 || len(m.Commitments) > MaxHolders || len(m.Knowledge) != lock.WitnessSize) {
		return ErrInvalidRound.Wrapf("%d commitments, proof of %d bytes", len(m.Commitments), len(m.Knowledge))
	}
	if n := len(m.Shares); n > MaxSubShares || n == 0 && !m.Begins() {
		return ErrInvalidRound.Wrapf("got %d sub-shares, want 1 to %d", n, MaxSubShares)
	}
	for i, s := range m.Shares {
		if s.Receiver < 1 || s.Receiver > maxIndex || i > 0 && s.Receiver <= m.Shares[i-1].Receiver {
			return ErrInvalidRound.Wrapf("receiver %d", s.Receiver)
		}
		if len(s.Sealed) != sealedSize {
			return ErrInvalidRound.Wrapf("sub-share for %d: got %d bytes, want %d", s.Receiver, len(s.Sealed), sealedSize)
		}
	}
	return nil
}

// Validate answers ErrInvalidRound for a malformed message.
func (m *MsgSubmitComplaint) Validate() error {
	if err := checkNamed(m.Kind, m.Generation, m.Round); err != nil {
		return err
	}
	if len(m.Dealers) > MaxHolders {
		return ErrInvalidRound.Wrapf("got %d dealers, want at most %d", len(m.Dealers), MaxHolders)
	}
	for i, d := range m.Dealers {
		if d < 1 || d > maxIndex || i > 0 && d <= m.Dealers[i-1] {
			return ErrInvalidRound.Wrapf("dealer %d", d)
		}
	}
	return nil
}

// Validate answers ErrInvalidRound for a malformed message.
func (m *MsgSubmitJustification) Validate() error {
	if err := checkNamed(m.Kind, m.Generation, m.Round); err != nil {
		return err
	}
	if n := len(m.Answers); n < 1 || n > MaxHolders {
		return ErrInvalidRound.Wrapf("got %d answers, want 1 to %d", n, MaxHolders)
	}
	for i, a := range m.Answers {
		if a.Receiver < 1 || a.Receiver > maxIndex || i > 0 && a.Receiver <= m.Answers[i-1].Receiver {
			return ErrInvalidRound.Wrapf("receiver %d", a.Receiver)
		}
		if len(a.SubShare) != lock.ScalarSize {
			return ErrInvalidRound.Wrapf("sub-share for %d: got %d bytes, want %d", a.Receiver, len(a.SubShare), lock.ScalarSize)
		}
	}
	return nil
}

// Validate answers ErrInvalidRound for a malformed message.
func (m *MsgConfirmShare) Validate() error {
	if err := checkNamed(m.Kind, m.Generation, m.Round); err != nil {
		return err
	}
	if len(m.Possession) != lock.WitnessSize {
		return ErrInvalidRound.Wrapf("proof of %d bytes, want %d", len(m.Possession), lock.WitnessSize)
	}
	return nil
}
