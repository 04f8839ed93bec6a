package seal_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

func TestVaultRotates(t *testing.T) {
	id, network := lock.ID(noise(200, 16)), lock.Network(noise(201, 32))
	v := must(seal.NewVault(id))
	require.Equal(t, uint64(1), v.Newest())
	first, held := v.Key(1)
	require.True(t, held)
	require.Equal(t, uint64(2), must(v.Rotate()))
	require.Equal(t, uint64(3), must(v.Rotate()))
	require.Equal(t, []uint64{1, 2, 3}, v.Epochs())
	require.NotEqual(t, first.Public(), v.Public(seal.PatientRecipient(id)).Key)
	require.Equal(t, uint64(3), v.Public(seal.PatientRecipient(id)).Epoch)
	require.ErrorIs(t, v.Retire(1, 3), lock.ErrField)
	require.Equal(t, []uint64{1, 2, 3}, v.Epochs(), "nothing is removed with an error")
	require.NoError(t, v.Retire(1, 77))
	require.Equal(t, []uint64{2, 3}, v.Epochs())
	_, held = v.Key(1)
	require.False(t, held)

	kv := must(seal.NewKV())
	blob, err := v.Seal(network, 5, kv)
	require.NoError(t, err)
	again, err := v.Seal(network, 5, kv)
	require.NoError(t, err)
	require.NotEqual(t, blob, again, "the nonce is fresh at each write")
	place := seal.VaultPlace{Network: network, Vault: id, Newest: 3, Revision: 5}
	opened, err := seal.OpenVault(place, kv, blob)
	require.NoError(t, err)
	require.Equal(t, v.Epochs(), opened.Epochs())
	key, _ := v.Key(2)
	same, held := opened.Key(2)
	require.True(t, held)
	require.Equal(t, key.Seed(), same.Seed())

	_, err = seal.OpenVault(place, must(seal.NewKV()), blob)
	require.ErrorIs(t, err, seal.ErrVault)
	for i := range blob {
		bent := bytes.Clone(blob)
		bent[i] ^= 1 << (i % 8)
		_, err := seal.OpenVault(place, kv, bent)
		require.ErrorIs(t, err, seal.ErrVault)
	}
	_, err = v.Seal(network, 0, kv)
	require.ErrorIs(t, err, lock.ErrField)
}

func TestAVaultOfManyEpochs(t *testing.T) {
	id, network, kv := lock.ID(noise(200, 16)), lock.Network(noise(201, 32)), must(seal.NewKV())
	var numbers []uint64
	var seeds [][]byte
	for i := range uint64(120) {
		numbers, seeds = append(numbers, i*i+1), append(seeds, noise(i, 32))
	}
	v := must(seal.VaultOf(id, numbers, seeds))
	blob, err := v.Seal(network, 1, kv)
	require.NoError(t, err)
	require.Len(t, blob, 12+2*4080+16)
	opened, err := seal.OpenVault(seal.VaultPlace{Network: network, Vault: id, Newest: numbers[119], Revision: 1}, kv, blob)
	require.NoError(t, err)
	require.Equal(t, numbers, opened.Epochs())
}

// opens tells whether a slot opens with a secret, and fails for any refusal but ErrSlot.
func opens(t *testing.T, at seal.SlotPlace, secret seal.SlotSecret, slot []byte, kv seal.KV) bool {
	t.Helper()
	got, err := at.Unwrap(secret, slot)
	if err != nil {
		require.ErrorIs(t, err, seal.ErrSlot)
		return false
	}
	require.True(t, got.Equal(kv))
	return true
}

func slotPlace(kind lock.SlotKind) seal.SlotPlace {
	return seal.SlotPlace{
		Network: lock.Network(noise(1, 32)), Kind: kind, Account: [20]byte(noise(2, 20)), Vault: lock.ID(noise(3, 16)),
		Slot: lock.ID(noise(4, 16)), Revision: 1,
	}
}

// purse is a wallet.
type purse struct{ key *secp256k1.PrivateKey }

func newPurse(seed uint64) purse { return purse{secp256k1.PrivKeyFromBytes(noise(seed, 32))} }

func (p purse) public() []byte { return p.key.PubKey().SerializeCompressed() }

func (p purse) sign(document []byte) []byte {
	digest := sha256.Sum256(document)
	return ecdsa.SignCompact(p.key, digest[:], true)[1:]
}

func TestAWalletSlotNeedsSignatureAndPepper(t *testing.T) {
	place, kv := slotPlace(lock.SlotWallet), must(seal.NewKV())
	request := seal.WalletRequest{
		Network: place.Network, ChainID: "phrd-1", Account: "phrd1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnyhhm8d", Vault: place.Vault,
		Slot: place.Slot, Site: "phrd.example",
	}
	alice, pepper := newPurse(5), must(seal.NewPepper())
	signature := alice.sign(must(request.Document()))
	secret, err := seal.WalletSecret(request, alice.public(), signature, pepper)
	require.NoError(t, err)
	slot, err := place.Wrap(secret, kv)
	require.NoError(t, err)
	require.Len(t, slot, seal.SlotSize)
	require.True(t, opens(t, place, secret, slot, kv))
	again := must(seal.WalletSecret(request, alice.public(), alice.sign(must(request.Document())), pepper))
	require.True(t, opens(t, place, again, slot, kv), "the wallet signs the same again")

	// A phished signature without the pepper opens nothing.
	phished := must(seal.WalletSecret(request, alice.public(), signature, must(seal.NewPepper())))
	require.False(t, opens(t, place, phished, slot, kv))
	elsewhere := request
	elsewhere.Site = "phrd.example.evil"
	other := must(seal.WalletSecret(elsewhere, alice.public(), alice.sign(must(elsewhere.Document())), pepper))
	require.False(t, opens(t, place, other, slot, kv))

	high := bytes.Clone(signature)
	var s secp256k1.ModNScalar
	s.SetByteSlice(signature[32:])
	negated := s.Negate().Bytes()
	copy(high[32:], negated[:])
	for what, c := range map[string]struct{ key, signature []byte }{
		"another account":              {newPurse(6).public(), signature},
		"another text":                 {alice.public(), alice.sign(must(elsewhere.Document()))},
		"high s":                       {alice.public(), high},
		"uncompressed key":             {alice.key.PubKey().SerializeUncompressed(), signature},
		"no key":                       {nil, signature},
		"DER":                          {alice.public(), append([]byte{0x30}, signature...)},
		"empty":                        {alice.public(), nil},
		"a signature of the bare text": {alice.public(), alice.sign(must(request.Text()))},
	} {
		_, err := seal.WalletSecret(request, c.key, c.signature, pepper)
		require.ErrorIs(t, err, seal.ErrSlotSecret, what)
	}
	request.Site = "a b"
	_, err = seal.WalletSecret(request, alice.public(), signature, pepper)
	require.ErrorIs(t, err, lock.ErrField)
}

func TestTheWalletTextCannotBeBent(t *testing.T) {
	good := seal.WalletRequest{ChainID: "phrd-1", Account: "phrd1abc", Site: "phrd.example"}
	require.NoError(t, errOf(good.Document()))
	for _, change := range []func(*seal.WalletRequest){
		func(r *seal.WalletRequest) { r.Account = `phrd1","signer":"x` },
		func(r *seal.WalletRequest) { r.Account = `phrd1\` },
		func(r *seal.WalletRequest) { r.Account = "phrd1\nsite:" },
		func(r *seal.WalletRequest) { r.Account = "" },
		func(r *seal.WalletRequest) { r.ChainID = "" },
		func(r *seal.WalletRequest) { r.Site = "phrd.example\nsite: evil" },
		func(r *seal.WalletRequest) { r.Site = "\u0440hrd.example" },
		func(r *seal.WalletRequest) { r.Site = "" },
	} {
		bad := good
		change(&bad)
		require.ErrorIs(t, errOf(bad.Document()), lock.ErrField)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestACodeSlot(t *testing.T) {
	place, kv, code := slotPlace(lock.SlotCode), must(seal.NewKV()), must(seal.NewCode())
	words := strings.Fields(code.Words())
	require.Len(t, words, 24)
	slot, err := place.Wrap(seal.CodeSecret(code), kv)
	require.NoError(t, err)
	typed := must(seal.ParseCode("  " + strings.ToUpper(strings.Join(words, " \t\r\n ")) + "\n"))
	require.True(t, opens(t, place, seal.CodeSecret(typed), slot, kv))
	require.False(t, opens(t, place, seal.CodeSecret(must(seal.NewCode())), slot, kv))

	// A word of the code may be one of those that the errors are written in.
	plain := errOf(seal.ParseCode("")).Error() + " " + errOf(seal.ParseCode(strings.Repeat("phrd ", 24))).Error()
	for _, bad := range []string{
		"", strings.Join(words[:23], " "), strings.Join(append(slices.Clone(words), words[0]), " "), strings.Join(words[:12], " "),
		strings.Join(append(slices.Clone(words[:23]), "phrd"), " "), strings.Join(words, "\u00a0"), strings.Join(words, "-"),
	} {
		_, err := seal.ParseCode(bad)
		require.ErrorIs(t, err, seal.ErrSlotSecret, bad)
		for _, word := range words {
			if strings.Contains(plain, " "+word+" ") {
				continue
			}
			require.NotContains(t, err.Error(), " "+word+" ", "an error names no word of a code")
		}
	}
	// One word mistyped for another of the list is found but for one time in 256.
	found := 0
	for i := range 24 {
		swapped := slices.Clone(words)
		swapped[i] = map[bool]string{true: "zoo", false: "abandon"}[words[i] == "abandon"]
		if _, err := seal.ParseCode(strings.Join(swapped, " ")); errors.Is(err, seal.ErrSlotSecret) {
			found++
		}
	}
	require.Greater(t, found, 20)
}

func TestASlotOpensInItsPlaceOnly(t *testing.T) {
	kv := must(seal.NewKV())
	place, secret := slotPlace(lock.SlotPasskey), must(seal.PasskeySecret(noise(7, 32)))
	slot, err := place.Wrap(secret, kv)
	require.NoError(t, err)
	again, err := place.Wrap(secret, kv)
	require.NoError(t, err)
	require.NotEqual(t, slot, again, "the salt is fresh at each wrap")
	require.True(t, opens(t, place, secret, slot, kv))
	require.False(t, opens(t, place, must(seal.PasskeySecret(noise(8, 32))), slot, kv))
	for _, change := range []func(*seal.SlotPlace){
		func(p *seal.SlotPlace) { p.Network[0] ^= 1 }, func(p *seal.SlotPlace) { p.Account[0] ^= 1 }, func(p *seal.SlotPlace) { p.Vault[0] ^= 1 },
		func(p *seal.SlotPlace) { p.Slot[0] ^= 1 }, func(p *seal.SlotPlace) { p.Revision++ },
	} {
		other := place
		change(&other)
		require.False(t, opens(t, other, secret, slot, kv))
	}
	for i := range slot {
		bent := bytes.Clone(slot)
		bent[i] ^= 1 << (i % 8)
		require.False(t, opens(t, place, secret, bent, kv))
	}
	for _, kind := range []lock.SlotKind{0, lock.SlotWallet, lock.SlotCode, lock.SlotGuardians, 5} {
		other := place
		other.Kind = kind
		_, err := other.Unwrap(secret, slot)
		require.ErrorIs(t, err, lock.ErrField)
		_, err = other.Wrap(secret, kv)
		require.ErrorIs(t, err, lock.ErrField)
	}
	_, err = place.Wrap(seal.SlotSecret{}, kv)
	require.ErrorIs(t, err, lock.ErrField)
	_, err = place.Unwrap(secret, slot[:79])
	require.ErrorIs(t, err, seal.ErrSlot)
}

func TestGuardiansOpenTogetherWithTheNetwork(t *testing.T) {
	place := slotPlace(lock.SlotGuardians)
	dealt := must(lock.Deal(2, []uint64{1, 2, 3}, chance(9)))
	key := lock.Generation{Network: place.Network, Kind: lock.KeyGuardians, Number: 1, X: dealt.X}
	terms := seal.GuardianTerms{Slot: place, Key: key, Threshold: 2, Signer: place.Account}
	var vaults []*lock.PrivateKey
	for i := range uint64(3) {
		vaults = append(vaults, must(lock.GeneratePrivateKey(chance(20+i))))
		terms.Guardians = append(terms.Guardians, vaults[i].Public())
	}
	g, err := seal.NewGuardians(terms)
	require.NoError(t, err)
	require.NoError(t, g.Statement.Verify(g.Proof))
	kv := must(seal.NewKV())
	slot, err := place.Wrap(g.Secret, kv)
	require.NoError(t, err)

	k := g.Statement.U.Mul(must(lock.Interpolate(dealt.Shares[1:]))) // what two holders release
	var shares []lock.SecretShare
	for i, vault := range vaults {
		share, err := seal.OpenGuardianShare(vault, place, uint64(i)+1, g.Commitments, g.Shares[i])
		require.NoError(t, err)
		shares = append(shares, share)
	}
	for _, pair := range [][]lock.SecretShare{{shares[0], shares[1]}, {shares[2], shares[0]}, shares} {
		secret, err := seal.JoinGuardians(g.Commitments, pair, k)
		require.NoError(t, err)
		require.True(t, opens(t, place, secret, slot, kv))
	}
	secret, err := seal.JoinGuardians(g.Commitments, shares, g.Statement.U)
	require.NoError(t, err)
	require.False(t, opens(t, place, secret, slot, kv), "without the network's half")
	_, err = seal.JoinGuardians(g.Commitments, shares, lock.Point{})
	require.ErrorIs(t, err, lock.ErrPoint)

	wrong := lock.SecretShare{Index: 2, Value: shares[0].Value}
	for what, list := range map[string][]lock.SecretShare{
		"one": shares[:1], "one twice": {shares[0], shares[0]}, "a wrong one": {shares[0], wrong}, "none": nil,
	} {
		_, err := seal.JoinGuardians(g.Commitments, list, k)
		require.ErrorIs(t, err, seal.ErrGuardians, what)
	}
	_, err = seal.JoinGuardians(nil, shares, k)
	require.ErrorIs(t, err, seal.ErrGuardians)

	elsewhere := place
	elsewhere.Slot[0] ^= 1
	other := must(seal.NewGuardians(terms))
	for what, open := range map[string]func() error{
		"another guardian's": func() error { return errOf(seal.OpenGuardianShare(vaults[1], place, 1, g.Commitments, g.Shares[0])) },
		"another place":      func() error { return errOf(seal.OpenGuardianShare(vaults[0], place, 2, g.Commitments, g.Shares[0])) },
		"another slot": func() error {
			return errOf(seal.OpenGuardianShare(vaults[0], elsewhere, 1, g.Commitments, g.Shares[0]))
		},
		"other commitments": func() error {
			return errOf(seal.OpenGuardianShare(vaults[0], place, 1, other.Commitments, g.Shares[0]))
		},
		"truncated": func() error {
			return errOf(seal.OpenGuardianShare(vaults[0], place, 1, g.Commitments, g.Shares[0][:1167]))
		},
	} {
		require.ErrorIs(t, open(), seal.ErrGuardians, what)
	}
	require.ErrorIs(t, errOf(seal.OpenGuardianShare(vaults[0], place, 0, g.Commitments, g.Shares[0])), lock.ErrField)
	// A share sealed well that fits no commitment, as a malicious owner could hand out.
	info := must(seal.GuardianInfo(place, 1, g.Commitments))
	for _, plain := range [][]byte{shares[1].Value.Bytes(), make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), make([]byte, 31)} {
		sealed := must(lock.Seal(vaults[0].Public(), info, plain))
		require.ErrorIs(t, errOf(seal.OpenGuardianShare(vaults[0], place, 1, g.Commitments, sealed)), seal.ErrGuardians)
	}

	for what, change := range map[string]func(*seal.GuardianTerms){
		"threshold 0": func(x *seal.GuardianTerms) { x.Threshold = 0 }, "threshold over": func(x *seal.GuardianTerms) { x.Threshold = 4 },
		"kind of slot": func(x *seal.GuardianTerms) { x.Slot.Kind = lock.SlotCode }, "kind of key": func(x *seal.GuardianTerms) { x.Key.Kind = lock.KeyRecords },
		"another network": func(x *seal.GuardianTerms) { x.Key.Network[0] ^= 1 }, "revision 0": func(x *seal.GuardianTerms) { x.Slot.Revision = 0 },
		"generation 0": func(x *seal.GuardianTerms) { x.Key.Number = 0 },
	} {
		bad := terms
		change(&bad)
		require.ErrorIs(t, errOf(seal.NewGuardians(bad)), lock.ErrField, what)
	}
}

func TestSecretsHaveNoText(t *testing.T) {
	raw := bytes.Repeat([]byte{0x5a}, 32)
	secrets := []any{
		must(seal.DEKFromBytes(raw)), must(seal.HalfFromBytes(raw)), must(seal.KVFromBytes(raw)), must(seal.PepperFromBytes(raw)),
		must(seal.PasskeySecret(raw)), seal.CodeSecret(seal.Code{}),
	}
	for _, secret := range secrets {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
			require.Equal(t, "[secret]", fmt.Sprintf(verb, secret))
		}
	}
	dek := must(seal.DEKFromBytes(raw))
	require.True(t, dek.Equal(must(seal.DEKFromBytes(raw))))
	require.False(t, dek.Equal(must(seal.DEKFromBytes(noise(1, 32)))))
	b := dek.Bytes()
	b[0] ^= 1
	require.Equal(t, raw, dek.Bytes(), "Bytes is a copy")
	require.True(t, must(seal.PepperFromBytes(raw)).Equal(must(seal.PepperFromBytes(raw))))
	for _, size := range []int{0, 31, 33} {
		require.ErrorIs(t, errOf(seal.DEKFromBytes(make([]byte, size))), lock.ErrField)
		require.ErrorIs(t, errOf(seal.KVFromBytes(make([]byte, size))), lock.ErrField)
	}
}

func TestRecipients(t *testing.T) {
	address := [20]byte(noise(1, 20))
	for _, r := range []seal.Recipient{
		seal.PatientRecipient(lock.ID(noise(2, 16))), seal.StaffRecipient(address), must(seal.HospitalRecipient(7)), must(seal.EmergencyRecipient(7)),
	} {
		same, err := seal.ParseRecipient(r.Kind(), r.Bytes())
		require.NoError(t, err)
		require.Equal(t, r, same)
	}
	require.ErrorIs(t, errOf(seal.HospitalRecipient(0)), lock.ErrField)
	require.ErrorIs(t, errOf(seal.EmergencyRecipient(0)), lock.ErrField)
	for kind, size := range map[lock.RecipientKind]int{0: 16, 5: 16, lock.RecipientPatient: 20, lock.RecipientStaff: 16, lock.RecipientHospital: 16} {
		require.ErrorIs(t, errOf(seal.ParseRecipient(kind, make([]byte, size))), lock.ErrField)
	}
}
