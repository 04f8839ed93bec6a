package keeper_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/consortium/keeper"
)

func TestNewNeedsItsNeighbours(t *testing.T) {
	f := blank(t)
	for _, n := range []keeper.Neighbours{
		{Accounts: f.accounts, Router: f.router}, {Audit: f.log, Router: f.router}, {Audit: f.log, Accounts: f.accounts},
	} {
		_, err := keeper.New(f.cdc, nil, n)
		require.ErrorContains(t, err, "a neighbour is missing")
	}
}

func TestPrincipals(t *testing.T) {
	f := newFixture(t, 4)
	clerk, patient := f.staff(2, consortium.ROLE_CLERK), f.patient(3)
	storage := f.storageNode(2)
	for _, c := range []struct {
		name, address string
		want          consortium.Principal
	}{
		{"an admin", f.admins[0], consortium.Principal{Role: consortium.ROLE_ADMIN, Hospital: 1, Active: true}},
		{"a clerk", clerk, consortium.Principal{Role: consortium.ROLE_CLERK, Hospital: 2, Active: true}},
		{"a member's server", f.nodes[3], consortium.Principal{Role: consortium.ROLE_NODE, Hospital: 4, Active: true}},
		{"a storage node", storage.Account, consortium.Principal{Role: consortium.ROLE_STORAGE, Hospital: 2, Active: true}},
		{"a patient", patient, consortium.Principal{Role: consortium.ROLE_PATIENT, Active: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Address = c.address
			require.Equal(t, c.want, f.principal(c.address))
			require.Equal(t, c.want, f.principal(strings.ToUpper(c.address)))
			p, entry, err := f.keeper.Actor(f.ctx, c.address)
			require.NoError(t, err)
			require.Equal(t, c.want, p)
			require.Equal(t, audit.Entry{Actor: c.address, Role: c.want.Role.Text(), Hospital: c.want.Hospital}, entry)
			require.Contains(t, f.accounts.known, c.address)
		})
	}
	f.keeper.SetPrincipals(fakePrincipals{patient: "a number"})
	require.Equal(t, "a number", f.principal(patient).Patient)
	require.Empty(t, f.principal(clerk).Patient)

	for _, address := range []string{stranger, "", "x", f.keeper.Authority()} {
		_, err := f.keeper.Principal(f.ctx, address)
		require.ErrorIs(t, err, consortium.ErrUnknownAccount)
		_, _, err = f.keeper.Actor(f.ctx, address)
		require.ErrorIs(t, err, consortium.ErrUnknownAccount)
	}
}

func TestInviter(t *testing.T) {
	f := newFixture(t, 4)
	patient := f.patient(3)
	inviter, err := f.keeper.Inviter(f.ctx, patient)
	require.NoError(t, err)
	require.EqualValues(t, 3, inviter)
	inviter, err = f.keeper.Inviter(f.ctx, f.admins[0])
	require.NoError(t, err)
	require.Zero(t, inviter)
	_, err = f.keeper.Inviter(f.ctx, "x")
	require.ErrorIs(t, err, consortium.ErrUnknownAccount)
}

func TestASuspendedMembersPeopleWriteNothing(t *testing.T) {
	f := newFixture(t, 4)
	clerk, patient, storage := f.staff(2, consortium.ROLE_CLERK), f.patient(2), f.storageNode(2)
	f.suspend(2)
	for _, address := range []string{f.admins[1], clerk, f.nodes[1], storage.Account} {
		require.False(t, f.principal(address).Active)
	}
	require.True(t, f.principal(patient).Active, "a patient is no hospital's")
	require.True(t, f.principal(f.admins[0]).Active)
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[1], Address: f.address(), Role: consortium.ROLE_CLERK})
	require.ErrorIs(t, err, consortium.ErrUnauthorized)
}

func TestSpend(t *testing.T) {
	f := newFixture(t, 1)
	params := consortium.DefaultParams()
	params.Buckets = []consortium.Bucket{{Role: "admin", PerMinute: 6, Burst: 3}, {Role: "clerk", PerMinute: 6, Burst: 3}}
	_, err := f.msg.UpdateParams(f.ctx, &consortium.MsgUpdateParams{Authority: f.keeper.Authority(), Params: params})
	require.NoError(t, err)
	admin := f.admins[0]

	require.NoError(t, f.keeper.Spend(f.ctx, admin, "admin", 2))
	require.NoError(t, f.keeper.Spend(f.ctx, admin, "admin", 1))
	require.ErrorIs(t, f.keeper.Spend(f.ctx, admin, "admin", 1), consortium.ErrRateLimited)
	require.NoError(t, f.keeper.Spend(f.ctx, stranger, "clerk", 3), "each account has its own")

	f.pass(9)
	require.ErrorIs(t, f.keeper.Spend(f.ctx, admin, "admin", 1), consortium.ErrRateLimited)
	f.pass(1)
	require.NoError(t, f.keeper.Spend(f.ctx, admin, "admin", 1), "one comes back in ten seconds, and a refusal takes none")
	require.ErrorIs(t, f.keeper.Spend(f.ctx, admin, "admin", 1), consortium.ErrRateLimited)

	f.pass(-1_000)
	require.ErrorIs(t, f.keeper.Spend(f.ctx, admin, "admin", 1), consortium.ErrRateLimited, "time that goes back gives nothing")
	f.pass(1_000 + 3_600)
	require.ErrorIs(t, f.keeper.Spend(f.ctx, admin, "admin", 4), consortium.ErrRateLimited, "more than the bucket holds")
	require.NoError(t, f.keeper.Spend(f.ctx, admin, "admin", 3))

	require.ErrorIs(t, f.keeper.Spend(f.ctx, admin, "patient", 1), consortium.ErrRateLimited, "a role without a bucket")
	require.ErrorIs(t, f.keeper.Spend(f.ctx, "x", "admin", 1), consortium.ErrUnknownAccount)
}
