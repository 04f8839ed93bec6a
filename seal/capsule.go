package seal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// ErrCapsule says that a capsule does not open, or holds other versions than the
// proposal asks for.
var ErrCapsule = errors.New("capsule does not fit the unlock")

// Asked is a version that a proposal asks for.
type Asked struct {
	Record  lock.ID
	Version uint64 // from 1
	Lock    lock.Lock
}

// entrySize is the length in bytes of one version in a capsule.
const entrySize = len(lock.ID{}) + 8 + KeySize

func capsuleInfo(n lock.Network, unlock [32]byte) []byte {
	info := lock.H("phrd/v1/capsule", n[:], unlock[:])
	return info[:]
}

// checkAsked checks a proposal's list and returns how many versions have an owner half.
func checkAsked(asked []Asked) (halves int, err error) {
	if len(asked) < 1 || len(asked) > lock.MaxBatch {
		return 0, fmt.Errorf("%d versions: %w", len(asked), lock.ErrField)
	}
	for i, v := range asked {
		if err := v.Lock.Check(); err != nil {
			return 0, err
		}
		if v.Version == 0 {
			return 0, fmt.Errorf("version 0: %w", lock.ErrField)
		}
		if v.Lock == lock.LockBoth {
			halves++
		}
		if i > 0 && !asked[i-1].before(v) {
			return 0, fmt.Errorf("version %d of the proposal is out of order or repeated: %w", i+1, lock.ErrField)
		}
	}
	return halves, nil
}

func (v Asked) before(w Asked) bool {
	a, b := string(v.Record[:]), string(w.Record[:])
	return a < b || a == b && v.Version < w.Version
}

// NewCapsule seals the owner's halves of an unlock to the requester's session key rk.
// asked is the proposal's list in its order and halves has one half for each, nil for
// versions under lock.LockNetwork. Check each half against its header before. When no
// version has an owner's half, there is no capsule and the result is nil.
//
// The error is lock.ErrField where the lists do not fit, or lock.ErrKey.
func NewCapsule(rk lock.PublicKey, n lock.Network, unlock [32]byte, asked []Asked, halves []*Half) ([]byte, error) {
	count, err := checkAsked(asked)
	if err != nil {
		return nil, err
	}
	if len(halves) != len(asked) {
		return nil, fmt.Errorf("%d halves for %d versions: %w", len(halves), len(asked), lock.ErrField)
	}
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+count*entrySize), uint64(count))
	defer func() { clear(plain) }()
	for i, v := range asked {
		if (halves[i] != nil) != (v.Lock == lock.LockBoth) {
			return nil, fmt.Errorf("half of version %d of the proposal does not fit its lock: %w", i+1, lock.ErrField)
		}
		if halves[i] == nil {
			continue
		}
		plain = append(plain, v.Record[:]...)
		plain = binary.BigEndian.AppendUint64(plain, v.Version)
		plain = append(plain, halves[i].b[:]...)
	}
	if count == 0 {
		return nil, nil
	}
	return lock.Seal(rk, capsuleInfo(n, unlock), plain)
}

// OpenCapsule opens a capsule with the session's key and returns one half for each
// version that the proposal asks for, nil for those under lock.LockNetwork. A proposal
// that needs no capsule takes an empty one only.
//
// The error is lock.ErrField where asked is no proposal's list, and [ErrCapsule] where
// the capsule does not open or holds other versions. Whether a half is right, the
// header's CheckHalf tells.
func OpenCapsule(rk *lock.PrivateKey, n lock.Network, unlock [32]byte, asked []Asked, capsule []byte) ([]*Half, error) {
	count, err := checkAsked(asked)
	if err != nil {
		return nil, err
	}
	halves := make([]*Half, len(asked))
	if count == 0 {
		if len(capsule) != 0 {
			return nil, fmt.Errorf("%w: none is needed", ErrCapsule)
		}
		return halves, nil
	}
	plain, err := rk.Open(capsuleInfo(n, unlock), capsule)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCapsule, err)
	}
	defer clear(plain)
	if err := decodeCapsule(plain, asked, count, halves); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCapsule, err)
	}
	return halves, nil
}

// decodeCapsule reads the halves of count versions of those asked for.
func decodeCapsule(plain []byte, asked []Asked, count int, halves []*Half) error {
	if len(plain) != 8+count*entrySize || binary.BigEndian.Uint64(plain) != uint64(count) {
		return fmt.Errorf("%d bytes, want %d versions", len(plain), count)
	}
	rest := plain[8:]
	for i, v := range asked {
		if v.Lock != lock.LockBoth {
			continue
		}
		entry := rest[:entrySize]
		rest = rest[entrySize:]
		if lock.ID(entry[:16]) != v.Record || binary.BigEndian.Uint64(entry[16:24]) != v.Version {
			return fmt.Errorf("version %d of the proposal is missing or out of order", i+1)
		}
		p, err := HalfFromBytes(entry[24:])
		if err != nil {
			return err
		}
		halves[i] = &p
	}
	return nil
}
