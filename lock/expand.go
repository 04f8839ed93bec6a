package lock

import (
	"crypto/sha512"
	"encoding/binary"
	"math"
)

// expandMessage is expand_message_xmd of RFC 9380, section 5.3.1, with SHA-512, for the 64 bytes that a hash to the group and one to a
// scalar take: one block. No tag of this package is longer than the 255 bytes up to which it stands as it is.
func expandMessage(message []byte, tag string) [64]byte {
	if len(tag) > math.MaxUint8 {
		panic("lock: expand message: tag is too long")
	}
	suffix := append([]byte(tag), byte(len(tag)))
	h := sha512.New()
	h.Write(make([]byte, sha512.BlockSize))
	h.Write(message)
	h.Write(binary.BigEndian.AppendUint16(nil, sha512.Size))
	h.Write([]byte{0})
	h.Write(suffix)
	first := h.Sum(nil)
	h.Reset()
	h.Write(first)
	h.Write([]byte{1})
	h.Write(suffix)
	return [64]byte(h.Sum(nil))
}
