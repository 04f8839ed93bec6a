package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

func TestRegisterStaff(t *testing.T) {
	f := newFixture(t, 2)
	for _, role := range []consortium.Role{
		consortium.ROLE_ADMIN, consortium.ROLE_CLERK, consortium.ROLE_CLINICIAN, consortium.ROLE_OFFICER, consortium.ROLE_AUDITOR,
	} {
		address := f.staff(2, role)
		want := consortium.Principal{Address: address, Role: role, Hospital: 2, Active: true}
		if role == consortium.ROLE_AUDITOR {
			want.Audits = &consortium.AuditScope{Hospitals: []uint64{2}}
		}
		require.Equal(t, want, f.principal(address))
		require.Contains(t, f.accounts.known, address)
		require.Equal(t, audit.Entry{
			Kind: audit.KindStaffRegistered, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: address, Outcome: audit.OUTCOME_OK,
		}, f.log.last())
	}
	clerk, patient := f.staff(1, consortium.ROLE_CLERK), f.patient(1)
	for _, c := range []struct {
		name string
		msg  consortium.MsgRegisterStaff
		err  error
	}{
		{"a stranger", consortium.MsgRegisterStaff{Admin: stranger, Address: f.address(), Role: consortium.ROLE_CLERK}, consortium.ErrUnknownAccount},
		{"a clerk", consortium.MsgRegisterStaff{Admin: clerk, Address: f.address(), Role: consortium.ROLE_CLERK}, consortium.ErrUnauthorized},
		{"a node", consortium.MsgRegisterStaff{Admin: f.nodes[0], Address: f.address(), Role: consortium.ROLE_CLERK}, consortium.ErrUnauthorized},
		{"no role", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.address()}, consortium.ErrInvalidRole},
		{"a patient's role", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.address(), Role: consortium.ROLE_PATIENT}, consortium.ErrInvalidRole},
		{"a node's role", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.address(), Role: consortium.ROLE_NODE}, consortium.ErrInvalidRole},
		{"a role that there is not", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.address(), Role: 99}, consortium.ErrInvalidRole},
		{"no address", consortium.MsgRegisterStaff{Admin: f.admins[0], Role: consortium.ROLE_CLERK}, consortium.ErrInvalidAddress},
		{"the consortium's account", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.keeper.Authority(), Role: consortium.ROLE_CLERK}, consortium.ErrInvalidAddress},
		{"a clerk again", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: clerk, Role: consortium.ROLE_OFFICER}, consortium.ErrKnownAccount},
		{"another member's admin", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.admins[1], Role: consortium.ROLE_CLERK}, consortium.ErrKnownAccount},
		{"a node's account", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.nodes[1], Role: consortium.ROLE_CLERK}, consortium.ErrKnownAccount},
		{"a patient's account", consortium.MsgRegisterStaff{Admin: f.admins[0], Address: patient, Role: consortium.ROLE_CLERK}, consortium.ErrKnownAccount},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries, accounts := len(f.log.entries), len(f.accounts.known)
			_, err := f.msg.RegisterStaff(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
			require.Len(t, f.accounts.known, accounts)
		})
	}
	for range consortium.MaxAdmins - 1 {
		f.staff(1, consortium.ROLE_ADMIN)
	}
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.address(), Role: consortium.ROLE_ADMIN})
	require.ErrorIs(t, err, consortium.ErrTooMany)
	f.staff(1, consortium.ROLE_CLERK)
}

func TestAnAccountOfTheSDKIsKept(t *testing.T) {
	f := newFixture(t, 1)
	address := f.address()
	f.accounts.known[address] = 77
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[0], Address: address, Role: consortium.ROLE_CLERK})
	require.NoError(t, err)
	require.EqualValues(t, 77, f.accounts.known[address])
}

func TestRevokeStaff(t *testing.T) {
	f := newFixture(t, 2)
	clerk, second := f.staff(1, consortium.ROLE_CLERK), f.staff(1, consortium.ROLE_ADMIN)
	revoke := func(admin, address string) error {
		_, err := f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: admin, Address: address})
		return err
	}
	require.NoError(t, revoke(f.admins[0], clerk))
	require.False(t, f.principal(clerk).Active)
	require.Equal(t, audit.Entry{
		Kind: audit.KindStaffRevoked, Actor: f.admins[0], Role: "admin", Hospital: 1, Target: clerk, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	entries := len(f.log.entries)
	require.ErrorIs(t, revoke(f.admins[0], clerk), consortium.ErrWrongStatus)
	require.ErrorIs(t, revoke(f.admins[0], stranger), consortium.ErrUnknownAccount)
	require.ErrorIs(t, revoke(f.admins[0], "x"), consortium.ErrInvalidAddress)
	require.ErrorIs(t, revoke(f.admins[0], f.admins[1]), consortium.ErrUnauthorized)
	require.ErrorIs(t, revoke(f.admins[0], f.nodes[0]), consortium.ErrUnknownAccount)
	require.ErrorIs(t, revoke(clerk, second), consortium.ErrUnauthorized)
	require.ErrorIs(t, revoke(stranger, second), consortium.ErrUnknownAccount)
	require.Len(t, f.log.entries, entries)

	require.NoError(t, revoke(second, f.admins[0]))
	require.ErrorIs(t, revoke(f.admins[0], second), consortium.ErrUnauthorized, "a revoked admin writes nothing")
	require.ErrorIs(t, revoke(second, second), consortium.ErrLastAdmin)
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: second, Address: clerk, Role: consortium.ROLE_CLERK})
	require.ErrorIs(t, err, consortium.ErrKnownAccount, "a revoked account never gets a role again")
}

func TestReplaceAdmin(t *testing.T) {
	f := newFixture(t, 2)
	second, clerk := f.staff(2, consortium.ROLE_ADMIN), f.staff(2, consortium.ROLE_CLERK)
	replace := func(member uint64, admin string) error {
		_, err := f.msg.ReplaceAdmin(f.ctx, &consortium.MsgReplaceAdmin{Authority: f.keeper.Authority(), Member: member, Admin: admin})
		return err
	}
	entries := len(f.log.entries)
	require.ErrorIs(t, replace(3, f.address()), consortium.ErrUnknownMember)
	require.ErrorIs(t, replace(2, clerk), consortium.ErrKnownAccount)
	require.ErrorIs(t, replace(2, ""), consortium.ErrInvalidAddress)
	require.Len(t, f.log.entries, entries)

	fresh := f.address()
	require.NoError(t, replace(2, fresh))
	require.Equal(t, []string{
		audit.KindStaffRevoked, audit.KindStaffRevoked, audit.KindStaffRegistered, audit.KindAdminReplaced,
	}, f.log.kinds(entries))
	require.Equal(t, "2", f.log.last().Target)
	require.False(t, f.principal(second).Active)
	require.False(t, f.principal(f.admins[1]).Active)
	require.True(t, f.principal(clerk).Active)
	require.Equal(t, consortium.Principal{Address: fresh, Role: consortium.ROLE_ADMIN, Hospital: 2, Active: true}, f.principal(fresh))
	require.Contains(t, f.accounts.known, fresh)
	require.True(t, f.principal(f.admins[0]).Active)
}

// An auditor's role ends at the time that it was given for, and no other role has an end.
func TestAuditorsHaveAnEnd(t *testing.T) {
	f := newFixture(t, 4)
	register := func(role consortium.Role, until int64) (string, error) {
		address := f.address()
		_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[0], Address: address, Role: role, Until: until})
		return address, err
	}
	for _, c := range []struct {
		name  string
		role  consortium.Role
		until int64
	}{
		{"a clerk", consortium.ROLE_CLERK, f.now() + 10},
		{"an admin", consortium.ROLE_ADMIN, f.now() + 10},
		{"now", consortium.ROLE_AUDITOR, f.now()},
		{"before there was time", consortium.ROLE_AUDITOR, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := register(c.role, c.until)
			require.ErrorIs(t, err, consortium.ErrInvalidRole)
		})
	}
	limited, err := register(consortium.ROLE_AUDITOR, f.now()+10)
	require.NoError(t, err)
	forever, err := register(consortium.ROLE_AUDITOR, 0)
	require.NoError(t, err)
	require.True(t, f.principal(limited).Active)
	f.pass(9)
	require.True(t, f.principal(limited).Active)
	f.pass(1)
	require.False(t, f.principal(limited).Active)
	require.True(t, f.principal(forever).Active)
}
