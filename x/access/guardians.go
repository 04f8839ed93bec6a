package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

const (
	daysWord    = " days"
	secondsWord = " seconds"
)

// DelayText is a delay as a wallet shows it: whole days where it is that, else seconds.
func DelayText(seconds uint64) string {
	if seconds > 0 && seconds%secondsOfDay == 0 {
		return strconv.FormatUint(seconds/secondsOfDay, 10) + daysWord
	}
	return strconv.FormatUint(seconds, 10) + secondsWord
}

// ParseDelay reads a delay in the one form in which DelayText writes it, up to MaxRecoveryDelay. It
// answers ErrInvalidGuardians.
func ParseDelay(text string) (uint64, error) {
	digits, unit := strings.TrimSuffix(text, secondsWord), uint64(1)
	if days, ok := strings.CutSuffix(text, daysWord); ok {
		digits, unit = days, secondsOfDay
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 || n*unit > MaxRecoveryDelay || DelayText(n*unit) != text {
		return 0, ErrInvalidGuardians.Wrapf("delay %q: want %q or %q, at most %q", text, "7"+daysWord, "90"+secondsWord, DelayText(MaxRecoveryDelay))
	}
	return n * unit, nil
}

// Named is what the message says of the owner's guardians, without the patient, the vault and
// the time. It answers ErrInvalidGuardians, ErrInvalidPoint, ErrInvalidProof or ErrInvalidCID where a field is
// malformed.
func (m *MsgSetGuardians) Named() (Guardians, error) {
	delay, err := ParseDelay(m.Delay)
	if err != nil {
		return Guardians{}, err
	}
	g := Guardians{
		Owner: m.Owner, Slot: m.Slot, Revision: m.Revision, Generation: m.Generation, Threshold: m.Threshold, Guardians: m.Guardians,
		Commitments: m.Commitments, U: m.U, UBar: m.UBar, Proof: m.Proof, Shares: m.Shares, Delay: delay,
	}
	return g, g.validate()
}

// validate says what is malformed of what a message gives.
func (g *Guardians) validate() error {
	n := len(g.Guardians)
	switch {
	case n < MinGuardians || n > MaxGuardians:
		return ErrInvalidGuardians.Wrapf("got %d, want %d to %d", n, MinGuardians, MaxGuardians)
	case g.Threshold < MinGuardians || int(g.Threshold) > n:
		return ErrInvalidGuardians.Wrapf("threshold %d of %d: want at least %d", g.Threshold, n, MinGuardians)
	case !isNumber(g.Revision) || !isNumber(g.Generation):
		return ErrInvalidGuardians.Wrapf("revision %d, generation %d", g.Revision, g.Generation)
	case g.Delay < 1 || g.Delay > MaxRecoveryDelay:
		return ErrInvalidGuardians.Wrapf("delay of %d seconds", g.Delay)
	case len(g.Proof) != proofSize:
		return ErrInvalidProof.Wrapf("got %d bytes, want %d", len(g.Proof), proofSize)
	}
	for i, number := range g.Guardians {
		if _, err := lock.ParseCanonicalID(number); err != nil {
			return ErrInvalidGuardians.Wrapf("guardian %d: %v", i+1, err)
		}
		if slices.Contains(g.Guardians[:i], number) {
			return ErrInvalidGuardians.Wrapf("guardian %q is named twice", number)
		}
	}
	if _, err := lock.ParseCanonicalID(g.Slot); err != nil {
		return ErrInvalidGuardians.Wrapf("slot: %v", err)
	}
	if _, err := lock.ParseCommitments(uint64(g.Threshold), g.Commitments); err != nil {
		return ErrInvalidPoint.Wrapf("commitments: %v", err)
	}
	if _, err := lock.ParseEncapsulation(g.U); err != nil {
		return ErrInvalidPoint.Wrapf("U: %v", err)
	}
	if _, err := lock.ParsePoint(g.UBar); err != nil {
		return ErrInvalidPoint.Wrapf("second point: %v", err)
	}
	if _, err := lock.ParseRawCID(g.Shares); err != nil {
		return ErrInvalidCID.Wrapf("shares: %v", err)
	}
	return nil
}

// validateWhole is validate with what the chain has added.
func (g *Guardians) validateWhole() error {
	if err := g.validate(); err != nil {
		return err
	}
	for _, text := range []string{g.Patient, g.Vault} {
		if _, err := lock.ParseCanonicalID(text); err != nil {
			return ErrInvalidGuardians.Wrapf("patient or vault: %v", err)
		}
	}
	if _, err := sdk.AccAddressFromBech32(g.Owner); err != nil {
		return ErrInvalidGuardians.Wrapf("owner: %v", err)
	}
	return nil
}

// Statement is what the proof of the guardians' slot speaks for, where publicKey is the network's
// key of kind 3 and of their generation. Guardians who are malformed have an error that
// is ErrInvalidGuardians.
func (g *Guardians) Statement(network lock.Network, publicKey []byte) (lock.GuardianSlot, error) {
	statement, err := g.statement(network, publicKey)
	if err != nil {
		return statement, ErrInvalidGuardians.Wrap(err.Error())
	}
	return statement, nil
}

func (g *Guardians) statement(network lock.Network, publicKey []byte) (s lock.GuardianSlot, err error) {
	x, err := lock.ParsePoint(publicKey)
	if err != nil {
		return s, fmt.Errorf("network key: %w", err)
	}
	if s.Generation, err = (lock.Generation{Network: network, Kind: lock.KeyGuardians, Number: g.Generation, X: x}).Hash(); err != nil {
		return s, err
	}
	vault, err := lock.ParseCanonicalID(g.Vault)
	if err != nil {
		return s, fmt.Errorf("vault: %w", err)
	}
	slot, err := lock.ParseCanonicalID(g.Slot)
	if err != nil {
		return s, fmt.Errorf("slot: %w", err)
	}
	if s.Context, err = lock.GuardianContext(network, vault, slot, g.Revision, s.Generation); err != nil {
		return s, err
	}
	if s.U, err = lock.ParseEncapsulation(g.U); err != nil {
		return s, err
	}
	if s.UBar, err = lock.ParsePoint(g.UBar); err != nil {
		return s, err
	}
	if s.A0, err = lock.ParsePoint(g.Commitments[0]); err != nil {
		return s, err
	}
	signer, err := sdk.AccAddressFromBech32(g.Owner)
	if err != nil || len(signer) != len(s.Signer) {
		return s, fmt.Errorf("owner %q is no account of 20 bytes: %w", g.Owner, err)
	}
	s.Signer = [20]byte(signer)
	return s, nil
}
