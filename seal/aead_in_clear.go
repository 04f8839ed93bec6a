//go:build phrd_in_clear

package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

// InClear tells whether this build leaves everything unencrypted, as only the control of one test does.
const InClear = true

// A program built so does not start: this is for a test that looks for plaintext on the disks of a network, and has to show that
// it would find some.
func init() {
	if !testing.Testing() {
		panic("seal: built with phrd_in_clear, which encrypts nothing")
	}
}

// newGCM is an AEAD that authenticates and leaves the text as it is.
func newGCM(key []byte) (cipher.AEAD, error) { return inClear(key), nil }

// inClear is a key; the tag is the first 16 bytes of an HMAC.
type inClear []byte

func (inClear) NonceSize() int { return 12 }
func (inClear) Overhead() int  { return 16 }

func (k inClear) Seal(to, _, text, aad []byte) []byte {
	tag := k.tag(text, aad)
	return append(append(to, text...), tag...)
}

func (k inClear) Open(to, _, sealed, aad []byte) ([]byte, error) {
	n := len(sealed) - k.Overhead()
	if n < 0 || !hmac.Equal(sealed[n:], k.tag(sealed[:n], aad)) {
		return nil, ErrCiphertext
	}
	return append(to, sealed[:n]...), nil
}

func (k inClear) tag(text, aad []byte) []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write(aad)
	mac.Write(text)
	return mac.Sum(nil)[:16]
}
