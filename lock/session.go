package lock

import (
	"crypto/hkdf"
	"crypto/sha512"
	"fmt"
	"io"
)

// Session is the requester's side of one unlock: a one-time key that receives the owner's half and a scalar b that blinds the network's.
// Everything follows from a seed, which the clinician's program keeps to itself and deletes after use.
type Session struct {
	seed [SeedSize]byte
	key  *PrivateKey
	b    Scalar
	pub  Point
}

// NewSession makes the session of a 32-byte seed. The error is ErrKey for another length and ErrScalar for a seed that gives b = 0 or
// b = 1, in whose place another must be drawn.
func NewSession(seed []byte) (*Session, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("session seed of %d bytes, not %d: %w", len(seed), SeedSize, ErrKey)
	}
	keySeed, err := hkdf.Key(sha512.New, seed, nil, "phrd/v1/rk", SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive session key: %w", err)
	}
	defer clear(keySeed)
	wide, err := hkdf.Key(sha512.New, seed, nil, "phrd/v1/b", 64)
	if err != nil {
		return nil, fmt.Errorf("derive session scalar: %w", err)
	}
	defer clear(wide)
	key, err := NewPrivateKey(keySeed)
	if err != nil {
		return nil, err
	}
	s := &Session{seed: [SeedSize]byte(seed), key: key, b: reduce([64]byte(wide))}
	s.pub = s.b.Public().encoded()
	if s.pub.checkEncapsulation("B") != nil {
		return nil, fmt.Errorf("session seed gives a scalar that blinds nothing: %w", ErrScalar)
	}
	return s, nil
}

// GenerateSession draws a seed of 32 bytes from random.
func GenerateSession(random io.Reader) (*Session, error) {
	var seed [SeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("draw session: %w", err)
	}
	defer clear(seed[:])
	return NewSession(seed[:])
}

// Seed returns a copy of the 32-byte seed. It is secret.
func (s *Session) Seed() []byte { return append([]byte(nil), s.seed[:]...) }

// Key is rk, which opens the capsule.
func (s *Session) Key() *PrivateKey { return s.key }

// B is b·G.
func (s *Session) B() Point { return s.pub }

// Blind is M = b·U.
func (s *Session) Blind(u Point) Point { return u.Mul(s.b).encoded() }

// Prove proves a proposal that carries this session's B and the M that Blind gives, 64 bytes. The error is that of Validate, ErrPoint
// where B or an M is another, or that of random.
func (s *Session) Prove(p Proposal, random io.Reader) ([]byte, error) {
	if err := s.check(p); err != nil {
		return nil, err
	}
	u, m := p.points()
	return kindReq.prove(p.Hash(), s.b, s.pub, u, m, random)
}

func (s *Session) check(p Proposal) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if !p.B.Equal(s.pub) {
		return fmt.Errorf("B is not the session's: %w", ErrPoint)
	}
	for i, v := range p.Versions {
		if !v.M.Equal(s.Blind(v.U)) {
			return fmt.Errorf("version %d of the proposal has another M than the session's: %w", i+1, ErrPoint)
		}
	}
	return nil
}

// Combine joins the holders' shares to K of each version of the release, in its order, as [Committee] says.
func (s *Session) Combine(r Release, committees []Committee, shares []Share) (Combined, error) {
	return combine(s.b, r, committees, shares)
}
