package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"

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

// chunkID computes chunk ids, HMAC-SHA256 of the plaintext with its zeros under an
// object's id key. One goroutine may use it at a time.
type chunkID struct{ mac hash.Hash }

func newChunkID(idKey *[KeySize]byte) chunkID { return chunkID{hmac.New(sha256.New, idKey[:])} }

func (c chunkID) of(plain []byte) (id [32]byte) {
	c.mac.Reset()
	c.mac.Write(plain)
	c.mac.Sum(id[:0])
	return id
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

// openChunk opens one data leaf of size bytes into to, in the order that the appendix
// demands: CID, size, decryption, chunk id, zeros. It returns the bytes of the file.
func (c chunkID) openChunk(to []byte, e *Entry, block []byte, size int) ([]byte, error) {
	plain, err := openBlock(to, e.CID, &e.Key, block, size)
	if err != nil {
		return nil, err
	}
	id := c.of(plain)
	if subtle.ConstantTimeCompare(id[:], e.ID[:]) != 1 {
		return nil, fmt.Errorf("%w: %s: another chunk id", ErrCiphertext, e.CID)
	}
	if uint64(e.Length) > uint64(len(plain)) || !allZero(plain[e.Length:]) {
		return nil, fmt.Errorf("%w: %s: padding is not zero", ErrCiphertext, e.CID)
	}
	return plain[:e.Length], nil
}
