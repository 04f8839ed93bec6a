package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// Why a pepper was not given; the words are those of x/consortium.
const (
	refusedChallenge = "challenge"
	refusedSignature = "signature"
	refusedAdmission = "admission"
	refusedLocked    = "locked"
)

// wordSize is the length in bytes of the word of an admission: nobody guesses it in the few tries that there are.
const wordSize = 10

var wordAlphabet = base32.NewEncoding("abcdefghjkmnpqrstvwxyz0123456789").WithPadding(base32.NoPadding)

func addressBytes(text string) (b [wallet.AddressSize]byte, err error) {
	address, err := wallet.ParseAddress(text)
	if err != nil {
		return b, err
	}
	return [wallet.AddressSize]byte(address), nil
}

// vaultOf is the vault of a patient on the chain.
func (g *Gateway) vaultOf(ctx context.Context, patient string) (*recordsv1.Vault, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := recordsv1.NewQueryClient(g.config.Chain).Patient(ctx, &recordsv1.QueryPatientRequest{Id: patient})
	if status.Code(err) == codes.NotFound {
		return nil, notFound()
	}
	if err != nil {
		return nil, unavailable(err, "the node does not answer")
	}
	return got.GetPatient().GetVault(), nil
}

// ownPepper begins a request about a patient's own pepper: it checks the caller and the rate, and returns with the lock held, which
// done gives back.
func (g *Gateway) ownPepper(ctx context.Context, c caller) (h home, k *keptPepper, done func(), err error) {
	if !c.isPatient() || c.patient == "" {
		return h, nil, nil, notFound()
	}
	if wait := g.accountPeppers.take(c.address, 1); wait > 0 {
		return h, nil, nil, tooMany(wait)
	}
	if h, err = g.home(ctx); err != nil {
		return h, nil, nil, err
	}
	g.peppers.mu.Lock()
	if k, err = g.peppers.load(h.network, c.patient); err != nil {
		g.peppers.mu.Unlock()
		return h, nil, nil, err
	}
	return h, k, g.peppers.mu.Unlock, nil
}

// notePepper writes down a step about a pepper.
func (g *Gateway) notePepper(ctx context.Context, what happening) error {
	if err := g.happenings.note(ctx, what, 1); err != nil {
		return unavailable(err, "what happens to peppers can't be written down now")
	}
	return nil
}

// servePutPepper keeps the pepper of a wallet's slot for the patient who owns the vault, and who may have it later.
func (g *Gateway) servePutPepper(w http.ResponseWriter, r *http.Request, c caller) error {
	fields, err := readFields(w, r, "vault", "slot", "revision", "pepper", "keys")
	if err != nil {
		return err
	}
	deposit, err := readDeposit(fields)
	if err != nil {
		return err
	}
	if !c.isPatient() || c.patient == "" {
		return notFound()
	}
	vault, err := g.vaultOf(r.Context(), c.patient)
	if err != nil {
		return err
	}
	if vault.GetId() != deposit.Vault || deposit.Revision > vault.GetRevision() {
		return refuse(http.StatusConflict, "the network has no such revision of the vault; the node may be behind")
	}
	h, k, done, err := g.ownPepper(r.Context(), c)
	if err != nil {
		return err
	}
	defer done()
	deposit.Network, deposit.Patient, deposit.Account = h.network[:], c.patient, c.address
	next, err := k.take(deposit)
	if err != nil {
		return err
	}
	if err := g.peppers.save(next); err != nil {
		return err
	}
	if err := g.notePepper(r.Context(), happening{kind: consortiumv1.SessionKind_SESSION_KIND_PEPPER_DEPOSITED, account: c.address}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readDeposit reads what is deposited. Errors are faults.
func readDeposit(fields map[string]string) (*keptPepper, error) {
	d := &keptPepper{Vault: fields["vault"], Slot: fields["slot"]}
	for _, id := range []string{d.Vault, d.Slot} {
		if _, err := lock.ParseCanonicalID(id); err != nil {
			return nil, refuse(http.StatusBadRequest, "vault or slot: %v", err)
		}
	}
	var err error
	if d.Revision, err = strconv.ParseUint(fields["revision"], 10, 63); err != nil || d.Revision == 0 {
		return nil, refuse(http.StatusBadRequest, "revision is not a number from 1")
	}
	if d.Pepper, err = base64.StdEncoding.Strict().DecodeString(fields["pepper"]); err != nil || len(d.Pepper) != seal.KeySize {
		return nil, refuse(http.StatusBadRequest, "pepper is not the base64 of %d bytes", seal.KeySize)
	}
	d.Keys, err = readPepperKeys(fields["keys"])
	return d, err
}

// pepperBody is what is told of a pepper that is kept: everything but the pepper.
type pepperBody struct {
	Vault    string      `json:"vault"`
	Slot     string      `json:"slot"`
	Revision uint64      `json:"revision"`
	Ways     []pepperWay `json:"ways"`
	Locked   *time.Time  `json:"locked_until"`
	Admitted *time.Time  `json:"admitted_until"`
}

// pepperWay is a code or a passkey by which the pepper can be collected.
type pepperWay struct {
	Way  string `json:"way"`
	Slot string `json:"slot"`
}

// serveGetPepper tells a patient what is kept.
func (g *Gateway) serveGetPepper(w http.ResponseWriter, r *http.Request, c caller) error {
	_, k, done, err := g.ownPepper(r.Context(), c)
	if err != nil {
		return err
	}
	defer done()
	if k == nil || k.isDeleted() || k.Account != c.address {
		return notFound()
	}
	now := g.config.Now()
	body := pepperBody{Vault: k.Vault, Slot: k.Slot, Revision: k.Revision, Ways: []pepperWay{}}
	for _, key := range k.Keys {
		body.Ways = append(body.Ways, pepperWay{Way: key.Way, Slot: key.Slot})
	}
	if k.locked(now) > 0 {
		body.Locked = &k.Locked
	}
	if k.Admitted != nil && now.Before(k.Admitted.Until) {
		body.Admitted = &k.Admitted.Until
	}
	return answer(w, http.StatusOK, body)
}

// pepperChallengeBody is what is to be signed, beside what the device knows.
type pepperChallengeBody struct {
	Nonce     string    `json:"nonce"`
	ExpiresAt time.Time `json:"expires_at"`
}

// servePepperChallenge gives a nonce for one try to collect. Whether there is a pepper does not show.
func (g *Gateway) servePepperChallenge(w http.ResponseWriter, _ *http.Request, c caller) error {
	if !c.isPatient() || c.patient == "" {
		return notFound()
	}
	if wait := g.accountPeppers.take(c.address, 1); wait > 0 {
		return tooMany(wait)
	}
	var random [seal.PepperNonceSize]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("draw nonce: %w", err)
	}
	nonce, now := hex.EncodeToString(random[:]), g.config.Now()
	expires := now.Add(g.config.Limits.Challenge).UTC().Truncate(time.Second)
	g.pepperChallenges.expire(now)
	g.pepperChallenges.add(nonce, challenge{address: c.address, expires: expires})
	return answer(w, http.StatusOK, pepperChallengeBody{Nonce: nonce, ExpiresAt: expires})
}

// collectedBody is a pepper, for the device of a patient.
type collectedBody struct {
	Vault    string `json:"vault"`
	Slot     string `json:"slot"`
	Revision uint64 `json:"revision"`
	Pepper   []byte `json:"pepper"`
}

// serveCollectPepper gives the pepper to who signed a challenge with the key of a code or of a passkey. The wallet alone, by which the
// session began, is not enough.
func (g *Gateway) serveCollectPepper(w http.ResponseWriter, r *http.Request, c caller) error {
	fields, err := readFields(w, r, "by", "nonce", "signature")
	if err != nil {
		return err
	}
	by, err := lock.ParseCanonicalID(fields["by"])
	if err != nil {
		return refuse(http.StatusBadRequest, "by: %v", err)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(fields["signature"])
	if err != nil || len(signature) != ed25519.SignatureSize {
		return refuse(http.StatusBadRequest, "signature is not the base64 of %d bytes", ed25519.SignatureSize)
	}
	nonce, err := hex.DecodeString(fields["nonce"])
	if err != nil || len(nonce) != seal.PepperNonceSize {
		return refuse(http.StatusBadRequest, "nonce is not %d hex digits", 2*seal.PepperNonceSize)
	}
	return g.collect(w, r, c, func(h home, k *keptPepper) (way, reason string, err error) {
		// A challenge is used up by the first try, whatever comes of it.
		ch, ok := g.pepperChallenges.take(fields["nonce"])
		if !ok || ch.address != c.address || !g.config.Now().Before(ch.expires) {
			return "", refusedChallenge, nil
		}
		asked, err := k.request(h, by, [seal.PepperNonceSize]byte(nonce))
		if err != nil {
			return "", "", err
		}
		digest, err := asked.Digest()
		if err != nil {
			return "", "", err
		}
		key, known := k.key(by.String())
		if !known || !ed25519.Verify(key.Key, digest, signature) {
			return "", refusedSignature, nil
		}
		return key.Way, "", nil
	})
}

// serveCollectInPerson gives the pepper to who has the word of an admission, once.
func (g *Gateway) serveCollectInPerson(w http.ResponseWriter, r *http.Request, c caller) error {
	fields, err := readFields(w, r, "word")
	if err != nil {
		return err
	}
	return g.collect(w, r, c, func(_ home, k *keptPepper) (way, reason string, err error) {
		if !k.admits(fields["word"], g.config.Now()) {
			return "", refusedAdmission, nil
		}
		k.Admitted = nil
		return byInPerson, "", nil
	})
}

// collect gives the pepper where show says in which way it was shown that the device may have it, and no reason against it. Whatever
// comes of it is written down before it is answered.
func (g *Gateway) collect(
	w http.ResponseWriter, r *http.Request, c caller, show func(h home, k *keptPepper) (way, reason string, err error),
) error {
	h, k, done, err := g.ownPepper(r.Context(), c)
	if err != nil {
		return err
	}
	defer done()
	if k == nil || k.isDeleted() || k.Account != c.address {
		return notFound()
	}
	now := g.config.Now()
	if wait := k.locked(now); wait > 0 {
		return g.pepperRefused(r.Context(), c, refusedLocked, &fault{
			status: http.StatusTooManyRequests, detail: "too many tries to collect the pepper failed", hint: "a hospital's staff can admit you in person", retry: wait,
		})
	}
	way, reason, err := show(h, k)
	if err != nil {
		return err
	}
	if reason != "" {
		// An old challenge guesses nothing.
		if reason != refusedChallenge {
			k.failed(now, g.config.Limits)
			if err := g.peppers.save(k); err != nil {
				return err
			}
		}
		return g.pepperRefused(r.Context(), c, reason, refuse(http.StatusForbidden, "the pepper is not given: %s", refusals[reason]))
	}
	k.Failures = 0
	if err := g.peppers.save(k); err != nil {
		return err
	}
	if err := g.notePepper(r.Context(), happening{kind: consortiumv1.SessionKind_SESSION_KIND_PEPPER_COLLECTED, account: c.address, way: way}); err != nil {
		return err
	}
	return answer(w, http.StatusOK, collectedBody{Vault: k.Vault, Slot: k.Slot, Revision: k.Revision, Pepper: k.Pepper})
}

// refusals say why a pepper was not given.
var refusals = map[string]string{
	refusedChallenge: "the challenge is unknown, used or expired, or was made for another account",
	refusedSignature: "the signature is by no code and no passkey that may collect it",
	refusedAdmission: "nobody of the staff admitted a collection with this word, or it has ended",
}

// pepperRefused returns why a pepper was not given, after it is written down.
func (g *Gateway) pepperRefused(ctx context.Context, c caller, reason string, why error) error {
	what := happening{kind: consortiumv1.SessionKind_SESSION_KIND_PEPPER_REFUSED, account: c.address, reason: reason}
	if err := g.notePepper(ctx, what); err != nil {
		return err
	}
	return why
}

// serveDeletePepper deletes the pepper for good: from then on the slot opens on devices that keep the pepper, and on no other. It can be
// asked for again after it was cut short.
func (g *Gateway) serveDeletePepper(w http.ResponseWriter, r *http.Request, c caller) error {
	_, k, done, err := g.ownPepper(r.Context(), c)
	if err != nil {
		return err
	}
	defer done()
	if k == nil {
		return notFound()
	}
	gone := &keptPepper{Network: k.Network, Patient: k.Patient, Account: k.Account, Vault: k.Vault, Slot: k.Slot, Revision: k.Revision}
	if err := g.peppers.save(gone); err != nil {
		return err
	}
	if err := g.notePepper(r.Context(), happening{kind: consortiumv1.SessionKind_SESSION_KIND_PEPPER_DELETED, account: c.address}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// admissionBody is the word that the patient's device gives, once, and until when.
type admissionBody struct {
	Word      string    `json:"word"`
	ExpiresAt time.Time `json:"expires_at"`
}

// serveAdmitPepper has a clerk or an officer of this hospital, who has looked at a person's papers, admit one collection by that
// patient. The word goes from hand to hand; the patient's wallet must sign in with it.
func (g *Gateway) serveAdmitPepper(w http.ResponseWriter, r *http.Request, c caller) error {
	fields, err := readFields(w, r, "patient")
	if err != nil {
		return err
	}
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	if !c.is(roleClerk, roleOfficer) || !c.of(h.number) {
		return refuse(http.StatusForbidden, "clerks and officers of this hospital admit patients")
	}
	if _, err := lock.ParseCanonicalID(fields["patient"]); err != nil {
		return refuse(http.StatusBadRequest, "patient: %v", err)
	}
	if wait := g.accountPeppers.take(c.address, 1); wait > 0 {
		return tooMany(wait)
	}
	var random [wordSize]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("draw word: %w", err)
	}
	word, until := wordAlphabet.EncodeToString(random[:]), g.config.Now().Add(g.config.Limits.PepperAdmission).UTC().Truncate(time.Second)
	g.peppers.mu.Lock()
	defer g.peppers.mu.Unlock()
	k, err := g.peppers.load(h.network, fields["patient"])
	if err != nil {
		return err
	}
	if k == nil || k.isDeleted() {
		return refuse(http.StatusNotFound, "no pepper of this patient is kept here")
	}
	k.admit(word, until)
	if err := g.peppers.save(k); err != nil {
		return err
	}
	what := happening{kind: consortiumv1.SessionKind_SESSION_KIND_PEPPER_ADMITTED, account: c.address, patient: k.Patient}
	if err := g.notePepper(r.Context(), what); err != nil {
		return err
	}
	return answer(w, http.StatusOK, admissionBody{Word: inFours(word), ExpiresAt: until})
}

// inFours is a word as people read it to each other.
func inFours(word string) string {
	var parts []string
	for len(word) > 4 {
		parts, word = append(parts, word[:4]), word[4:]
	}
	return strings.Join(append(parts, word), "-")
}
