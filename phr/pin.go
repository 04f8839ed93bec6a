package phr

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
)

// ParseFingerprint reads the SHA-256 of a public key as hospitals show it: 64 hex digits.
func ParseFingerprint(text string) ([]byte, error) {
	pin, err := hex.DecodeString(text)
	if err != nil || len(pin) != sha256.Size {
		return nil, fmt.Errorf("fingerprint is not %d hex digits", 2*sha256.Size)
	}
	return pin, nil
}

// Pinned is how TLS recognises a gateway that is known by the SHA-256 of its certificate's public key (SPKI), 32 bytes, whoever signed the
// certificate and whatever it names. The key is checked in every handshake; the error with another one is ErrCertificate.
func Pinned(fingerprint []byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection checks the key itself
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return fmt.Errorf("no certificate: %w", ErrCertificate)
			}
			got := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if !bytes.Equal(got[:], fingerprint) {
				return fmt.Errorf("got fingerprint %x, want %x: %w", got, fingerprint, ErrCertificate)
			}
			return nil
		},
	}
}
