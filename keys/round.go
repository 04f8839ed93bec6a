package keys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/phrd/phrd/lock"
)

// RoundName names an attempt to make the shares of an epoch of a key.
type RoundName struct {
	Kind                       lock.KeyKind
	Generation, Epoch, Attempt uint64
}

// FirstRound is the round in which the founders make the records key: their declarations name its round keys.
var FirstRound = RoundName{Kind: lock.KeyRecords, Generation: 1, Epoch: 1, Attempt: 1}

// RoundPurpose is what a secret of a round is for.
type RoundPurpose string

const (
	// RoundKey is the seed of the X-Wing key that receives sub-shares.
	RoundKey RoundPurpose = "key"
	// RoundDeal is the seed of the polynomial that is dealt.
	RoundDeal RoundPurpose = "deal"
)

// SecretName is the name under which a secret of a round is kept.
func (r RoundName) SecretName(purpose RoundPurpose) string {
	return fmt.Sprintf("%s%d-%d-%d-%d/%s", RoundPrefix, r.Kind, r.Generation, r.Epoch, r.Attempt, purpose)
}

// RoundSecret returns a secret of a round, 32 bytes. Where there is none it draws one and keeps it: it is durable when RoundSecret
// returns. Errors are those of Get and Put.
func (s *Store) RoundSecret(round RoundName, purpose RoundPurpose) ([]byte, error) {
	secret, err := s.KeptRoundSecret(round, purpose)
	if !errors.Is(err, ErrNotFound) {
		return secret, err
	}
	name := round.SecretName(purpose)
	secret = make([]byte, lock.SeedSize)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	return secret, s.Put(name, secret)
}

// KeptRoundSecret is RoundSecret, but it makes none: the error is ErrNotFound where there is none.
func (s *Store) KeptRoundSecret(round RoundName, purpose RoundPurpose) ([]byte, error) {
	return s.Get(round.SecretName(purpose))
}

// ForgetRound erases the secrets of a round; to do so again is fine.
func (s *Store) ForgetRound(round RoundName) error {
	for _, purpose := range []RoundPurpose{RoundKey, RoundDeal} {
		if err := s.Delete(round.SecretName(purpose)); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// Rounds lists the rounds of which there are secrets.
func (s *Store) Rounds() ([]RoundName, error) {
	names, err := s.Names(RoundPrefix)
	if err != nil {
		return nil, err
	}
	var rounds []RoundName
	for _, name := range names {
		var r RoundName
		var kind uint64
		folder, _, ok := strings.Cut(strings.TrimPrefix(name, RoundPrefix), "/")
		if n, err := fmt.Sscanf(folder, "%d-%d-%d-%d", &kind, &r.Generation, &r.Epoch, &r.Attempt); !ok || n != 4 || err != nil {
			continue // of a program before this one
		}
		r.Kind = lock.KeyKind(kind)
		if len(rounds) == 0 || rounds[len(rounds)-1] != r {
			rounds = append(rounds, r)
		}
	}
	return rounds, nil
}
