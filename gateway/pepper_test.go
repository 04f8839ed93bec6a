package gateway_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// shelf is a patient's vault with what its gateway keeps of it.
type shelf struct {
	*door
	store                      *keys.Store
	folder                     string
	vault, slot, code, passkey lock.ID
	pepper                     seal.Pepper
	codeKey, passKey           ed25519.PrivateKey
}

// newShelf is a gateway that keeps peppers, and alice with a vault of revision 3.
func newShelf(t *testing.T, options ...option) *shelf {
	t.Helper()
	s := &shelf{folder: filepath.Join(t.TempDir(), "keys"), vault: aID(t), slot: aID(t), code: aID(t), passkey: aID(t)}
	var err error
	if s.store, err = keys.Create(s.folder, []byte("correct horse battery"), keys.WithWorkFactor(2)); err != nil {
		t.Fatal(err)
	}
	s.door = newDoor(t, append([]option{soon, func(c *gateway.Config) { c.Peppers = s.store }}, options...)...)
	s.node.change(func() {
		for _, patient := range []string{s.alice, s.bob} {
			s.node.patients[patient].Vault.Id, s.node.patients[patient].Vault.Revision = s.vault.String(), 3
		}
	})
	if s.pepper, err = seal.NewPepper(); err != nil {
		t.Fatal(err)
	}
	code, err := seal.NewCode()
	if err != nil {
		t.Fatal(err)
	}
	prf, err := seal.PasskeySecret(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	s.codeKey = s.key(lock.SlotCode, s.code, seal.CodeSecret(code))
	s.passKey = s.key(lock.SlotPasskey, s.passkey, prf)
	return s
}

func aID(t *testing.T) lock.ID {
	t.Helper()
	id, err := lock.ParseID(newID(t))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *shelf) account(who string) [wallet.AddressSize]byte {
	s.t.Helper()
	address, err := wallet.ParseAddress(s.people[who].address())
	if err != nil {
		s.t.Fatal(err)
	}
	return [wallet.AddressSize]byte(address)
}

func (s *shelf) key(kind lock.SlotKind, slot lock.ID, secret seal.SlotSecret) ed25519.PrivateKey {
	s.t.Helper()
	key, err := seal.SlotPlace{
		Network: lock.Network(s.node.networkID), Kind: kind, Account: s.account("alice"), Vault: s.vault, Slot: slot, Revision: 3,
	}.PepperKey(secret)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// restart is the gateway after its process ended, with its logins.
func (s *shelf) restart() {
	s.stop()
	s.start()
	s.logInAgain()
}

// later moves the clock; logins end with time.
func (s *shelf) later(d time.Duration) {
	s.clock.move(d)
	s.logInAgain()
}

func (s *shelf) logInAgain() {
	for _, p := range s.people {
		p.token = ""
	}
}

func word(way string, slot lock.ID, key ed25519.PrivateKey) string {
	return way + ":" + slot.String() + ":" + hex.EncodeToString(key[ed25519.SeedSize:])
}

// deposit is what alice's device leaves.
func (s *shelf) deposit() headers {
	return headers{
		"vault": s.vault.String(), "slot": s.slot.String(), "revision": "3", "pepper": base64.StdEncoding.EncodeToString(s.pepper.Bytes()),
		"keys": word("code", s.code, s.codeKey),
	}
}

func (s *shelf) call(who, method, path string, fields headers) reply {
	s.t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(who, method, path, headers{"Content-Type": "application/json"}, body)
}

// request is what who signs for a fresh challenge.
func (s *shelf) request(who string, by lock.ID) (r seal.PepperRequest) {
	s.t.Helper()
	var ch struct{ Nonce string }
	s.want(s.call(who, http.MethodPost, "/pepper/challenge", headers{}), http.StatusOK).json(s.t, &ch)
	nonce, err := hex.DecodeString(ch.Nonce)
	if err != nil || len(nonce) != seal.PepperNonceSize {
		s.t.Fatalf("nonce %q", ch.Nonce)
	}
	return seal.PepperRequest{
		Network: lock.Network(s.node.networkID), Host: gatewayHost, Account: s.account("alice"), Vault: s.vault, Slot: s.slot, By: by,
		Nonce: [seal.PepperNonceSize]byte(nonce),
	}
}

// show collects with a signature over signed, for the challenge of asked.
func (s *shelf) show(who string, asked, signed seal.PepperRequest, key ed25519.PrivateKey) reply {
	s.t.Helper()
	digest, err := signed.Digest()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.call(who, http.MethodPost, "/pepper/collect", headers{
		"by": asked.By.String(), "nonce": hex.EncodeToString(asked.Nonce[:]), "signature": base64.StdEncoding.EncodeToString(ed25519.Sign(key, digest)),
	})
}

func (s *shelf) collect(by lock.ID, key ed25519.PrivateKey) reply {
	s.t.Helper()
	asked := s.request("alice", by)
	return s.show("alice", asked, asked, key)
}

// gives demands that an answer has the pepper.
func (s *shelf) gives(r reply) {
	s.t.Helper()
	var got struct {
		Vault, Slot string
		Revision    uint64
		Pepper      []byte
	}
	s.want(r, http.StatusOK).json(s.t, &got)
	pepper, err := seal.PepperFromBytes(got.Pepper)
	if err != nil || !pepper.Equal(s.pepper) || got.Vault != s.vault.String() || got.Slot != s.slot.String() || got.Revision != 3 {
		s.t.Errorf("got a pepper of vault %s, slot %s, revision %d: %v", got.Vault, got.Slot, got.Revision, err)
	}
}

// withholds demands that an answer is a refusal without the pepper.
func (s *shelf) withholds(r reply, status int) {
	s.t.Helper()
	s.want(r, status)
	if bytes.Contains(r.body, s.pepper.Bytes()) || bytes.Contains(r.body, []byte(base64.StdEncoding.EncodeToString(s.pepper.Bytes()))) {
		s.t.Errorf("a refusal has the pepper")
	}
}

const (
	pepperDeposited = consortiumv1.SessionKind_SESSION_KIND_PEPPER_DEPOSITED
	pepperCollected = consortiumv1.SessionKind_SESSION_KIND_PEPPER_COLLECTED
	pepperRefused   = consortiumv1.SessionKind_SESSION_KIND_PEPPER_REFUSED
	pepperAdmitted  = consortiumv1.SessionKind_SESSION_KIND_PEPPER_ADMITTED
	pepperDeleted   = consortiumv1.SessionKind_SESSION_KIND_PEPPER_DELETED
)

func TestAPepperComesBackByCodeAndByPasskey(t *testing.T) {
	s := newShelf(t)
	s.withholds(s.collect(s.code, s.codeKey), http.StatusNotFound)
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	s.gives(s.collect(s.code, s.codeKey))
	s.withholds(s.collect(s.passkey, s.passKey), http.StatusForbidden)

	// Whoever has the pepper may add a further key, and only with it.
	further := s.deposit()
	further["keys"] = word("passkey", s.passkey, s.passKey)
	s.want(s.call("alice", http.MethodPut, "/pepper", further), http.StatusNoContent)
	s.gives(s.collect(s.passkey, s.passKey))
	s.gives(s.collect(s.code, s.codeKey))
	var kept struct {
		Slot string
		Ways []struct{ Way, Slot string }
	}
	s.want(s.do("alice", http.MethodGet, "/pepper", nil, nil), http.StatusOK).json(t, &kept)
	if kept.Slot != s.slot.String() || len(kept.Ways) != 2 || kept.Ways[0].Way != "code" || kept.Ways[1].Slot != s.passkey.String() {
		t.Errorf("it tells of %+v", kept)
	}

	// It survives the gateway, at rest in no file that can be read.
	s.restart()
	s.gives(s.collect(s.code, s.codeKey))
	text := base64.StdEncoding.EncodeToString(s.pepper.Bytes())
	err := filepath.WalkDir(filepath.Dir(s.folder), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, s.pepper.Bytes()) || bytes.Contains(content, []byte(text)) {
			t.Errorf("%s has the pepper in clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.reported(map[string]uint64{
		"PEPPER_DEPOSITED alice": 2, "PEPPER_COLLECTED alice code": 3, "PEPPER_COLLECTED alice passkey": 1, "PEPPER_REFUSED alice signature": 1,
	})
}

// reported waits until the chain has these happenings about peppers, and demands that it has no others.
func (s *shelf) reported(want map[string]uint64) {
	s.t.Helper()
	var got map[string]uint64
	names := map[string]string{}
	for name, p := range s.people {
		names[p.address()] = name
	}
	sum := func(counts map[string]uint64) (n uint64) {
		for c := range maps.Values(counts) {
			n += c
		}
		return n
	}
	eventually(s.t, func() bool {
		s.clock.move(time.Second)
		s.node.mu.Lock()
		defer s.node.mu.Unlock()
		got = map[string]uint64{}
		for _, r := range s.node.sessions {
			kind := strings.TrimPrefix(r.GetKind().String(), "SESSION_KIND_")
			if strings.HasPrefix(kind, "PEPPER_") {
				got[strings.Join(slices.DeleteFunc([]string{kind, names[r.GetAccount()], r.GetWay(), r.GetReason()}, func(w string) bool { return w == "" }), " ")] += r.GetCount()
			}
		}
		return sum(got) >= sum(want)
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("the chain has %v, want %v", got, want)
	}
}

func TestAPepperIsNotGivenToWhoOnlyHasTheWallet(t *testing.T) {
	s := newShelf(t, func(c *gateway.Config) {
		c.Limits.PepperFailures, c.Limits.AccountPeppers = 1000, gateway.Rate{Burst: 1000, Count: 1000, Per: time.Second}
	})
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	_, forged, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() reply{
		"another key":                      func() reply { return s.collect(s.code, forged) },
		"the key of another slot":          func() reply { return s.collect(s.code, s.passKey) },
		"a slot that is none of its keys'": func() reply { return s.collect(s.passkey, s.codeKey) },
		"the pepper's own slot":            func() reply { return s.collect(s.slot, s.codeKey) },
		"a request of another network": func() reply {
			asked := s.request("alice", s.code)
			signed := asked
			signed.Network[0]++
			return s.show("alice", asked, signed, s.codeKey)
		},
		"a request of another gateway": func() reply {
			asked := s.request("alice", s.code)
			signed := asked
			signed.Host = "gateway.er.example:443"
			return s.show("alice", asked, signed, s.codeKey)
		},
		"a request of another account": func() reply {
			asked := s.request("alice", s.code)
			signed := asked
			signed.Account = s.account("bob")
			return s.show("alice", asked, signed, s.codeKey)
		},
		"a request for another vault": func() reply {
			asked := s.request("alice", s.code)
			signed := asked
			signed.Vault[0]++
			return s.show("alice", asked, signed, s.codeKey)
		},
		"a request for another slot": func() reply {
			asked := s.request("alice", s.code)
			signed := asked
			signed.Slot[0]++
			return s.show("alice", asked, signed, s.codeKey)
		},
		"a request of another challenge": func() reply {
			asked := s.request("alice", s.code)
			signed := asked
			signed.Nonce[0]++
			return s.show("alice", asked, signed, s.codeKey)
		},
		"a challenge that was used": func() reply {
			asked := s.request("alice", s.code)
			s.gives(s.show("alice", asked, asked, s.codeKey))
			return s.show("alice", asked, asked, s.codeKey)
		},
		"a challenge that was used in vain": func() reply {
			asked := s.request("alice", s.code)
			s.withholds(s.show("alice", asked, asked, forged), http.StatusForbidden)
			return s.show("alice", asked, asked, s.codeKey)
		},
		"a challenge that nobody gave": func() reply {
			asked := s.request("alice", s.code)
			asked.Nonce[0]++
			return s.show("alice", asked, asked, s.codeKey)
		},
		"another account's challenge": func() reply {
			asked := s.request("bob", s.code)
			return s.show("alice", asked, asked, s.codeKey)
		},
		"a challenge that is too old": func() reply {
			asked := s.request("alice", s.code)
			s.clock.move(3 * time.Minute)
			return s.show("alice", asked, asked, s.codeKey)
		},
		"no admission": func() reply {
			return s.call("alice", http.MethodPost, "/pepper/collect-in-person", headers{"word": "abcd-efgh-jkmn-pqrs"})
		},
		"an empty word": func() reply {
			return s.call("alice", http.MethodPost, "/pepper/collect-in-person", headers{"word": ""})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.withholds(try(), http.StatusForbidden)
			// The same succeeds with nothing wrong.
			s.gives(s.collect(s.code, s.codeKey))
		})
	}
	for _, who := range []string{"clerk1", "officer1", "newcomer", "auditor3", "node2"} {
		s.withholds(s.call(who, http.MethodPost, "/pepper/challenge", headers{}), http.StatusNotFound)
		s.withholds(s.do(who, http.MethodGet, "/pepper", nil, nil), http.StatusNotFound)
	}
	asked := s.request("bob", s.code)
	s.withholds(s.show("bob", asked, asked, s.codeKey), http.StatusNotFound)
	s.withholds(s.call("", http.MethodPost, "/pepper/challenge", headers{}), http.StatusUnauthorized)
}

func TestTooManyFailuresLockAPepper(t *testing.T) {
	s := newShelf(t, func(c *gateway.Config) { c.Limits.PepperFailures = 3 })
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	// A success begins the count anew.
	for range 2 {
		s.withholds(s.collect(s.code, s.passKey), http.StatusForbidden)
	}
	s.gives(s.collect(s.code, s.codeKey))
	for range 3 {
		s.withholds(s.collect(s.code, s.passKey), http.StatusForbidden)
	}
	s.withholds(s.collect(s.code, s.codeKey), http.StatusTooManyRequests)
	// A restart does not open it, nor does a further deposit of the same.
	s.restart()
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	s.withholds(s.collect(s.code, s.codeKey), http.StatusTooManyRequests)
	s.later(24*time.Hour + time.Second)
	s.gives(s.collect(s.code, s.codeKey))
	s.reported(map[string]uint64{
		"PEPPER_DEPOSITED alice": 2, "PEPPER_COLLECTED alice code": 2, "PEPPER_REFUSED alice signature": 5, "PEPPER_REFUSED alice locked": 2,
	})
}

func TestStaffAdmitOneCollectionInPerson(t *testing.T) {
	s := newShelf(t, func(c *gateway.Config) { c.Limits.PepperFailures = 2 })
	admit := func(who, patient string) reply {
		return s.call(who, http.MethodPost, "/pepper/admissions", headers{"patient": patient})
	}
	inPerson := func(who, word string) reply {
		return s.call(who, http.MethodPost, "/pepper/collect-in-person", headers{"word": word})
	}
	admitted := func() string {
		t.Helper()
		var a struct{ Word string }
		s.want(admit("clerk1", s.alice), http.StatusOK).json(t, &a)
		return a.Word
	}
	s.want(admit("clerk1", s.alice), http.StatusNotFound)
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	for _, who := range []string{"alice", "bob", "doctor1", "clerk2", "officer3", "auditor3", "node1"} {
		s.want(admit(who, s.alice), http.StatusForbidden)
	}
	s.want(admit("clerk1", "x"), http.StatusBadRequest)

	word := admitted()
	s.withholds(inPerson("bob", word), http.StatusNotFound)
	s.gives(inPerson("alice", strings.ToUpper(strings.ReplaceAll(word, "-", " "))))
	s.withholds(inPerson("alice", word), http.StatusForbidden) // once

	late := admitted()
	s.later(15*time.Minute + time.Second)
	s.withholds(inPerson("alice", late), http.StatusForbidden)

	first, second := admitted(), admitted()
	s.withholds(inPerson("alice", first), http.StatusForbidden)
	s.gives(inPerson("alice", second))

	// Too many wrong words end an admission, and another one opens what they locked.
	ended := admitted()
	for range 2 {
		s.withholds(inPerson("alice", "abcd-efgh-jkmn-pqrs"), http.StatusForbidden)
	}
	s.withholds(inPerson("alice", ended), http.StatusTooManyRequests)
	s.gives(inPerson("alice", admitted()))
	for _, r := range s.sessions(pepperAdmitted, 6) {
		if r.GetPatient() != s.alice || r.GetAccount() != s.people["clerk1"].address() {
			t.Errorf("an admission is reported as %v", r)
		}
	}
	s.sessions(pepperCollected, 3)
	s.sessions(pepperRefused, 6)
}

func TestAPepperThatWasDeletedIsGone(t *testing.T) {
	s := newShelf(t)
	s.want(s.do("alice", http.MethodDelete, "/pepper", nil, nil), http.StatusNotFound)
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	s.want(s.do("bob", http.MethodDelete, "/pepper", nil, nil), http.StatusNotFound)
	s.gives(s.collect(s.code, s.codeKey))
	s.want(s.do("alice", http.MethodDelete, "/pepper", nil, nil), http.StatusNoContent)
	s.withholds(s.collect(s.code, s.codeKey), http.StatusNotFound)
	s.want(s.call("clerk1", http.MethodPost, "/pepper/admissions", headers{"patient": s.alice}), http.StatusNotFound)
	s.want(s.do("alice", http.MethodGet, "/pepper", nil, nil), http.StatusNotFound)
	// The slot is closed for good, and the next revision of the vault has another one.
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusGone)
	s.node.change(func() { s.node.patients[s.alice].Vault.Revision = 4 })
	next := s.deposit()
	s.slot = aID(t)
	next["slot"], next["revision"] = s.slot.String(), "4"
	s.want(s.call("alice", http.MethodPut, "/pepper", next), http.StatusNoContent)
	s.want(s.collect(s.code, s.codeKey), http.StatusOK)
	s.sessions(pepperDeleted, 1)
}

func TestDepositRefusals(t *testing.T) {
	s := newShelf(t)
	other, err := seal.NewPepper()
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	for _, c := range []struct {
		name, field, value string
		status             int
	}{
		{"another pepper of the slot", "pepper", base64.StdEncoding.EncodeToString(other.Bytes()), http.StatusConflict},
		{"another slot of the revision", "slot", newID(t), http.StatusConflict},
		{"another vault", "vault", newID(t), http.StatusConflict},
		{"a revision that the network does not have", "revision", "4", http.StatusConflict},
		{"an earlier revision", "revision", "2", http.StatusConflict},
		{"revision 0", "revision", "0", http.StatusBadRequest},
		{"a revision that is no number", "revision", "x", http.StatusBadRequest},
		{"a short pepper", "pepper", base64.StdEncoding.EncodeToString(other.Bytes()[1:]), http.StatusBadRequest},
		{"a pepper that is not base64", "pepper", "?", http.StatusBadRequest},
		{"a slot that is none", "slot", "x", http.StatusBadRequest},
		{"no key", "keys", "", http.StatusBadRequest},
		{"a key of the wallet", "keys", word("wallet", s.slot, s.codeKey), http.StatusBadRequest},
		{"a key in capitals", "keys", strings.ToUpper(word("code", s.code, s.codeKey)), http.StatusBadRequest},
		{"a short key", "keys", word("code", s.code, s.codeKey)[:90], http.StatusBadRequest},
		{"a key of no slot", "keys", "code:x:" + hexOf(1), http.StatusBadRequest},
		{"too many keys", "keys", strings.Repeat(word("code", s.code, s.codeKey)+" ", 17), http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := s.deposit()
			bad[c.field] = c.value
			s.want(s.call("alice", http.MethodPut, "/pepper", bad), c.status)
		})
	}
	for _, who := range []string{"clerk1", "newcomer", "node1"} {
		s.want(s.call(who, http.MethodPut, "/pepper", s.deposit()), http.StatusNotFound)
	}
	// What was refused changed nothing.
	s.gives(s.collect(s.code, s.codeKey))

	// Keys are bounded, one at a time as well.
	for i := range 16 {
		further := s.deposit()
		further["keys"] = word("passkey", aID(t), s.passKey)
		status := http.StatusNoContent
		if i == 15 {
			status = http.StatusConflict
		}
		s.want(s.call("alice", http.MethodPut, "/pepper", further), status)
	}
}

// A patient's wallet that was changed leaves nothing to the former one.
func TestAPepperIsOfOneAccount(t *testing.T) {
	s := newShelf(t)
	s.want(s.call("alice", http.MethodPut, "/pepper", s.deposit()), http.StatusNoContent)
	s.node.change(func() {
		former, next := s.node.principals[s.people["alice"].address()], s.node.principals[s.people["newcomer"].address()]
		former.Patient, next.Patient = "", s.alice
		s.node.patients[s.alice].Vault.Revision = 4
	})
	asked := s.request("newcomer", s.code)
	s.withholds(s.show("newcomer", asked, asked, s.codeKey), http.StatusNotFound)
	s.withholds(s.do("alice", http.MethodGet, "/pepper", nil, nil), http.StatusNotFound)
	next := s.deposit()
	next["slot"], next["revision"] = newID(t), strconv.Itoa(4)
	s.want(s.call("newcomer", http.MethodPut, "/pepper", next), http.StatusNoContent)
	s.want(s.do("newcomer", http.MethodGet, "/pepper", nil, nil), http.StatusOK)
}

func TestRequestsAboutPeppersAreLimited(t *testing.T) {
	s := newShelf(t, func(c *gateway.Config) { c.Limits.AccountPeppers = gateway.Rate{Burst: 2, Count: 2, Per: time.Hour} })
	for range 2 {
		s.want(s.do("alice", http.MethodGet, "/pepper", nil, nil), http.StatusNotFound)
	}
	s.want(s.do("alice", http.MethodGet, "/pepper", nil, nil), http.StatusTooManyRequests)
	s.want(s.do("bob", http.MethodGet, "/pepper", nil, nil), http.StatusNotFound)
}
