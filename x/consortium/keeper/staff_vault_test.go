package keeper_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// publishing is a message that makes a key known.
func publishing(staff string, epoch uint64, key []byte) *consortium.MsgPublishStaffVault {
	m := &consortium.MsgPublishStaffVault{Staff: staff, Epoch: epoch}
	for ; len(key) > 64; key = key[64:] {
		m.VaultKey = append(m.VaultKey, key[:64])
	}
	m.VaultKey = append(m.VaultKey, key)
	return m
}

func TestPublishStaffVault(t *testing.T) {
	f := newFixture(t, 2)
	doctor, clerk, gone := f.staff(1, consortium.ROLE_CLINICIAN), f.staff(1, consortium.ROLE_CLERK), f.staff(1, consortium.ROLE_CLINICIAN)
	_, err := f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: f.admins[0], Address: gone})
	require.NoError(t, err)
	first, second := f.xwing(), f.xwing()
	_, err = f.msg.PublishStaffVault(f.ctx, publishing(doctor, 1, first))
	require.NoError(t, err)
	require.Equal(t, audit.Entry{
		Kind: audit.KindStaffVaultPublished, Actor: doctor, Role: "clinician", Hospital: 1, Target: doctor, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	s, err := f.keeper.StaffMember(f.ctx, doctor)
	require.NoError(t, err)
	require.Equal(t, first, s.VaultKey)
	require.EqualValues(t, 1, f.principal(doctor).VaultEpoch)

	for _, c := range []struct {
		name string
		msg  *consortium.MsgPublishStaffVault
		err  error
	}{
		{"the same epoch", publishing(doctor, 1, second), consortium.ErrInvalidEpoch},
		{"an epoch left out", publishing(doctor, 3, second), consortium.ErrInvalidEpoch},
		{"the same key", publishing(doctor, 2, first), consortium.ErrKnownKey},
		{"an admin", publishing(f.admins[0], 1, second), consortium.ErrUnauthorized},
		{"a clerk", publishing(clerk, 1, second), consortium.ErrUnauthorized},
		{"who was revoked", publishing(gone, 1, second), consortium.ErrUnauthorized},
		{"a stranger", publishing(stranger, 1, second), consortium.ErrUnknownAccount},
		{"a short key", publishing(doctor, 2, second[:1152]), consortium.ErrInvalidKey},
		{"parts of another length", publishing(doctor, 2, second[:1200]), consortium.ErrInvalidKey},
		{"bytes that are no key", publishing(doctor, 2, bytes.Repeat([]byte{0xff}, 1216)), consortium.ErrInvalidKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.PublishStaffVault(f.ctx, c.msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
}

func TestWards(t *testing.T) {
	f := newFixture(t, 2)
	doctor := f.address()
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[0], Address: doctor, Role: consortium.ROLE_CLINICIAN, Wards: []uint32{7, 4711}})
	require.NoError(t, err)
	require.Equal(t, []uint32{7, 4711}, f.principal(doctor).Wards)
	_, err = f.msg.PublishStaffVault(f.ctx, publishing(doctor, 1, f.xwing()))
	require.NoError(t, err)

	update := func(admin, address string, wards ...uint32) error {
		_, err := f.msg.UpdateStaff(f.ctx, &consortium.MsgUpdateStaff{Admin: admin, Address: address, Wards: wards})
		return err
	}
	require.NoError(t, update(f.admins[0], doctor, 1, consortium.MaxWard))
	require.Equal(t, audit.Entry{
		Kind: audit.KindStaffUpdated, Actor: f.admins[0], Role: "admin", Hospital: 1, Target: doctor, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, []uint32{1, consortium.MaxWard}, f.principal(doctor).Wards)
	require.EqualValues(t, 1, f.principal(doctor).VaultEpoch, "the vault stays")
	many := make([]uint32, consortium.MaxWards+1)
	for i := range many {
		many[i] = uint32(i) + 1
	}
	for _, c := range []struct {
		name           string
		admin, address string
		wards          []uint32
		err            error
	}{
		{"another hospital's admin", f.admins[1], doctor, []uint32{1}, consortium.ErrUnauthorized},
		{"the person", doctor, doctor, []uint32{1}, consortium.ErrUnauthorized},
		{"nobody", f.admins[0], stranger, []uint32{1}, consortium.ErrUnknownAccount},
		{"ward 0", f.admins[0], doctor, []uint32{0}, consortium.ErrInvalidWards},
		{"a ward too high", f.admins[0], doctor, []uint32{consortium.MaxWard + 1}, consortium.ErrInvalidWards},
		{"a ward twice", f.admins[0], doctor, []uint32{5, 5}, consortium.ErrInvalidWards},
		{"out of order", f.admins[0], doctor, []uint32{5, 4}, consortium.ErrInvalidWards},
		{"too many", f.admins[0], doctor, many, consortium.ErrInvalidWards},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.ErrorIs(t, update(c.admin, c.address, c.wards...), c.err)
			require.Equal(t, []uint32{1, consortium.MaxWard}, f.principal(doctor).Wards)
		})
	}
	require.NoError(t, update(f.admins[0], doctor))
	require.Empty(t, f.principal(doctor).Wards)
	_, err = f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[0], Address: f.address(), Role: consortium.ROLE_CLERK, Wards: []uint32{0}})
	require.ErrorIs(t, err, consortium.ErrInvalidWards)
}
