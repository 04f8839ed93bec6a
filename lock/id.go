package lock

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strings"
)

// ID is the id of a record, patient, vault or slot: 16 random bytes made by the client.
type ID [16]byte

const (
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	// checkSymbols extends the alphabet by the five symbols that only the check may have.
	checkSymbols = crockford + "*~$=U"
	// idText is the length of an id's text: 26 symbols for 128 bits and the check symbol.
	idText = 27
)

// NewID draws an id from r.
func NewID(r io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(r, id[:]); err != nil {
		return ID{}, fmt.Errorf("draw id: %w", err)
	}
	return id, nil
}

// IDFromBytes takes 16 bytes.
func IDFromBytes(b []byte) (ID, error) {
	if len(b) != len(ID{}) {
		return ID{}, fmt.Errorf("%d bytes: %w", len(b), ErrID)
	}
	return ID(b), nil
}

// Bytes returns the 16 bytes.
func (id ID) Bytes() []byte { return id[:] }

// String is the id's text: 26 characters of Crockford base32, most significant first, and the mod-37 check symbol.
func (id ID) String() string {
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var text [idText]byte
	text[idText-1] = checkSymbol(high, low)
	for i := idText - 2; i >= 0; i-- {
		text[i] = crockford[low%32]
		high, low = high>>5, high<<59|low>>5
	}
	return string(text[:])
}

// checkSymbol is that of a number of 128 bits.
func checkSymbol(high, low uint64) byte {
	_, rest := bits.Div64(high%37, low, 37)
	return checkSymbols[rest]
}

// ParseID reads the text of an id in either case; anything else, hyphens and the look-alikes I, L, O included, is refused with an error
// that is ErrID. Where the text itself is kept or compared, as on the chain, use [ParseCanonicalID]: one id has one text there.
func ParseID(text string) (ID, error) {
	if len(text) != idText {
		return ID{}, fmt.Errorf("%q has %d characters, not %d: %w", text, len(text), idText, ErrID)
	}
	var high, low uint64
	tooLong := false
	for i := range idText - 1 {
		digit := strings.IndexByte(crockford, upper(text[i]))
		if digit < 0 {
			return ID{}, fmt.Errorf("%q: character %d is not Crockford base32: %w", text, i+1, ErrID)
		}
		tooLong = tooLong || high>>59 != 0
		high, low = high<<5|low>>59, low<<5|uint64(digit)
	}
	// 26 characters carry 130 bits.
	if tooLong {
		return ID{}, fmt.Errorf("%q is over 128 bits: %w", text, ErrID)
	}
	if upper(text[idText-1]) != checkSymbol(high, low) {
		return ID{}, fmt.Errorf("%q: check symbol does not fit, was it mistyped? %w", text, ErrID)
	}
	var id ID
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
	return id, nil
}

// ParseCanonicalID is ParseID for exactly what String writes: lower case is refused too.
func ParseCanonicalID(text string) (ID, error) {
	id, err := ParseID(text)
	if err == nil && id.String() != text {
		return ID{}, fmt.Errorf("%q is not in upper case: %w", text, ErrID)
	}
	return id, err
}

// upper is for ASCII only: no other letter may fold into the alphabet.
func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler and reads what ParseID reads. It leaves id as it was where it fails.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
