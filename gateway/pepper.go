package gateway

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// maxPepperKeys is how many codes and passkeys may collect one pepper.
const maxPepperKeys = 16

// How a device shows that it may have a pepper; the words are those of x/consortium.
const (
	byCode     = "code"
	byPasskey  = "passkey"
	byInPerson = "in_person"
)

// Peppers keeps secrets by name, encrypted at rest; it is a *keys.Store.
type Peppers interface {
	// Get returns the secret of a name; the error is fs.ErrNotExist where there is none.
	Get(name string) ([]byte, error)
	// Replace keeps a secret under a name, durably, in the place of the one that was there.
	Replace(name string, secret []byte) error
}

// keptPepper is the pepper of a wallet's slot with all that it is bound to, and who may have it. There is one for a patient.
type keptPepper struct {
	Network  []byte `json:"network"`
	Patient  string `json:"patient"`
	Account  string `json:"account"`
	Vault    string `json:"vault"`
	Slot     string `json:"slot"`
	Revision uint64 `json:"revision"`
	// Pepper is empty once it was deleted: that slot gets none again.
	Pepper []byte      `json:"pepper,omitempty"`
	Keys   []pepperKey `json:"keys,omitempty"`

	// Failures since the last success, and until when nobody collects by a signature or a word.
	Failures int        `json:"failures,omitempty"`
	Locked   time.Time  `json:"locked,omitzero"`
	Admitted *admission `json:"admitted,omitempty"`
}

// pepperKey is the public key by which who has the secret of a slot shows it.
type pepperKey struct {
	Way  string `json:"way"`
	Slot string `json:"slot"`
	Key  []byte `json:"key"`
}

// admission is one collection by a patient whose papers somebody of the staff saw.
type admission struct {
	Word  string    `json:"word"`
	Until time.Time `json:"until"`
}

func (k *keptPepper) isDeleted() bool { return len(k.Pepper) == 0 }

// take puts what is deposited in the place of what is kept, or beside it: further keys for the same pepper are added. Whoever brings
// another pepper for the same slot does not have the first one, and is not to have its own key stand beside it. Errors are faults.
func (k *keptPepper) take(d *keptPepper) (*keptPepper, error) {
	switch {
	case k == nil || k.Vault != d.Vault:
		return d, nil
	case k.Slot != d.Slot && d.Revision > k.Revision:
		return d, nil
	case k.Slot != d.Slot:
		return nil, refuse(http.StatusConflict, "the pepper of a slot of revision %d is kept here already", k.Revision)
	case k.isDeleted():
		return nil, refuse(http.StatusGone, "the pepper of this slot was deleted; write the vault anew for another slot")
	case k.Revision != d.Revision || k.Account != d.Account || subtle.ConstantTimeCompare(k.Pepper, d.Pepper) != 1:
		return nil, refuse(http.StatusConflict, "another pepper of this slot is kept here")
	}
	next := *k
	next.Keys = slices.Clone(k.Keys)
	for _, key := range d.Keys {
		next.Keys = append(slices.DeleteFunc(next.Keys, func(o pepperKey) bool { return o.Slot == key.Slot }), key)
	}
	if len(next.Keys) > maxPepperKeys {
		return nil, refuse(http.StatusConflict, "%d codes and passkeys may collect this pepper already", maxPepperKeys)
	}
	return &next, nil
}

// key is the one of a slot's secret.
func (k *keptPepper) key(slot string) (pepperKey, bool) {
	i := slices.IndexFunc(k.Keys, func(o pepperKey) bool { return o.Slot == slot })
	if i < 0 {
		return pepperKey{}, false
	}
	return k.Keys[i], true
}

// locked is how long nobody collects.
func (k *keptPepper) locked(now time.Time) time.Duration { return max(k.Locked.Sub(now), 0) }

// failed counts a failure, and locks after too many.
func (k *keptPepper) failed(now time.Time, l Limits) {
	if k.Failures++; k.Failures >= l.PepperFailures {
		k.Failures, k.Locked, k.Admitted = 0, now.Add(l.PepperLock), nil
	}
}

// admit makes room for one collection with the word, whatever failed before.
func (k *keptPepper) admit(word string, until time.Time) {
	k.Failures, k.Locked, k.Admitted = 0, time.Time{}, &admission{Word: word, Until: until}
}

// admits tells whether the word is that of an admission that has not ended.
func (k *keptPepper) admits(word string, now time.Time) bool {
	return k.Admitted != nil && now.Before(k.Admitted.Until) && subtle.ConstantTimeCompare([]byte(k.Admitted.Word), []byte(plainWord(word))) == 1
}

// plainWord is a word as it is kept, of one that a person typed.
func plainWord(typed string) string {
	return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(typed))
}

// request is what a device signs to collect the pepper with the secret of a slot.
func (k *keptPepper) request(h home, by lock.ID, nonce [seal.PepperNonceSize]byte) (seal.PepperRequest, error) {
	r := seal.PepperRequest{Network: h.network, Host: h.host, By: by, Nonce: nonce}
	account, err := addressBytes(k.Account)
	if err != nil {
		return r, err
	}
	r.Account = account
	if r.Vault, err = lock.ParseCanonicalID(k.Vault); err != nil {
		return r, err
	}
	r.Slot, err = lock.ParseCanonicalID(k.Slot)
	return r, err
}

// readPepperKeys reads "way:slot:hex" of each key. Errors are faults.
func readPepperKeys(text string) ([]pepperKey, error) {
	var list []pepperKey
	for _, word := range strings.Fields(text) {
		parts := strings.Split(word, ":")
		if len(parts) != 3 || parts[0] != byCode && parts[0] != byPasskey {
			return nil, refuse(http.StatusBadRequest, "a key is code:SLOT:KEY or passkey:SLOT:KEY")
		}
		if _, err := lock.ParseCanonicalID(parts[1]); err != nil {
			return nil, refuse(http.StatusBadRequest, "the slot of a key: %v", err)
		}
		key, err := hex.DecodeString(parts[2])
		if err != nil || len(key) != ed25519.PublicKeySize || hex.EncodeToString(key) != parts[2] {
			return nil, refuse(http.StatusBadRequest, "a key is not %d lower-case hex digits", 2*ed25519.PublicKeySize)
		}
		list = append(list, pepperKey{Way: parts[0], Slot: parts[1], Key: key})
	}
	if len(list) == 0 || len(list) > maxPepperKeys {
		return nil, refuse(http.StatusBadRequest, "%d keys that may collect a pepper, want 1 to %d", len(list), maxPepperKeys)
	}
	return list, nil
}

// peppers are those that this hospital keeps for patients.
type peppers struct {
	store Peppers

	// mu is held from the reading of a pepper to its writing: there are few, and each is small.
	mu sync.Mutex
}

// pepperName is the name of a patient's pepper in the store; the first folder keeps each of them small.
func pepperName(patient string) (string, error) {
	id, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return "", err
	}
	name := hex.EncodeToString(id[:])
	return keys.PepperPrefix + name[:2] + "/" + name, nil
}

// load reads the pepper of a patient in a network; nil where there is none. p.mu is held.
func (p *peppers) load(network lock.Network, patient string) (*keptPepper, error) {
	name, err := pepperName(patient)
	if err != nil {
		return nil, err
	}
	encoded, err := p.store.Get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer clear(encoded)
	k := &keptPepper{}
	if err := json.Unmarshal(encoded, k); err != nil {
		return nil, fmt.Errorf("pepper of a patient: %w", err)
	}
	if !bytes.Equal(k.Network, network[:]) || k.Patient != patient {
		return nil, fmt.Errorf("pepper of a patient: it is another network's, or another patient's")
	}
	return k, nil
}

// save writes it, durably. p.mu is held.
func (p *peppers) save(k *keptPepper) error {
	name, err := pepperName(k.Patient)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(k)
	if err != nil {
		return err
	}
	defer clear(encoded)
	return p.store.Replace(name, encoded)
}
