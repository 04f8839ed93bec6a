package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/phrd/phrd/lock"
)

// KeySize is the length in bytes of every symmetric key and secret half.
const KeySize = 32

// secret is 32 bytes that are compared in constant time only and that no verb of
// fmt prints.
type secret struct {
	_ [0]func() // makes == a compile error
	b [KeySize]byte
}

// Bytes returns a copy of the 32 secret bytes. Callers keep them off disks and logs.
func (s secret) Bytes() []byte { return append([]byte(nil), s.b[:]...) }

// Format writes a fixed word in place of the secret, whatever the verb.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

func (s secret) equal(o secret) bool { return subtle.ConstantTimeCompare(s.b[:], o.b[:]) == 1 }

func newSecret(random io.Reader) (secret, error) {
	var s secret
	if _, err := io.ReadFull(random, s.b[:]); err != nil {
		return secret{}, fmt.Errorf("read random bytes: %w", err)
	}
	return s, nil
}

func secretFromBytes(b []byte) (secret, error) {
	var s secret
	if len(b) != KeySize {
		return s, fmt.Errorf("secret of %d bytes: %w", len(b), lock.ErrField)
	}
	copy(s.b[:], b)
	return s, nil
}

// DEK is the data key of one version: AES-256, seals the root of its manifest and
// nothing else, ever.
type DEK struct{ secret }

// DEKFromBytes returns the data key whose 32 bytes are b; another length is refused with
// an error that is lock.ErrField.
func DEKFromBytes(b []byte) (DEK, error) {
	s, err := secretFromBytes(b)
	return DEK{s}, err
}

// Equal reports in constant time whether both keys are the same.
func (k DEK) Equal(o DEK) bool { return k.equal(o.secret) }

// Half is p, the owner's half of one version's key.
type Half struct{ secret }

// HalfFromBytes returns the owner's half whose 32 bytes are b; another length is refused
// with an error that is lock.ErrField.
func HalfFromBytes(b []byte) (Half, error) {
	s, err := secretFromBytes(b)
	return Half{s}, err
}

// Equal reports in constant time whether both halves are the same.
func (h Half) Equal(o Half) bool { return h.equal(o.secret) }

func newHalf(random io.Reader) (Half, error) {
	s, err := newSecret(random)
	return Half{s}, err
}

// KV is the key of a vault blob, which every slot of that vault wraps.
type KV struct{ secret }

// NewKV draws a fresh vault key.
func NewKV() (KV, error) {
	s, err := newSecret(rand.Reader)
	return KV{s}, err
}

// KVFromBytes returns the vault key whose 32 bytes are b; another length is refused with
// an error that is lock.ErrField.
func KVFromBytes(b []byte) (KV, error) {
	s, err := secretFromBytes(b)
	return KV{s}, err
}

// Equal reports in constant time whether both keys are the same.
func (k KV) Equal(o KV) bool { return k.equal(o.secret) }
