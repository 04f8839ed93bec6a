package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/cosmos/go-bip39"
	"github.com/phrd/phrd/lock"
)

// codeWords is the number of words of a code: 256 bits of entropy and 8 of checksum, 11
// a word.
const codeWords = 24

// Code is a recovery code: 32 secret bytes that a person writes down as 24 English
// words (BIP-39, without its key stretching: the entropy is the secret).
type Code struct{ secret }

// NewCode draws a code.
func NewCode() (Code, error) {
	s, err := newSecret(rand.Reader)
	return Code{s}, err
}

// ParseCode reads 24 words in either case, with any white space of ASCII between them. The
// error is [ErrSlotSecret]; it names the place of a word that is not in the list, and
// never the word.
func ParseCode(text string) (Code, error) {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return Code{}, fmt.Errorf("code is not ASCII: %w", ErrSlotSecret)
		}
	}
	words := strings.Fields(strings.ToLower(text))
	if len(words) != codeWords {
		return Code{}, fmt.Errorf("code of %d words, want %d: %w", len(words), codeWords, ErrSlotSecret)
	}
	var packed [codeWords * 11 / 8]byte
	defer clear(packed[:])
	for i, word := range words {
		number, known := bip39.ReverseWordMap[word]
		if !known {
			return Code{}, fmt.Errorf("word %d of the code is not in the list: %w", i+1, ErrSlotSecret)
		}
		for bit := range 11 {
			if number>>(10-bit)&1 == 1 {
				at := i*11 + bit
				packed[at/8] |= 0x80 >> (at % 8)
			}
		}
	}
	var c Code
	copy(c.b[:], packed[:KeySize])
	if sum := sha256.Sum256(c.b[:]); sum[0] != packed[KeySize] {
		return Code{}, fmt.Errorf("checksum of the code does not fit, was it mistyped? %w", ErrSlotSecret)
	}
	return c, nil
}

// Words is the code as 24 lower-case words with single spaces. Show it once, and keep it
// nowhere.
func (c Code) Words() string {
	sum := sha256.Sum256(c.b[:])
	packed := append(append(make([]byte, 0, KeySize+1), c.b[:]...), sum[0])
	defer clear(packed)
	words := make([]string, codeWords)
	for i := range words {
		number := 0
		for bit := range 11 {
			at := i*11 + bit
			number = number<<1 | int(packed[at/8]>>(7-at%8)&1)
		}
		words[i] = bip39.WordList[number]
	}
	return strings.Join(words, " ")
}

// CodeSecret is the secret of a code's slot.
func CodeSecret(c Code) SlotSecret {
	return SlotSecret{kind: lock.SlotCode, ikm: c.Bytes()}
}
