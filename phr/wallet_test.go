package phr_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

func TestInvitation(t *testing.T) {
	n := newNetwork(t)
	clerk := n.staff(consortiumv1.Role_ROLE_CLERK, 2)
	i, err := clerk.Invite(t.Context(), day)
	require.NoError(t, err)
	require.Len(t, i.Doors, 2)
	require.EqualValues(t, 2, i.Doors[0].Hospital)

	text := i.String()
	require.Less(t, len(text), 350, "a QR code that a telephone reads")
	back, err := phr.ParseInvitation(" " + text + "\n")
	require.NoError(t, err)
	require.Equal(t, text, back.String())
	for _, wrong := range []string{"", "phrd1", text[:len(text)-1], text[1:], strings.ToLower(text), text + "A", text[:20] + "x" + text[21:]} {
		_, err := phr.ParseInvitation(wrong)
		require.ErrorIs(t, err, phr.ErrInvitation, wrong)
	}

	key := n.key()
	alice, err := phr.Dial(t.Context(), back.Config(key))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, alice.Close()) })
	known, err := alice.HasAccount(t.Context())
	require.NoError(t, err)
	require.False(t, known)
	require.NoError(t, alice.OpenAccount(t.Context(), back))
	known, err = alice.HasAccount(t.Context())
	require.NoError(t, err)
	require.True(t, known)
	var refused *phr.Refused
	require.ErrorAs(t, alice.OpenAccount(t.Context(), back), &refused)
	require.Equal(t, "invitation_used", refused.Reason)
	back.ChainID = "phrd-2"
	require.ErrorIs(t, alice.OpenAccount(t.Context(), back), phr.ErrNetwork)
}

func TestVault(t *testing.T) {
	n := newNetwork(t)
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	alice := n.dial(key, 1)
	p, err := alice.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	require.True(t, p.WalletSlot)
	require.Len(t, strings.Fields(p.Code), 24)
	require.Empty(t, n.patients, "nothing left the program")

	_, err = alice.OpenVault(p.File)
	require.NoError(t, err)
	_, err = alice.OpenVaultByWallet(p.File)
	require.NoError(t, err)
	_, err = p.File.OpenVaultByCode(" " + strings.ToUpper(p.Code) + " ")
	require.NoError(t, err)

	words := strings.Fields(p.Code)
	words[0], words[1] = words[1], words[0]
	_, err = p.File.OpenVaultByCode(strings.Join(words, " "))
	require.ErrorIs(t, err, phr.ErrVault)
	_, err = n.dial(n.key(), 1).OpenVaultByWallet(p.File)
	require.ErrorIs(t, err, phr.ErrVault)
	for _, spoil := range []func(*phr.VaultFile){
		func(f *phr.VaultFile) { f.Blob = bytes.Clone(f.Blob); f.Blob[100] ^= 1 },
		func(f *phr.VaultFile) { f.Epoch++ },
		func(f *phr.VaultFile) { f.Revision++ },
		func(f *phr.VaultFile) { f.Vault = f.Patient },
		func(f *phr.VaultFile) { f.Vault = "" },
		func(f *phr.VaultFile) { f.Network = make([]byte, 32) },
		func(f *phr.VaultFile) { f.Network = nil },
	} {
		f := p.File
		spoil(&f)
		_, err := alice.OpenVault(f)
		require.ErrorIs(t, err, phr.ErrVault)
	}

	_, err = alice.RegisterPatient(t.Context(), p.File)
	require.NoError(t, err)
	got, err := alice.Patient(t.Context(), p.File.Patient)
	require.NoError(t, err)
	require.Equal(t, p.File.Key, got.GetVault().GetKey())
	cid, err := lock.ParseRawCID(got.GetVault().GetBlob())
	require.NoError(t, err)
	chest, err := seal.DecodeChest(cid, n.gates[1].get(cid.String()))
	require.NoError(t, err, "the vault is in the block store")
	require.Equal(t, p.File.Blob, chest.Blob)
	require.Len(t, chest.Slots, 2)
}

// A vault has a slot of a passkey, which this program can't ask. It shows the slot, and opens the vault by the words.
func TestVaultWithAPasskey(t *testing.T) {
	n := newNetwork(t)
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	page := n.dial(key, 1)
	p, err := page.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	p.File.Slots = append(p.File.Slots, phr.VaultSlot{Kind: "passkey", ID: lock.ID{9}.String(), Revision: 1, Wrapped: make([]byte, 80)})
	_, err = page.RegisterPatient(t.Context(), p.File)
	require.NoError(t, err)

	f, err := n.dial(key, 1).RecoverVault(t.Context(), p.Code)
	require.NoError(t, err)
	require.ElementsMatch(t, p.File.Slots, f.Slots)
	require.Equal(t, p.File.Blob, f.Blob)
}

// dice is a wallet whose signatures differ each time.
type dice struct{ *wallet.Key }

// SignArbitrary implements phr.Wallet.
func (d dice) SignArbitrary(data []byte) []byte {
	b := d.Key.SignArbitrary(data)
	b[0] ^= byte(rand.Uint32())<<1 | 1
	return b
}

func TestWalletThatSignsDifferently(t *testing.T) {
	n := newNetwork(t)
	c := n.dial(dice{n.key()}, 1)
	p, err := c.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	require.False(t, p.WalletSlot)
	_, err = c.OpenVaultByWallet(p.File)
	require.ErrorIs(t, err, phr.ErrVault)
	_, err = p.File.OpenVaultByCode(p.Code)
	require.NoError(t, err)
	_, err = c.OpenVault(p.File)
	require.NoError(t, err)
}

// forger signs an approval until another day.
type forger struct{ *wallet.Key }

// SignAmino implements phr.Wallet.
func (f forger) SignAmino(a wallet.Account, gas uint64, msg proto.Message) ([]byte, []byte, error) {
	if m, ok := msg.(*accessv1.MsgApproveUnlock); ok {
		changed := proto.CloneOf(m)
		changed.Until = "2099-01-01T00:00:00Z"
		msg = changed
	}
	return f.Key.SignAmino(a, gas, msg)
}

func TestWalletThatSignsSomethingElse(t *testing.T) {
	c := newCast(t)
	key := c.key()
	c.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	c.alice = c.dial(forger{key}, 1)
	p, err := c.alice.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	_, err = c.alice.RegisterPatient(t.Context(), p.File)
	require.NoError(t, err)
	c.number = p.File.Patient
	vault, err := c.alice.OpenVault(p.File)
	require.NoError(t, err)
	unlock := c.endorsed(c.store(content(10)).Ref)
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	_, err = r.Approve(t.Context(), vault)
	require.ErrorIs(t, err, phr.ErrDocument)
	u, err := c.alice.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	require.Nil(t, u.GetApproval())
}

func TestSameButFee(t *testing.T) {
	want := `{"account_number":"1","chain_id":"x","fee":{"amount":[],"gas":"1"},"memo":"","msgs":[{"type":"a","value":{"b":"c"}}],"sequence":"0"}`
	require.NoError(t, phr.SameButFee([]byte(want), []byte(want)))
	require.NoError(t, phr.SameButFee([]byte(want), []byte(strings.Replace(want, `"gas":"1"`, `"gas":"2"`, 1))))
	for _, got := range []string{
		"", "{}", strings.Replace(want, `"b":"c"`, `"b":"d"`, 1), strings.Replace(want, `"memo":""`, `"memo":"x"`, 1),
		strings.Replace(want, `"sequence":"0"`, `"sequence":"1"`, 1), strings.Replace(want, `"chain_id":"x"`, `"chain_id":"y"`, 1),
		strings.Replace(want, `"memo"`, `"more":1,"memo"`, 1),
	} {
		require.ErrorIs(t, phr.SameButFee([]byte(want), []byte(got)), phr.ErrDocument, got)
	}
}
