package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

func TestRotateMemberVault(t *testing.T) {
	f := newFixture(t, 2)
	was, key := f.member(2), f.xwing()
	clerk := f.staff(2, consortium.ROLE_CLERK)
	for _, c := range []struct {
		name string
		msg  consortium.MsgRotateMemberVault
		err  error
	}{
		{"a stranger", consortium.MsgRotateMemberVault{Admin: stranger, VaultKey: key, Epoch: 2}, consortium.ErrUnknownAccount},
		{"a clerk", consortium.MsgRotateMemberVault{Admin: clerk, VaultKey: key, Epoch: 2}, consortium.ErrUnauthorized},
		{"the epoch of today", consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: key, Epoch: 1}, consortium.ErrInvalidKey},
		{"an epoch left out", consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: key, Epoch: 3}, consortium.ErrInvalidKey},
		{"no key", consortium.MsgRotateMemberVault{Admin: f.admins[1], Epoch: 2}, consortium.ErrInvalidKey},
		{"a short key", consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: key[:1215], Epoch: 2}, consortium.ErrInvalidKey},
		{"the key of today", consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: was.VaultKey, Epoch: 2}, consortium.ErrKnownKey},
		{"another member's key", consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: f.member(1).VaultKey, Epoch: 2}, consortium.ErrKnownKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.msg.RotateMemberVault(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, was, f.member(2))
		})
	}
	_, err := f.msg.RotateMemberVault(f.ctx, &consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: key, Epoch: 2})
	require.NoError(t, err)
	want := was
	want.VaultKey, want.VaultEpoch = key, 2
	require.Equal(t, want, f.member(2))
	require.Equal(t, audit.Entry{
		Kind: audit.KindMemberVaultRotated, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
}

func TestRotateEmergencyVault(t *testing.T) {
	f := newFixture(t, 2)
	was, key := f.member(2), f.xwing()
	clerk := f.staff(2, consortium.ROLE_CLERK)
	for _, c := range []struct {
		name string
		msg  consortium.MsgRotateEmergencyVault
		err  error
	}{
		{"a clerk", consortium.MsgRotateEmergencyVault{Admin: clerk, VaultKey: key, Epoch: 1}, consortium.ErrUnauthorized},
		{"no epoch", consortium.MsgRotateEmergencyVault{Admin: f.admins[1], VaultKey: key}, consortium.ErrInvalidKey},
		{"an epoch left out", consortium.MsgRotateEmergencyVault{Admin: f.admins[1], VaultKey: key, Epoch: 2}, consortium.ErrInvalidKey},
		{"a short key", consortium.MsgRotateEmergencyVault{Admin: f.admins[1], VaultKey: key[:1215], Epoch: 1}, consortium.ErrInvalidKey},
		{"the hospital's other vault", consortium.MsgRotateEmergencyVault{Admin: f.admins[1], VaultKey: was.VaultKey, Epoch: 1}, consortium.ErrKnownKey},
	} {
		_, err := f.msg.RotateEmergencyVault(f.ctx, &c.msg)
		require.ErrorIs(t, err, c.err, c.name)
		require.Equal(t, was, f.member(2))
	}
	_, err := f.msg.RotateEmergencyVault(f.ctx, &consortium.MsgRotateEmergencyVault{Admin: f.admins[1], VaultKey: key, Epoch: 1})
	require.NoError(t, err)
	want := was
	want.EmergencyKey, want.EmergencyEpoch = key, 1
	require.Equal(t, want, f.member(2))
	require.Equal(t, audit.Entry{
		Kind: audit.KindEmergencyVaultRotated, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	_, err = f.msg.RotateEmergencyVault(f.ctx, &consortium.MsgRotateEmergencyVault{Admin: f.admins[0], VaultKey: key, Epoch: 1})
	require.ErrorIs(t, err, consortium.ErrKnownKey)
	_, err = f.msg.RotateMemberVault(f.ctx, &consortium.MsgRotateMemberVault{Admin: f.admins[1], VaultKey: key, Epoch: 2})
	require.ErrorIs(t, err, consortium.ErrKnownKey)
}
