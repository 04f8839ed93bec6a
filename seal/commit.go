package seal

import (
	"crypto/hkdf"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// ErrCommitment says that a half or a data key is not the one that the version was
// locked with: it misses Pc, C, the wrap's tag or Dc.
var ErrCommitment = errors.New("key does not match the version's commitment")

// commitHalf is Pc.
func commitHalf(ctx [64]byte, u lock.Point, p Half) [32]byte {
	return lock.H32("phrd/v1/p-commit", ctx[:], u.Bytes(), p.b[:])
}

// commitDEK is Dc.
func commitDEK(record lock.ID, version uint64, dek DEK) [32]byte {
	return lock.H32("phrd/v1/dek-commit", record[:], lock.Uint(version), dek.b[:])
}

// wrapping is what the key that wraps the DEK is bound to: T.
type wrapping struct {
	ctx     [64]byte
	u, uBar lock.Point
	pc      []byte
	dc      [32]byte
	ref     Ref
}

func (w wrapping) salt() [64]byte {
	return lock.H("phrd/v1/salt", w.ctx[:], w.u.Bytes(), w.uBar.Bytes(), w.pc, w.dc[:], w.ref.Manifest[:], w.ref.Object[:])
}

// kek derives the key that wraps the DEK, and C. p is nil under lock.LockNetwork and
// set under lock.LockBoth, else the error is lock.ErrField; k is not the identity, else
// it is lock.ErrPoint.
func kek(l lock.Lock, p *Half, k lock.Point, salt [64]byte) (key secret, c [32]byte, err error) {
	if err := l.Check(); err != nil {
		return key, c, err
	}
	if (l == lock.LockBoth) != (p != nil) {
		return key, c, fmt.Errorf("lock %d needs the owner's half, and no other does: %w", lock.LockBoth, lock.ErrField)
	}
	if k.IsIdentity() {
		return key, c, fmt.Errorf("network half is the identity: %w", lock.ErrPoint)
	}
	ikm := make([]byte, 0, KeySize+lock.PointSize)
	defer func() { clear(ikm[:cap(ikm)]) }()
	if p != nil {
		ikm = append(ikm, p.b[:]...)
	}
	ikm = append(ikm, k.Bytes()...)
	okm, err := hkdf.Key(sha512.New, ikm, salt[:], "phrd/v1/kek", 2*KeySize)
	if err != nil {
		return key, c, fmt.Errorf("derive wrapping key: %w", err)
	}
	defer clear(okm)
	copy(key.b[:], okm)
	copy(c[:], okm[KeySize:])
	return key, c, nil
}

// wrapSize is the length in bytes of a wrapped DEK.
const wrapSize = KeySize + tagSize

func wrapDEK(key secret, dek DEK, salt [64]byte) (wrap [wrapSize]byte, err error) {
	plain := append(make([]byte, 0, wrapSize), dek.b[:]...)
	sealed, err := sealOnce(&key.b, plain, salt[:])
	if err != nil {
		return wrap, err
	}
	return [wrapSize]byte(sealed), nil
}

// unwrapDEK checks C, opens the wrap and checks Dc, in this order.
func unwrapDEK(key secret, c, wantC [32]byte, wrap []byte, salt [64]byte, record lock.ID, version uint64, dc [32]byte) (DEK, error) {
	if subtle.ConstantTimeCompare(c[:], wantC[:]) != 1 {
		return DEK{}, fmt.Errorf("commitment C differs: %w", ErrCommitment)
	}
	plain, err := openOnce(nil, &key.b, wrap, salt[:])
	if err != nil {
		return DEK{}, fmt.Errorf("wrap does not open: %w", ErrCommitment)
	}
	defer clear(plain)
	dek, err := DEKFromBytes(plain)
	if err != nil {
		return DEK{}, fmt.Errorf("wrap of %d bytes: %w", len(wrap), ErrCommitment)
	}
	got := commitDEK(record, version, dek)
	if subtle.ConstantTimeCompare(got[:], dc[:]) != 1 {
		return DEK{}, fmt.Errorf("commitment Dc differs: %w", ErrCommitment)
	}
	return dek, nil
}
