package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/phrd/phrd/lock"
)

// signatureSize is the length in bytes of a signature, r‖s.
const signatureSize = 64

// Pepper is the second half of a wallet slot's secret. It is kept on the device and at
// one hospital's gateway, never in the block store; deleting it closes the slot for
// ever, whoever has the wallet's signature.
type Pepper struct{ secret }

// NewPepper draws a pepper.
func NewPepper() (Pepper, error) {
	s, err := newSecret(rand.Reader)
	return Pepper{s}, err
}

// PepperFromBytes returns the pepper whose 32 bytes are b; another length is refused with
// an error that is lock.ErrField.
func PepperFromBytes(b []byte) (Pepper, error) {
	s, err := secretFromBytes(b)
	return Pepper{s}, err
}

// Equal reports in constant time whether both peppers are the same.
func (p Pepper) Equal(o Pepper) bool { return p.equal(o.secret) }

// WalletRequest is what a wallet is asked to sign to open its slot.
type WalletRequest struct {
	Network lock.Network
	ChainID string
	Account string // bech32 address of the account that signs
	Vault   lock.ID
	Slot    lock.ID
	Site    string // host name fixed by the consortium
}

// Text is what the wallet shows. The error is lock.ErrField where chain id, account or
// site is empty or not printable ASCII without spaces.
func (r WalletRequest) Text() ([]byte, error) {
	for _, word := range []struct{ name, value string }{{"chain id", r.ChainID}, {"account", r.Account}, {"site", r.Site}} {
		if err := checkWord(word.name, word.value); err != nil {
			return nil, err
		}
	}
	lines := []string{
		"phrd vault key",
		"network: " + hex.EncodeToString(r.Network[:4]) + " " + r.ChainID,
		"account: " + r.Account,
		"vault: " + hex.EncodeToString(r.Vault[:]),
		"slot: " + hex.EncodeToString(r.Slot[:]),
		"site: " + r.Site,
		"Sign this only in phrd. Whoever gets this signature may read your records.",
	}
	return []byte(strings.Join(lines, "\n")), nil
}

func checkWord(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is empty: %w", name, lock.ErrField)
	}
	if strings.ContainsRune(value, ' ') {
		return fmt.Errorf("%s %q has a space: %w", name, value, lock.ErrField)
	}
	if err := lock.CheckASCII(value); err != nil {
		return fmt.Errorf("%s %q: %w", name, value, err)
	}
	return nil
}

// Document is the ADR-36 document over Text, the very bytes that the wallet hashes and
// signs.
func (r WalletRequest) Document() ([]byte, error) {
	text, err := r.Text()
	if err != nil {
		return nil, err
	}
	// An account with a quotation mark or a backslash would break out of its string.
	if strings.ContainsAny(r.Account, `"\<>&`) {
		return nil, fmt.Errorf("account %q: %w", r.Account, lock.ErrField)
	}
	return fmt.Appendf(nil, `{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"","msgs":[`+
		`{"type":"sign/MsgSignData","value":{"data":"%s","signer":"%s"}}],"sequence":"0"}`,
		base64.StdEncoding.EncodeToString(text), r.Account), nil
}

// WalletSecret is the secret of a wallet slot: the account's signature r‖s of the
// request's document, which it verifies under the compressed public key, and the
// pepper. Set-up asks the wallet twice: a wallet whose signatures differ cannot open
// its own slot again and gets none.
//
// The error is lock.ErrField for a malformed request, and [ErrSlotSecret] where the
// signature is out of range, has a high s or does not verify.
func WalletSecret(r WalletRequest, publicKey, signature []byte, pepper Pepper) (SlotSecret, error) {
	document, err := r.Document()
	if err != nil {
		return SlotSecret{}, err
	}
	sr, ss, err := parseSignature(signature)
	if err != nil {
		return SlotSecret{}, err
	}
	key, err := secp256k1.ParsePubKey(publicKey)
	if err != nil || len(publicKey) != secp256k1.PubKeyBytesLenCompressed {
		return SlotSecret{}, fmt.Errorf("public key of %d bytes: %w", len(publicKey), ErrSlotSecret)
	}
	digest := sha256.Sum256(document)
	if !ecdsa.NewSignature(sr, ss).Verify(digest[:], key) {
		return SlotSecret{}, fmt.Errorf("signature does not verify: %w", ErrSlotSecret)
	}
	return walletSecret(signature, pepper)
}

func walletSecret(signature []byte, pepper Pepper) (SlotSecret, error) {
	if _, _, err := parseSignature(signature); err != nil {
		return SlotSecret{}, err
	}
	ikm := append(make([]byte, 0, signatureSize+KeySize), signature...)
	return SlotSecret{kind: lock.SlotWallet, ikm: append(ikm, pepper.b[:]...)}, nil
}

// parseSignature refuses r outside 1 … n−1 and s outside 1 … n/2.
func parseSignature(signature []byte) (r, s *secp256k1.ModNScalar, err error) {
	if len(signature) != signatureSize {
		return nil, nil, fmt.Errorf("signature of %d bytes: %w", len(signature), ErrSlotSecret)
	}
	r, s = new(secp256k1.ModNScalar), new(secp256k1.ModNScalar)
	switch {
	case r.SetByteSlice(signature[:32]), r.IsZero(), s.SetByteSlice(signature[32:]), s.IsZero():
		return nil, nil, fmt.Errorf("signature out of range: %w", ErrSlotSecret)
	case s.IsOverHalfOrder():
		return nil, nil, fmt.Errorf("signature has a high s: %w", ErrSlotSecret)
	}
	return r, s, nil
}
