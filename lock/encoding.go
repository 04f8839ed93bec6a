package lock

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math"
)

// AppendLP appends LP(x): the length of x as eight bytes, big-endian, then x.
func AppendLP(dst, x []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(x)))
	return append(dst, x...)
}

// H is SHA-512(LP(tag) ‖ LP(field) ‖ …), 64 bytes. The tag separates the domains; it is printable ASCII. A nil field is absent bytes,
// LP of nothing.
func H(tag string, fields ...[]byte) [64]byte {
	h := sha512.New()
	var length [8]byte
	write := func(x []byte) {
		binary.BigEndian.PutUint64(length[:], uint64(len(x)))
		h.Write(length[:])
		h.Write(x)
	}
	write([]byte(tag))
	for _, f := range fields {
		write(f)
	}
	return [64]byte(h.Sum(nil))
}

// H32 is the first 32 bytes of H.
func H32(tag string, fields ...[]byte) [32]byte {
	h := H(tag, fields...)
	return [32]byte(h[:32])
}

// Uint is an int of appendix A: eight bytes, big-endian.
func Uint(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// List returns the fields of a list for H: the number of elements, then each element. Callers splice them in among other fields.
func List(elements ...[]byte) [][]byte {
	return append([][]byte{Uint(uint64(len(elements)))}, elements...)
}

// CheckASCII returns an error that is ErrField unless s is printable ASCII (0x20 to 0x7e), as every string but a file's name is.
func CheckASCII(s string) error {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return fmt.Errorf("byte %d is not printable ASCII: %w", i, ErrField)
		}
	}
	return nil
}

// checkNumber refuses 0 where numbers count from 1: versions, epochs, generations, revisions, attempts.
func checkNumber(name string, n uint64) error {
	if n == 0 {
		return fmt.Errorf("%s 0: %w", name, ErrField)
	}
	return nil
}

// checkIndex refuses what is not a member's number: 1 to 2^32 − 1.
func checkIndex(name string, n uint64) error {
	if n == 0 || n > math.MaxUint32 {
		return fmt.Errorf("%s %d is not in 1 … 2^32−1: %w", name, n, ErrField)
	}
	return nil
}
