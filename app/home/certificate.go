package home

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// certificateYears is how long a self-signed certificate is valid. Clients pin its key, so its end only bounds forgetting it.
const certificateYears = 10

// newCertificate makes a self-signed certificate (ECDSA P-256) for the hosts and returns it and its key in PEM, and the SHA-256 of
// its public key (SPKI), which clients pin.
func newCertificate(hospital string, hosts []string, now time.Time) (certificate, key, fingerprint []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gateway certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gateway certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "phrd gateway", Organization: []string{hospital}},
		// A clock an hour behind still takes it.
		NotBefore:             now.Add(-time.Hour).UTC(),
		NotAfter:              now.AddDate(certificateYears, 0, 0).UTC(),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gateway certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gateway certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("gateway certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), fingerprintOf(parsed), nil
}

// fingerprintOf is the SHA-256 of a certificate's public key (SPKI), 32 bytes.
func fingerprintOf(certificate *x509.Certificate) []byte {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return sum[:]
}

// Fingerprint is the SHA-256 of the public key (SPKI) of the gateway's certificate, as clients pin it. The error is ErrDamaged
// where the file is no certificate.
func (h Home) Fingerprint() ([]byte, error) {
	certificate, err := h.Certificate()
	if err != nil {
		return nil, err
	}
	return fingerprintOf(certificate), nil
}

// Certificate is the gateway's, the first one in its file. The error is ErrDamaged where the file is no certificate.
func (h Home) Certificate() (*x509.Certificate, error) {
	content, err := os.ReadFile(h.GatewayCertificate())
	if err != nil {
		return nil, fmt.Errorf("gateway certificate: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s: %w: no certificate in PEM", h.GatewayCertificate(), ErrDamaged)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", h.GatewayCertificate(), ErrDamaged, err)
	}
	return certificate, nil
}
