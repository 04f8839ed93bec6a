package phr

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// nonceSize is the length in bytes of a login's nonce.
const nonceSize = 16

type challenge struct {
	Nonce     string    `json:"nonce"`
	Text      string    `json:"text"`
	ExpiresAt time.Time `json:"expires_at"`
}

type session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	Principal Principal `json:"principal"`
}

// loginText is what a wallet signs to log in at a gateway. It names the network, the account and the gateway, so that a
// signature given to one serves nobody else.
func (d *door) loginText(nonce string, expires time.Time) string {
	c := d.client
	return strings.Join([]string{
		"phrd login",
		fmt.Sprintf("network: %x %s", c.network[:4], c.chainID),
		"account: " + c.key.Address(),
		"host: " + d.host,
		"nonce: " + nonce,
		"expires: " + expires.UTC().Format(time.RFC3339),
	}, "\n")
}

// bearer returns the token of a login that is still good, or of a new one.
func (d *door) bearer(ctx context.Context, fresh bool) (string, error) {
	if _, err := d.login(ctx, fresh); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.token, nil
}

// login logs in unless that was done, or anyway when fresh. It signs exactly the text that it composes itself: where the
// gateway asks for another, the error is ErrLogin.
func (d *door) login(ctx context.Context, fresh bool) (Principal, error) {
	c := d.client
	if c.key == nil {
		return Principal{}, fmt.Errorf("gateway %s: no key to log in with: %w", d.base, ErrLogin)
	}
	d.mu.Lock()
	known, checked, who := d.token != "" && time.Now().Before(d.ends), d.checked, d.who
	d.mu.Unlock()
	if known && !fresh {
		return who, nil
	}
	if !checked {
		if _, err := d.chain(ctx); err != nil {
			return Principal{}, err
		}
	}
	var ch challenge
	if err := d.call(ctx, http.MethodPost, "/login/challenge", map[string]string{"address": c.key.Address()}, &ch); err != nil {
		return Principal{}, d.loginError(err)
	}
	if nonce, err := hex.DecodeString(ch.Nonce); err != nil || len(nonce) != nonceSize || ch.Text != d.loginText(ch.Nonce, ch.ExpiresAt) {
		return Principal{}, fmt.Errorf("gateway %s: it asks to sign something else than a login there: %w", d.base, ErrLogin)
	}
	var s session
	err := d.call(ctx, http.MethodPost, "/login", map[string]any{
		"address": c.key.Address(), "public_key": c.key.PublicKey(), "nonce": ch.Nonce, "signature": c.key.SignArbitrary([]byte(ch.Text)),
	}, &s)
	if err != nil {
		return Principal{}, d.loginError(err)
	}
	if s.Token == "" || s.Principal.Address != c.key.Address() {
		return Principal{}, fmt.Errorf("gateway %s: login gives no session of this account: %w", d.base, ErrLogin)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.token, d.ends, d.who = s.Token, s.ExpiresAt, s.Principal
	return s.Principal, nil
}

// loginError makes every refusal of a login ErrLogin; a gateway that is not there stays ErrUnreachable.
func (d *door) loginError(err error) error {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrCertificate) || errors.Is(err, ErrLogin) {
		return err
	}
	return fmt.Errorf("%w: %w", err, ErrLogin)
}

// Logout ends the logins at all gateways.
func (c *Client) Logout(ctx context.Context) error {
	var faults []error
	for _, d := range c.order() {
		d.mu.Lock()
		token := d.token
		d.token = ""
		d.mu.Unlock()
		if token == "" {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+"/logout", nil)
		if err != nil {
			return fmt.Errorf("gateway %s: %w", d.base, err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := d.send(req)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, resp.Body.Close())
	}
	return errors.Join(faults...)
}
