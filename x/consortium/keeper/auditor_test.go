package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

const year = 365 * 24 * 3600

// appoint is what members vote on to have an account see the log of hospitals, for a year.
func (f *fixture) appoint(auditor string, hospitals ...uint64) *consortium.MsgAppointAuditor {
	return &consortium.MsgAppointAuditor{Authority: f.keeper.Authority(), Auditor: auditor, Hospitals: hospitals, Until: f.now() + year}
}

func (f *fixture) dismiss(auditor string) *consortium.MsgDismissAuditor {
	return &consortium.MsgDismissAuditor{Authority: f.keeper.Authority(), Auditor: auditor}
}

// auditorOf registers an auditor of a member until a time, 0 for no end.
func (f *fixture) auditorOf(member int, until int64) string {
	f.t.Helper()
	address := f.address()
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[member-1], Address: address, Role: consortium.ROLE_AUDITOR, Until: until})
	require.NoError(f.t, err)
	return address
}

// listed are the addresses of a member's staff, 0 for everybody's.
func (f *fixture) listed(member uint64) []string {
	f.t.Helper()
	got, err := f.query.Staff(f.ctx, &consortium.QueryStaffRequest{Hospital: member})
	require.NoError(f.t, err)
	var addresses []string
	for _, s := range got.Staff {
		addresses = append(addresses, s.Address)
	}
	return addresses
}

// What an auditor sees is what the members said, and without them what concerns the own hospital.
func TestAuditorsSeeWhatTheyWereAppointedFor(t *testing.T) {
	f := newFixture(t, 4)
	own, some, all := f.auditorOf(2, 0), f.address(), f.address()
	number := f.propose(f.appoint(some, 1, 3), f.appoint(all))
	f.votes(number, true, 1, 2)
	f.endBlock()
	require.NotContains(t, f.listed(0), some, "two of four hospitals are no majority")
	f.votes(number, true, 4)
	f.endBlock()
	for address, want := range map[string]consortium.Principal{
		own:  {Hospital: 2, Audits: &consortium.AuditScope{Hospitals: []uint64{2}}},
		some: {Audits: &consortium.AuditScope{Hospitals: []uint64{1, 3}}},
		all:  {Audits: &consortium.AuditScope{All: true}},
	} {
		want.Address, want.Role, want.Active = address, consortium.ROLE_AUDITOR, true
		require.Equal(t, want, f.principal(address))
	}
	require.Contains(t, f.accounts.known, some)
	require.Contains(t, f.log.entries, audit.Entry{Kind: audit.KindAuditorAppointed, Role: audit.RoleChain, Target: some, Outcome: audit.OUTCOME_OK})
	require.Nil(t, f.principal(f.admins[0]).Audits)

	f.suspend(1)
	require.True(t, f.principal(some).Active, "an auditor of the members is no hospital's")
	f.suspend(2)
	require.False(t, f.principal(own).Active)
}

// A vote changes what somebody sees, makes a hospital's auditor one of the members, and ends it.
func TestAppointmentsAreReplacedAndEnded(t *testing.T) {
	f := newFixture(t, 4)
	who := f.auditorOf(2, f.now()+100)
	carry := func(msg *consortium.MsgAppointAuditor) {
		t.Helper()
		_, err := f.msg.AppointAuditor(f.ctx, msg)
		require.NoError(t, err)
	}
	carry(f.appoint(who))
	require.Equal(t, &consortium.AuditScope{All: true}, f.principal(who).Audits)
	require.NotContains(t, f.listed(2), who)
	require.Contains(t, f.listed(0), who)
	_, err := f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: f.admins[1], Address: who})
	require.ErrorIs(t, err, consortium.ErrUnauthorized)
	f.pass(100)
	f.endBlock()
	require.True(t, f.principal(who).Active, "the end of the former role is none of the new one's")

	carry(f.appoint(who, 4))
	require.Equal(t, &consortium.AuditScope{Hospitals: []uint64{4}}, f.principal(who).Audits)
	_, err = f.msg.DismissAuditor(f.ctx, f.dismiss(who))
	require.NoError(t, err)
	require.False(t, f.principal(who).Active)
	require.Equal(t, audit.Entry{Kind: audit.KindAuditorDismissed, Role: audit.RoleChain, Target: who, Outcome: audit.OUTCOME_OK}, f.log.last())
	_, err = f.msg.DismissAuditor(f.ctx, f.dismiss(who))
	require.ErrorIs(t, err, consortium.ErrWrongStatus)
	carry(f.appoint(who))
	require.True(t, f.principal(who).Active)
}

// Who can't be appointed or dismissed is not worth a vote, and a vote does not make it so.
func TestWhoIsNotAppointed(t *testing.T) {
	f := newFixture(t, 4)
	clerk, own := f.staff(1, consortium.ROLE_CLERK), f.auditorOf(1, 0)
	late, descending, twice := f.appoint(f.address()), f.appoint(f.address(), 3, 1), f.appoint(f.address(), 2, 2)
	late.Until = f.now()
	endless := f.appoint(f.address())
	endless.Until = 0
	for _, c := range []struct {
		name string
		msg  *consortium.MsgAppointAuditor
		err  error
	}{
		{"a clerk", f.appoint(clerk), consortium.ErrKnownAccount},
		{"a server", f.appoint(f.nodes[1]), consortium.ErrKnownAccount},
		{"a patient", f.appoint(f.patient(1)), consortium.ErrKnownAccount},
		{"no address", f.appoint("mallory"), consortium.ErrInvalidAddress},
		{"until now", late, consortium.ErrInvalidRole},
		{"for ever", endless, consortium.ErrInvalidRole},
		{"of no member", f.appoint(f.address(), 1, 9), consortium.ErrUnknownMember},
		{"of hospital 0", f.appoint(f.address(), 0), consortium.ErrInvalidScope},
		{"out of order", descending, consortium.ErrInvalidScope},
		{"of one twice", twice, consortium.ErrInvalidScope},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.AppointAuditor(f.ctx, c.msg)
			require.ErrorIs(t, err, c.err)
			_, err = f.submit(f.admins[0], c.msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
	for address, want := range map[string]error{own: consortium.ErrUnauthorized, clerk: consortium.ErrUnauthorized, f.address(): consortium.ErrUnknownAccount} {
		_, err := f.msg.DismissAuditor(f.ctx, f.dismiss(address))
		require.ErrorIs(t, err, want)
		_, err = f.submit(f.admins[0], f.dismiss(address))
		require.ErrorIs(t, err, want)
	}
	require.True(t, f.principal(own).Active)
}

// The log tells of each role that ended, once, with the first block after; of nobody who lost the role before, and never more at
// once than a block may.
func TestTheLogTellsThatRolesEnded(t *testing.T) {
	f := newFixture(t, 4)
	registered, revoked, forever := f.auditorOf(3, f.now()+10), f.auditorOf(3, f.now()+10), f.auditorOf(3, 0)
	appointed := f.appoint(f.address())
	appointed.Until = f.now() + 20
	_, err := f.msg.AppointAuditor(f.ctx, appointed)
	require.NoError(t, err)
	_, err = f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: f.admins[2], Address: revoked})
	require.NoError(t, err)
	ends := func() (targets []string) {
		t.Helper()
		before := len(f.log.entries)
		f.endBlock()
		for _, e := range f.log.entries[before:] {
			require.Equal(t, audit.Entry{Kind: audit.KindRoleEnded, Role: audit.RoleChain, Target: e.Target, Outcome: audit.OUTCOME_OK}, e)
			targets = append(targets, e.Target)
		}
		return targets
	}
	f.pass(9)
	require.Empty(t, ends())
	f.pass(1)
	require.Equal(t, []string{"3/" + registered}, ends())
	require.Empty(t, ends())
	f.pass(30)
	require.Equal(t, []string{"0/" + appointed.Auditor}, ends())
	require.True(t, f.principal(forever).Active)

	for range consortium.MaxEndingsPerBlock + 1 {
		f.auditorOf(1, f.now()+5)
	}
	f.pass(5)
	require.Len(t, ends(), consortium.MaxEndingsPerBlock)
	require.Len(t, ends(), 1)
}

// The state of a chain of the first version: roles have an end, and nothing waits for it.
func TestMigrateEndings(t *testing.T) {
	f := newFixture(t, 1)
	over, later := f.auditorOf(1, f.now()+10), f.auditorOf(1, f.now()+100)
	f.auditorOf(1, 0)
	f.pass(50)
	raw := f.ctx.KVStore(f.store)
	queue := raw.Iterator(consortium.EndingPrefix.Bytes(), []byte{consortium.EndingPrefix.Bytes()[0] + 1})
	var old [][]byte
	for ; queue.Valid(); queue.Next() {
		old = append(old, queue.Key())
	}
	require.NoError(t, queue.Close())
	require.Len(t, old, 2)
	for _, key := range old {
		raw.Delete(key)
	}
	entries := len(f.log.entries)
	f.endBlock()
	require.Len(t, f.log.entries, entries)

	require.NoError(t, f.keeper.MigrateEndings(f.ctx))
	f.endBlock()
	require.Equal(t, "1/"+over, f.log.last().Target)
	f.pass(100)
	f.endBlock()
	require.Equal(t, "1/"+later, f.log.last().Target)
	require.Len(t, f.log.entries, entries+2)
}
