package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/wallet"
)

// maxChallenges is how many challenges are open at a time; a further one ends the oldest.
const maxChallenges = 1 << 15

// challenge is a text that was given to sign.
type challenge struct {
	address string
	text    string
	expires time.Time
}

// challenges are the texts that nobody has signed yet.
type challenges struct {
	mu    sync.Mutex
	by    map[string]challenge
	order []string // nonces, oldest first; some are gone
}

func (c *challenges) add(nonce string, x challenge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]challenge{}
	}
	c.by[nonce] = x
	c.order = append(c.order, nonce)
	for len(c.by) > maxChallenges || len(c.order) > 2*maxChallenges {
		delete(c.by, c.order[0])
		c.order = c.order[1:]
	}
}

// take returns a challenge, once.
func (c *challenges) take(nonce string) (challenge, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.by[nonce]
	delete(c.by, nonce)
	return x, ok
}

// expire forgets challenges that nobody can use any more.
func (c *challenges) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) > 0 {
		x, ok := c.by[c.order[0]]
		if ok && now.Before(x.expires) {
			return
		}
		delete(c.by, c.order[0])
		c.order = c.order[1:]
	}
}

// loginText is what a wallet shows and signs. It names the network, the account, the host
// and the end of its validity, so that it is of no use to anybody else.
func loginText(h home, address, nonce string, expires time.Time) string {
	return strings.Join([]string{
		"phrd login",
		"network: " + h.networkName(),
		"account: " + address,
		"host: " + h.host,
		"nonce: " + nonce,
		"expires: " + expires.UTC().Format(time.RFC3339),
	}, "\n")
}

type challengeBody struct {
	Nonce     string    `json:"nonce"`
	Text      string    `json:"text"`
	ExpiresAt time.Time `json:"expires_at"`
}

// serveChallenge gives a text to sign. Whether the account exists does not show.
func (g *Gateway) serveChallenge(w http.ResponseWriter, r *http.Request) error {
	fields, err := readFields(w, r, "address")
	if err != nil {
		return err
	}
	address := fields["address"]
	if _, err := wallet.ParseAddress(address); err != nil {
		return refuse(http.StatusBadRequest, "address: %v", err)
	}
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("draw nonce: %w", err)
	}
	nonce, now := hex.EncodeToString(random[:]), g.config.Now()
	// Whole seconds, since the text carries no more.
	expires := now.Add(g.config.Limits.Challenge).UTC().Truncate(time.Second)
	text := loginText(h, address, nonce, expires)
	g.challenges.expire(now)
	g.challenges.add(nonce, challenge{address: address, text: text, expires: expires})
	return answer(w, http.StatusOK, challengeBody{Nonce: nonce, Text: text, ExpiresAt: expires})
}

type principalBody struct {
	Address  string `json:"address"`
	Role     string `json:"role"`
	Hospital uint64 `json:"hospital"`
	Patient  string `json:"patient"`
	// Audits is what of the log an auditor sees; null for others.
	Audits *auditsBody `json:"audits"`
}

type auditsBody struct {
	All       bool     `json:"all"`
	Hospitals []uint64 `json:"hospitals"`
}

func bodyOf(c caller) principalBody {
	p := principalBody{Address: c.address, Role: roleWord(c.role), Hospital: c.hospital, Patient: c.patient}
	if c.isAuditor() {
		p.Audits = &auditsBody{All: c.audits.GetAll(), Hospitals: append([]uint64{}, c.audits.GetHospitals()...)}
	}
	return p
}

type loginBody struct {
	Token     string        `json:"token"`
	ExpiresAt time.Time     `json:"expires_at"`
	Principal principalBody `json:"principal"`
}

// serveLogin begins a session for who signed a challenge. A challenge is used up by the
// first try, whatever comes of it.
func (g *Gateway) serveLogin(w http.ResponseWriter, r *http.Request) error {
	fields, err := readFields(w, r, "address", "public_key", "nonce", "signature")
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.Strict().DecodeString(fields["public_key"])
	if err != nil {
		return refuse(http.StatusBadRequest, "public_key is not base64")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(fields["signature"])
	if err != nil {
		return refuse(http.StatusBadRequest, "signature is not base64")
	}
	c, ok := g.challenges.take(fields["nonce"])
	if !ok || c.address != fields["address"] || !g.config.Now().Before(c.expires) {
		return g.loginFailed(r.Context(), fields["address"], failedChallenge, &fault{
			status: http.StatusUnauthorized, detail: "the challenge is unknown, used or expired, or was made for another account",
			hint: "ask for a new one at /login/challenge",
		})
	}
	if signer, ok := wallet.VerifyArbitrary(key, []byte(c.text), signature); !ok || signer != c.address {
		return g.loginFailed(r.Context(), c.address, failedSignature, refuse(http.StatusUnauthorized, "the signature is not this account's over the challenge"))
	}
	return g.logIn(r.Context(), w, c.address)
}

func (g *Gateway) logIn(ctx context.Context, w http.ResponseWriter, address string) error {
	h, err := g.home(ctx)
	if err != nil {
		return err
	}
	if !h.active {
		return unavailable(nil, "this hospital may not take part in the network now")
	}
	c, err := g.principal(ctx, address)
	if errors.Is(err, errNobody) {
		return g.loginFailed(ctx, address, failedNoRole, refuse(http.StatusForbidden, "the account has no role in the network, or none that may act now"))
	}
	if err != nil {
		return err
	}
	token, err := newToken()
	if err != nil {
		return err
	}
	if err := g.noteSession(ctx, consortiumv1.SessionKind_SESSION_KIND_LOGGED_IN, address, began(keyOf(token), address)); err != nil {
		return err
	}
	end := g.sessions.begin(token, address)
	return answer(w, http.StatusOK, loginBody{
		Token: token, ExpiresAt: end.UTC(),
		Principal: bodyOf(c),
	})
}

// serveLogout ends the session of the token that it is called with.
func (g *Gateway) serveLogout(w http.ResponseWriter, r *http.Request) error {
	if token, ok := bearer(r.Header.Get("Authorization")); ok {
		if address, ok := g.sessions.end(token); ok {
			if err := g.noteSession(r.Context(), consortiumv1.SessionKind_SESSION_KIND_LOGGED_OUT, address, ended(keyOf(token))); err != nil {
				return err
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// noteSession writes down what somebody did in a session, and what it does to sessions.
func (g *Gateway) noteSession(ctx context.Context, kind consortiumv1.SessionKind, address string, m mark) error {
	if err := g.happenings.noteMarked(ctx, happening{kind: kind, account: address}, 1, m); err != nil {
		return unavailable(err, "what is done here can't be written down now")
	}
	return nil
}

// loginFailed returns why nobody got in, after it is written down. Accounts that the network does not know are nobody's, so that made-up
// ones cost no more than one.
func (g *Gateway) loginFailed(ctx context.Context, address, reason string, why error) error {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	what := happening{kind: consortiumv1.SessionKind_SESSION_KIND_LOGIN_FAILED, reason: reason}
	if _, err := wallet.ParseAddress(address); err == nil {
		_, err := consortiumv1.NewQueryClient(g.config.Chain).Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: address})
		if err == nil {
			what.account = address
		} else if status.Code(err) != codes.NotFound {
			return unavailable(err, "the node does not answer")
		}
	}
	if err := g.happenings.note(ctx, what, 1); err != nil {
		return unavailable(err, "logins can't be written down now")
	}
	return why
}
