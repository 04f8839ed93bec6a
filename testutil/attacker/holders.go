package attacker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/phrd/phrd/lock"
)

// ErrRefused says that honest holders do not take what the attacker sends.
var ErrRefused = errors.New("holders refuse")

// Holders are the hospitals that keep to the rules, all of them at once, as an oracle:
// they take every version with a fresh U and a proof, and answer every approved proposal
// with a proof. Nothing here lies in the attacker's hands but what they return.
type Holders struct {
	network  lock.Network
	key      lock.Generation
	epoch    uint64
	shares   []lock.SecretShare
	seen     map[string]bool // every U, B and rk CID ever
	approved [][32]byte
	own      []lock.Point // the U that the attacker stored for itself
}

// Store takes a version, as the chain does.
func (h *Holders) Store(v lock.LockedVersion, proof []byte) error {
	gen, err := h.key.Hash()
	if err != nil {
		return err
	}
	if v.Generation != gen {
		return fmt.Errorf("%w: another generation", ErrRefused)
	}
	if err := v.Verify(proof); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if h.seen[string(v.U.Bytes())] {
		return fmt.Errorf("%w: U was seen before", ErrRefused)
	}
	h.seen[string(v.U.Bytes())] = true
	return nil
}

// StoreOwn is Store of a version that belongs to the attacker, which therefore approves
// every unlock of it: Answer needs no other approval.
func (h *Holders) StoreOwn(v lock.LockedVersion, proof []byte) error {
	if err := h.Store(v, proof); err != nil {
		return err
	}
	h.own = append(h.own, v.U)
	return nil
}

// Answer gives every holder's share for a proposal that is approved: by the patient, or
// by the attacker for what is its own.
func (h *Holders) Answer(p lock.Proposal, proof []byte) (lock.Release, []lock.Share, error) {
	if err := p.Verify(proof); err != nil {
		return lock.Release{}, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, key := range []string{string(p.B.Bytes()), string(p.RequestKeyCID[:])} {
		if h.seen[key] {
			return lock.Release{}, nil, fmt.Errorf("%w: B or rk was seen before", ErrRefused)
		}
	}
	if !slices.Contains(h.approved, p.ID()) && !h.ownsAll(p) {
		return lock.Release{}, nil, fmt.Errorf("%w: not approved", ErrRefused)
	}
	h.seen[string(p.B.Bytes())], h.seen[string(p.RequestKeyCID[:])] = true, true
	gen, err := h.key.Hash()
	if err != nil {
		return lock.Release{}, nil, err
	}
	r := lock.Release{Network: h.network, Unlock: p.ID(), Generation: gen}
	for _, v := range p.Versions {
		r.M = append(r.M, v.M)
	}
	var shares []lock.Share
	for _, share := range h.shares {
		s, err := r.NewShare(h.epoch, share.Index, share.Value, rand.Reader)
		if err != nil {
			return lock.Release{}, nil, err
		}
		shares = append(shares, s)
	}
	return r, shares, nil
}

// ownsAll tells whether the attacker stored every U that a proposal asks for.
func (h *Holders) ownsAll(p lock.Proposal) bool {
	for _, v := range p.Versions {
		if !slices.ContainsFunc(h.own, v.U.Equal) {
			return false
		}
	}
	return true
}
