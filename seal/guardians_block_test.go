package seal_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

func TestGuardiansSharesBlock(t *testing.T) {
	shares := [][]byte{bytes.Repeat([]byte{1}, 1168), bytes.Repeat([]byte{2}, 1168), bytes.Repeat([]byte{3}, 1168)}
	block, err := seal.EncodeShares(shares)
	require.NoError(t, err)
	again, err := seal.DecodeShares(cidOf(block), block)
	require.NoError(t, err)
	require.Equal(t, shares, again)

	for name, wrong := range map[string][][]byte{
		"one": shares[:1], "none": nil, "nine": slices.Repeat(shares, 3), "a short one": {shares[0], shares[1][1:]}, "a long one": {shares[0], append(shares[1], 0)},
	} {
		_, err := seal.EncodeShares(wrong)
		require.ErrorIs(t, err, lock.ErrField, name)
	}
	_, err = seal.DecodeShares(cidOf([]byte{1}), block)
	require.ErrorIs(t, err, seal.ErrGuardians, "another block")
	for name, wrong := range map[string][]byte{
		"nothing": nil, "cut": block[:len(block)-1], "more": append(slices.Clone(block), 0), "another field": append(slices.Clone(block), 0x12, 1, 1),
		"one share": block[:len(block)/3], "a number": {8, 1},
	} {
		_, err := seal.DecodeShares(cidOf(wrong), wrong)
		require.ErrorIs(t, err, seal.ErrGuardians, name)
	}
}

// Guardians' shares that were given for a recovery, with the network's half, make the secret of the slot; for another recovery, or from
// another place, they open nothing.
func TestSharesForARecovery(t *testing.T) {
	const generation = 1
	network, unlock := lock.Network{7}, [32]byte{9}
	x, err := lock.RandomScalar(rand.Reader)
	require.NoError(t, err)
	key := lock.Generation{Network: network, Kind: lock.KeyGuardians, Number: generation, X: x.Public()}
	place := seal.SlotPlace{Network: network, Kind: lock.SlotGuardians, Vault: lock.ID{1}, Slot: lock.ID{2}, Revision: 3}
	vaults := make([]*lock.PrivateKey, 3)
	terms := seal.GuardianTerms{Slot: place, Key: key, Threshold: 2}
	for i := range vaults {
		vaults[i], err = lock.GeneratePrivateKey(rand.Reader)
		require.NoError(t, err)
		terms.Guardians = append(terms.Guardians, vaults[i].Public())
	}
	named, err := seal.NewGuardians(terms)
	require.NoError(t, err)
	kv, err := seal.NewKV()
	require.NoError(t, err)
	slot, err := place.Wrap(named.Secret, kv)
	require.NoError(t, err)

	rk, err := lock.GeneratePrivateKey(rand.Reader)
	require.NoError(t, err)
	var given []lock.SecretShare
	var capsules [][]byte
	for _, i := range []int{2, 0} {
		own, err := seal.OpenGuardianShare(vaults[i], place, uint64(i)+1, named.Commitments, named.Shares[i])
		require.NoError(t, err)
		capsule, err := seal.NewShareCapsule(rk.Public(), network, unlock, own)
		require.NoError(t, err)
		share, err := seal.OpenShareCapsule(rk, network, unlock, uint64(i)+1, named.Commitments, capsule)
		require.NoError(t, err)
		given, capsules = append(given, share), append(capsules, capsule)
	}
	// K_g = x·U_g, which the holders release.
	secret, err := seal.JoinGuardians(named.Commitments, given, named.Statement.U.Mul(x))
	require.NoError(t, err)
	opened, err := place.Unwrap(secret, slot)
	require.NoError(t, err)
	require.Equal(t, kv.Bytes(), opened.Bytes())

	other, err := lock.GeneratePrivateKey(rand.Reader)
	require.NoError(t, err)
	flipped := slices.Clone(capsules[0])
	flipped[1167] ^= 1
	for name, open := range map[string]func() (lock.SecretShare, error){
		"another recovery": func() (lock.SecretShare, error) {
			return seal.OpenShareCapsule(rk, network, [32]byte{8}, 3, named.Commitments, capsules[0])
		},
		"another network": func() (lock.SecretShare, error) {
			return seal.OpenShareCapsule(rk, lock.Network{8}, unlock, 3, named.Commitments, capsules[0])
		},
		"another place": func() (lock.SecretShare, error) {
			return seal.OpenShareCapsule(rk, network, unlock, 2, named.Commitments, capsules[0])
		},
		"another key": func() (lock.SecretShare, error) {
			return seal.OpenShareCapsule(other, network, unlock, 3, named.Commitments, capsules[0])
		},
		"one bit": func() (lock.SecretShare, error) {
			return seal.OpenShareCapsule(rk, network, unlock, 3, named.Commitments, flipped)
		},
		"another's guardians": func() (lock.SecretShare, error) {
			c := lock.Commitments{named.Commitments[1], named.Commitments[0]}
			return seal.OpenShareCapsule(rk, network, unlock, 3, c, capsules[0])
		},
	} {
		_, err := open()
		require.ErrorIs(t, err, seal.ErrGuardians, name)
	}
	_, err = seal.JoinGuardians(named.Commitments, given[:1], named.Statement.U.Mul(x))
	require.ErrorIs(t, err, seal.ErrGuardians, "one guardian alone")
	wrong, err := seal.JoinGuardians(named.Commitments, given, named.Statement.U)
	require.NoError(t, err)
	_, err = place.Unwrap(wrong, slot)
	require.ErrorIs(t, err, seal.ErrSlot, "without the network's half")
	_, err = seal.NewShareCapsule(rk.Public(), network, unlock, lock.SecretShare{})
	require.ErrorIs(t, err, lock.ErrField)
}
