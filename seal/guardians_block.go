package seal

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/phrd/phrd/lock"
)

const (
	// MaxGuardians is how many guardians a slot has at most.
	MaxGuardians = 8
	// sealedShareSize is the length in bytes of a share that is sealed to a vault or to a one-time key.
	sealedShareSize = 1120 + 32 + tagSize
)

// EncodeShares returns the block with the sealed shares of a guardian slot, in the guardians' order. The
// error is lock.ErrField for another number than 2 to [MaxGuardians], or another length.
func EncodeShares(shares [][]byte) ([]byte, error) {
	if err := checkShares(shares); err != nil {
		return nil, err
	}
	return encodeShares(shares), nil
}

func encodeShares(shares [][]byte) []byte {
	var block []byte
	for _, s := range shares {
		block = appendBytes(block, 1, s)
	}
	return block
}

func checkShares(shares [][]byte) error {
	if len(shares) < 2 || len(shares) > MaxGuardians {
		return fmt.Errorf("%d guardians: %w", len(shares), lock.ErrField)
	}
	for i, s := range shares {
		if len(s) != sealedShareSize {
			return fmt.Errorf("share %d of %d bytes: %w", i+1, len(s), lock.ErrField)
		}
	}
	return nil
}

// DecodeShares reads the block with guardians' shares whose CID is c. It answers [ErrGuardians] for
// another block and for anything but the one encoding of a valid one.
func DecodeShares(c lock.CID, block []byte) ([][]byte, error) {
	if rawCID(block) != c {
		return nil, fmt.Errorf("%w: %s: another block came", ErrGuardians, c)
	}
	var shares [][]byte
	_, err := walk(block, 1, func(f field) error {
		if f.num != 1 {
			return f.unknown()
		}
		share, err := f.bytes()
		shares = append(shares, slices.Clone(share))
		return err
	})
	if err == nil {
		err = checkShares(shares)
	}
	if err == nil && !bytes.Equal(encodeShares(shares), block) {
		err = errNotCanonical
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGuardians, err)
	}
	return shares, nil
}

// NewShareCapsule seals a guardian's share to the one-time key of a recovery, whose unlock it is. The error
// is lock.ErrKey or lock.ErrField.
func NewShareCapsule(rk lock.PublicKey, n lock.Network, unlock [32]byte, s lock.SecretShare) ([]byte, error) {
	if s.Index == 0 {
		return nil, fmt.Errorf("guardian's place 0: %w", lock.ErrField)
	}
	plain := s.Value.Bytes()
	defer clear(plain)
	return lock.Seal(rk, shareInfo(n, unlock, s.Index), plain)
}

// OpenShareCapsule opens what the guardian of a place sealed for a recovery, and checks it against the
// commitments of the slot. The error is [ErrGuardians] where it does not open or does not
// fit, lock.ErrField or lock.ErrPoint.
func OpenShareCapsule(rk *lock.PrivateKey, n lock.Network, unlock [32]byte, place uint64, c lock.Commitments, capsule []byte) (lock.SecretShare, error) {
	plain, err := rk.Open(shareInfo(n, unlock, place), capsule)
	if err != nil {
		return lock.SecretShare{}, fmt.Errorf("%w: %w", ErrGuardians, err)
	}
	return checkShare(plain, place, c)
}

// shareInfo binds a guardian's share to the recovery for which it is given.
func shareInfo(n lock.Network, unlock [32]byte, place uint64) []byte {
	info := lock.H("phrd/v1/guardian-capsule", n[:], unlock[:], lock.Uint(place))
	return info[:]
}
