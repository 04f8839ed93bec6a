package seal_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

func reproducePepper(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net, Address octets
		Vault        octets `json:"vault_id"`
		By           octets `json:"slot_id"`
		Slot         octets `json:"wallet_slot_id"`
		Revision     number
		Kind         number `json:"slot_kind"`
		Words        string
		PRF          octets
		Host         string
		Nonce        octets `json:"pepper_nonce"`
		Seed         octets
		PublicKey    octets `json:"public_key"`
		Digest       octets
		Signature    octets
	}](t, v.both(), true)
	of := slotCase{Net: c.Net, Address: c.Address, Vault: c.Vault, Slot: c.By, Revision: c.Revision, Kind: c.Kind, Words: c.Words, PRF: c.PRF}
	place := must(of.place())
	key := must(place.PepperKey(must(of.secret())))
	require.Equal(t, []byte(c.Seed), key.Seed())
	require.Equal(t, []byte(c.PublicKey), []byte(key[ed25519.SeedSize:]))
	request := seal.PepperRequest{
		Network: place.Network, Host: c.Host, Account: place.Account, Vault: place.Vault, Slot: must(lock.IDFromBytes(c.Slot)), By: place.Slot,
		Nonce: must(array[[seal.PepperNonceSize]byte](c.Nonce)),
	}
	digest := must(request.Digest())
	require.Equal(t, []byte(c.Digest), digest)
	require.Equal(t, []byte(c.Signature), ed25519.Sign(key, digest))
}

func reproducePasskeyInput(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net   octets
		Vault octets `json:"vault_id"`
		Input octets `json:"prf_input"`
	}](t, v.both(), true)
	input := seal.PasskeyInput(must(lock.NetworkFromBytes(c.Net)), must(lock.IDFromBytes(c.Vault)))
	require.Equal(t, []byte(c.Input), input[:])
}

// aPepperPlace is the slot of a code, and the code's secret.
func aPepperPlace(t *testing.T) (seal.SlotPlace, seal.SlotSecret) {
	t.Helper()
	code, err := seal.NewCode()
	require.NoError(t, err)
	return seal.SlotPlace{Kind: lock.SlotCode, Vault: lock.ID{1}, Slot: lock.ID{2}, Revision: 3}, seal.CodeSecret(code)
}

// Whatever the key of a pepper is bound to makes another key of it.
func TestAPeppersKeyIsOfOnePlace(t *testing.T) {
	place, secret := aPepperPlace(t)
	key, err := place.PepperKey(secret)
	require.NoError(t, err)
	again, err := place.PepperKey(secret)
	require.NoError(t, err)
	require.True(t, key.Equal(again))
	for name, change := range map[string]func(*seal.SlotPlace){
		"network":  func(p *seal.SlotPlace) { p.Network[0]++ },
		"account":  func(p *seal.SlotPlace) { p.Account[0]++ },
		"vault":    func(p *seal.SlotPlace) { p.Vault[0]++ },
		"slot":     func(p *seal.SlotPlace) { p.Slot[0]++ },
		"revision": func(p *seal.SlotPlace) { p.Revision++ },
	} {
		other := place
		change(&other)
		got, err := other.PepperKey(secret)
		require.NoError(t, err, name)
		require.False(t, key.Equal(got), name)
	}
	_, other := aPepperPlace(t)
	got, err := place.PepperKey(other)
	require.NoError(t, err)
	require.False(t, key.Equal(got), "another code")
	// What opens the slot is none of its bytes.
	kek, err := place.KEK(secret, make([]byte, 32))
	require.NoError(t, err)
	require.NotEqual(t, kek[:], key.Seed())
}

func TestOnlyCodesAndPasskeysCollectAPepper(t *testing.T) {
	place, secret := aPepperPlace(t)
	for name, change := range map[string]func(*seal.SlotPlace){
		"a wallet's slot":       func(p *seal.SlotPlace) { p.Kind = lock.SlotWallet },
		"guardians' slot":       func(p *seal.SlotPlace) { p.Kind = lock.SlotGuardians },
		"no kind":               func(p *seal.SlotPlace) { p.Kind = 0 },
		"a secret of another":   func(p *seal.SlotPlace) { p.Kind = lock.SlotPasskey },
		"a slot of no revision": func(p *seal.SlotPlace) { p.Revision = 0 },
	} {
		bad := place
		change(&bad)
		_, err := bad.PepperKey(secret)
		require.ErrorIs(t, err, lock.ErrField, name)
	}
}

// A signature is for one gateway, one slot of one account, and once.
func TestAPeppersRequestIsBound(t *testing.T) {
	place, secret := aPepperPlace(t)
	key, err := place.PepperKey(secret)
	require.NoError(t, err)
	request := seal.PepperRequest{Host: "gateway.clinic.example:443", Vault: place.Vault, Slot: lock.ID{9}, By: place.Slot}
	digest, err := request.Digest()
	require.NoError(t, err)
	signature, public := ed25519.Sign(key, digest), ed25519.PublicKey(key[ed25519.SeedSize:])
	require.True(t, ed25519.Verify(public, digest, signature))
	for name, change := range map[string]func(*seal.PepperRequest){
		"network": func(r *seal.PepperRequest) { r.Network[31]++ },
		"host":    func(r *seal.PepperRequest) { r.Host = "gateway.clinic.example:444" },
		"account": func(r *seal.PepperRequest) { r.Account[19]++ },
		"vault":   func(r *seal.PepperRequest) { r.Vault[15]++ },
		"slot":    func(r *seal.PepperRequest) { r.Slot[15]++ },
		"by":      func(r *seal.PepperRequest) { r.By[15]++ },
		"nonce":   func(r *seal.PepperRequest) { r.Nonce[31]++ },
	} {
		other := request
		change(&other)
		digest, err := other.Digest()
		require.NoError(t, err, name)
		require.False(t, ed25519.Verify(public, digest, signature), name)
	}
	for _, host := range []string{"", "two words:1", "höst:1"} {
		request.Host = host
		_, err := request.Digest()
		require.ErrorIs(t, err, lock.ErrField, "%q", host)
	}
}
