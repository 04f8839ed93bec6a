package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errFrame says that a message is framed in another way than frame does.
var errFrame = errors.New("invalid frame")

// frameBlock is the granule of padded messages: with its tag a leaf of one granule
// has MinLeafSize bytes.
const (
	frameBlock  = MinLeafSize - tagSize
	frameHeader = 8
)

// framedSize returns the length of a message of n bytes after framing: a length of
// 8 bytes, the message, zeros to the smallest multiple of frameBlock.
func framedSize(n uint64) uint64 {
	return (frameHeader + n + frameBlock - 1) / frameBlock * frameBlock
}

// frame returns message framed, with capacity for a GCM tag.
func frame(message []byte) []byte {
	size := framedSize(uint64(len(message)))
	b := make([]byte, size, size+tagSize)
	binary.BigEndian.PutUint64(b, uint64(len(message)))
	copy(b[frameHeader:], message)
	return b
}

// unframe returns the message in plain, which it shares memory with. It refuses any
// framing but the one that frame gives.
func unframe(plain []byte) ([]byte, error) {
	if len(plain) < frameHeader {
		return nil, fmt.Errorf("%w: too short", errFrame)
	}
	n := binary.BigEndian.Uint64(plain)
	if n > uint64(len(plain)-frameHeader) {
		return nil, fmt.Errorf("%w: length past the end", errFrame)
	}
	if framedSize(n) != uint64(len(plain)) {
		return nil, fmt.Errorf("%w: not padded to the smallest multiple", errFrame)
	}
	message, padding := plain[frameHeader:frameHeader+n], plain[frameHeader+n:]
	if !allZero(padding) {
		return nil, fmt.Errorf("%w: padding is not zero", errFrame)
	}
	return message, nil
}

func allZero(b []byte) bool {
	var or uint64
	for ; len(b) >= 8; b = b[8:] {
		or |= binary.NativeEndian.Uint64(b)
	}
	for _, x := range b {
		or |= uint64(x)
	}
	return or == 0
}
