package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// ErrCiphertext says that a block is not what its entry or its key promises: wrong
// CID, size, authentication tag, chunk id or padding.
var ErrCiphertext = errors.New("block does not match its entry")

// zeroNonce is the nonce of every key that seals one message.
var zeroNonce [12]byte

// sealOnce seals plain in its own memory under a key that seals no other message.
// The capacity of plain must leave room for the tag.
func sealOnce(key *[KeySize]byte, plain, aad []byte) ([]byte, error) {
	aead, err := newGCM(key[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(plain[:0], zeroNonce[:], plain, aad), nil
}

// openOnce opens what sealOnce sealed and appends it to to.
func openOnce(to []byte, key *[KeySize]byte, sealed, aad []byte) ([]byte, error) {
	aead, err := newGCM(key[:])
	if err != nil {
		return nil, err
	}
	return aead.Open(to, zeroNonce[:], sealed, aad)
}

// ChunkIDs are what manifests of the first form have besides: HMAC-SHA256 of each chunk's
// plaintext with its zeros, under a key of the object. They bind nothing that CID and key
// of a leaf leave open, and cost a third of sealing, so none are made any more.
type ChunkIDs struct {
	Key  [KeySize]byte
	Each [][32]byte // one for each entry, in order
}

// at is the id of chunk i, or nil where there are none.
func (c *ChunkIDs) at(i int) []byte {
	if c == nil {
		return nil
	}
	return c.Each[i][:]
}

// holds tells whether chunk i has its id, as it does where there are none.
func (c *ChunkIDs) holds(i uint64, plain []byte) bool {
	if c == nil {
		return true
	}
	mac := hmac.New(sha256.New, c.Key[:])
	mac.Write(plain)
	return hmac.Equal(mac.Sum(nil), c.Each[i][:])
}

// rawCID returns the CID of a raw block.
func rawCID(block []byte) lock.CID { return lock.RawCID(sha256.Sum256(block)) }

// openBlock checks that block has size bytes and the CID c and appends its plaintext
// under key to to.
func openBlock(to []byte, c lock.CID, key *[KeySize]byte, block []byte, size int) ([]byte, error) {
	if rawCID(block) != c {
		return nil, fmt.Errorf("%w: %s: another block came", ErrCiphertext, c)
	}
	if len(block) != size {
		return nil, fmt.Errorf("%w: %s: %d bytes, want %d", ErrCiphertext, c, len(block), size)
	}
	plain, err := openOnce(to, key, block, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: it does not open under its key", ErrCiphertext, c)
	}
	return plain, nil
}

// openChunk opens data leaf i of size bytes into to, in the order that the appendix
// demands: CID, size, decryption, chunk id, zeros. It returns the bytes of the file.
func (m *Manifest) openChunk(to []byte, i uint64, block []byte, size int) ([]byte, error) {
	e := &m.Entries[i]
	plain, err := openBlock(to, e.CID, &e.Key, block, size)
	if err != nil {
		return nil, err
	}
	if !m.IDs.holds(i, plain) {
		return nil, fmt.Errorf("%w: %s: another chunk id", ErrCiphertext, e.CID)
	}
	if uint64(e.Length) > uint64(len(plain)) || !allZero(plain[e.Length:]) {
		return nil, fmt.Errorf("%w: %s: padding is not zero", ErrCiphertext, e.CID)
	}
	return plain[:e.Length], nil
}
