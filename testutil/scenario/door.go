package scenario

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
)

// httpClient knows the hospital's gateway by the fingerprint of its certificate.
func (h *hospital) httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, //nolint:gosec // the public key itself is checked
			VerifyConnection: func(s tls.ConnectionState) error {
				sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
				if hex.EncodeToString(sum[:]) != h.pin {
					return errors.New("another certificate")
				}
				return nil
			},
		},
	}}
}

// get asks the gateway for something without a login.
func (h *hospital) get(ctx context.Context, path string) (status int, body []byte, err error) {
	client := h.httpClient()
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
