package keeper_test

import (
	"testing"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

func TestDeny(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	bobsWallet, _ := f.patient()
	id := f.propose(f.doctor, scan)
	gone := f.person(consortium.ROLE_OFFICER, clinic)
	f.revoke(gone)
	for _, signer := range []string{f.doctor, bobsWallet, f.person(consortium.ROLE_OFFICER, er), f.person(consortium.ROLE_ADMIN, clinic)} {
		require.Equal(t, access.ReasonNotParty, f.deny(signer, id))
	}
	require.Equal(t, access.ReasonInactive, f.deny(gone, id))
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(id))

	require.Empty(t, f.deny(f.wallet, id))
	require.Equal(t, access.UNLOCK_STATUS_DENIED, f.status(id))
	require.Equal(t, audit.KindDenied, f.log.last().Kind)
	require.Equal(t, access.ReasonDenied, f.deny(f.officer, id))
	require.Equal(t, access.ReasonDenied, f.withdraw(f.doctor, id))

	id = f.propose(f.doctor, scan)
	require.Empty(t, f.endorse(f.officer, id))
	require.Empty(t, f.deny(f.second, id))
	require.Equal(t, access.ReasonAlreadyApproved, f.deny(f.wallet, f.approved(scan)))
}

// What was denied stays denied, also when its time is over.
func TestDeniedStaysDenied(t *testing.T) {
	f := newFixture(t)
	id := f.propose(f.doctor, f.record(f.alice))
	require.Empty(t, f.deny(f.wallet, id))
	f.nextBlock(15 * day)
	f.nextBlock(5)
	require.Equal(t, access.UNLOCK_STATUS_DENIED, f.status(id))
	require.Equal(t, []string{"proposed", "denied"}, f.log.kinds(id))
}

func TestWithdrawByEachParty(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	for _, signer := range []string{f.doctor, f.wallet, f.officer} {
		id := f.propose(f.doctor, scan)
		require.Empty(t, f.withdraw(signer, id))
		require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
		require.Equal(t, signer, f.log.last().Actor)
		require.Equal(t, audit.KindWithdrawn, f.log.last().Kind)
		require.Equal(t, access.ReasonWithdrawn, f.withdraw(signer, id))
	}
	bobsWallet, _ := f.patient()
	id := f.propose(f.doctor, scan)
	for _, signer := range []string{bobsWallet, f.person(consortium.ROLE_CLINICIAN, er), f.person(consortium.ROLE_OFFICER, er)} {
		require.Equal(t, access.ReasonNotParty, f.withdraw(signer, id))
	}
	require.Empty(t, f.holders.closed, "nothing was released")
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(id))
}

// A withdrawal in the block of the approval wins, before and after it.
func TestWithdrawalInTheSameBlockWins(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	after, before := f.propose(f.doctor, scan), f.propose(f.doctor, scan)
	require.Empty(t, f.endorse(f.officer, after))
	require.Empty(t, f.endorse(f.officer, before))

	require.Empty(t, f.approve(f.wallet, after))
	require.Empty(t, f.withdraw(f.officer, after))
	require.Empty(t, f.withdraw(f.officer, before))
	require.Equal(t, access.ReasonWithdrawn, f.approve(f.wallet, before))
	f.nextBlock(5)
	f.nextBlock(5)
	require.Empty(t, f.holders.requested)
	require.Empty(t, f.holders.closed)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(after))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(before))
	f.approved(scan)
}

func TestWithdrawAfterTheRequestToTheHolders(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)

	early := f.approved(scan)
	require.Empty(t, f.withdraw(f.wallet, early))
	require.True(t, f.holders.closed[early])
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(early))

	// A share that was under way says that it may have been opened.
	require.NoError(t, f.keeper.LateShare(f.ctx, early, 3))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, f.status(early))
	require.NoError(t, f.keeper.LateShare(f.ctx, early, 4))

	late := f.approved(scan)
	f.holders.given[late] = true
	require.Empty(t, f.withdraw(f.wallet, late))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, f.status(late))

	// The requester closes what was opened.
	opened := f.approved(scan)
	f.holders.given[opened] = true
	require.NoError(t, f.keeper.Released(f.ctx, opened))
	require.Empty(t, f.withdraw(f.doctor, opened))
	require.True(t, f.holders.closed[opened])
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, f.status(opened))
	require.Equal(t, access.ReasonWithdrawn, f.withdraw(f.doctor, opened))
	f.nextBlock(15 * day)
	f.nextBlock(5)
	require.Equal(t, []string{"proposed", "endorsed", "approved", "released", "withdrawn"}, f.log.kinds(opened))
}

func TestExpiryEndsEverything(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	proposed := f.propose(f.doctor, scan)
	pending, released := f.approved(scan), f.approved(scan)
	f.holders.given[released] = true
	require.NoError(t, f.keeper.Released(f.ctx, released))
	waiting := f.propose(f.doctor, scan)
	require.Empty(t, f.endorse(f.officer, waiting))
	require.Empty(t, f.approve(f.wallet, waiting))

	// It expires by time alone, and the chain writes it down in the next block.
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().AddDate(0, 0, 1))
	entries := len(f.log.entries)
	all := []string{proposed, pending, released, waiting}
	for _, id := range all {
		require.Equal(t, access.UNLOCK_STATUS_EXPIRED, f.status(id))
	}
	require.Equal(t, access.ReasonExpired, f.withdraw(f.wallet, pending))
	requested := len(f.holders.requested)
	f.nextBlock(5)
	require.Len(t, f.holders.requested, requested)
	require.Len(t, f.log.entries, entries+1+len(all))
	require.False(t, f.holders.closed[proposed])
	require.True(t, f.holders.closed[pending])
	require.True(t, f.holders.closed[released])
	require.False(t, f.holders.closed[waiting], "it never reached the holders")
	for _, id := range all {
		kinds := f.log.kinds(id)
		require.Equal(t, audit.KindExpired, kinds[len(kinds)-1])
	}
	require.Equal(t, audit.RoleChain, f.log.last().Role)
	require.Empty(t, f.log.last().Actor)
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries+1+len(all))
}

func TestExpiryIsExact(t *testing.T) {
	f := newFixture(t)
	id, reason := f.send(f.requestUntil(start+60, f.doctor, f.record(f.alice)))
	require.Empty(t, reason)
	f.nextBlock(59)
	require.Empty(t, f.endorse(f.officer, id))
	f.nextBlock(1)
	require.Equal(t, access.ReasonExpired, f.approve(f.wallet, id))
	f.nextBlock(0)
	require.Equal(t, []string{"proposed", "endorsed", "expired"}, f.log.kinds(id))
}

// A block does a bounded part of the work and the next ones the rest.
func TestBlocksAreBounded(t *testing.T) {
	f := newFixture(t)
	const n = 130
	scan := f.record(f.alice)
	var ids []string
	for i := range n {
		if i%8 == 0 { // one doctor may have eight
			f.doctor = f.person(consortium.ROLE_CLINICIAN, er)
		}
		id := f.propose(f.doctor, scan)
		require.Empty(t, f.endorse(f.officer, id))
		require.Empty(t, f.approve(f.wallet, id))
		ids = append(ids, id)
	}
	f.nextBlock(5)
	require.Len(t, f.holders.requested, access.MaxReleasesPerBlock)
	f.nextBlock(5)
	require.Len(t, f.holders.requested, n)
	f.nextBlock(day)
	f.nextBlock(5)
	require.Len(t, f.holders.closed, access.MaxExpiriesPerBlock)
	f.nextBlock(5)
	require.Len(t, f.holders.closed, n)
	for _, id := range ids {
		require.Equal(t, []string{"proposed", "endorsed", "approved", "expired"}, f.log.kinds(id))
	}
}

// An approval that waited for its block beyond its time releases nothing.
func TestApprovalThatWaitedTooLong(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	for i := range access.MaxExpiriesPerBlock {
		if i%8 == 0 {
			f.doctor = f.person(consortium.ROLE_CLINICIAN, er)
		}
		f.propose(f.doctor, scan)
	}
	f.doctor = f.person(consortium.ROLE_CLINICIAN, er)
	last, reason := f.send(f.requestUntil(start+day+1, f.doctor, scan))
	require.Empty(t, reason)
	require.Empty(t, f.endorse(f.officer, last))
	require.Empty(t, f.approve(f.wallet, last))
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().AddDate(0, 0, 2))
	f.nextBlock(5) // a hundred others expire first
	require.Empty(t, f.holders.requested)
	require.Equal(t, []string{"proposed", "endorsed", "approved", "expired"}, f.log.kinds(last))
	f.nextBlock(5)
	require.Equal(t, []string{"proposed", "endorsed", "approved", "expired"}, f.log.kinds(last))
}

func TestEmptyBlocksWriteNothing(t *testing.T) {
	f := newFixture(t)
	f.propose(f.doctor, f.record(f.alice))
	f.approved(f.record(f.alice))
	store, ok := f.ctx.MultiStore().(storetypes.CommitMultiStore)
	require.True(t, ok)
	before := store.Commit().Hash
	for range 20 {
		f.nextBlock(5)
		require.Equal(t, before, store.Commit().Hash)
	}
	f.propose(f.doctor, f.record(f.alice))
	require.NotEqual(t, before, store.Commit().Hash)
}

func TestReleaseHooks(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	id := f.approved(scan)
	patient, subjects, err := f.keeper.Subject(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, f.alice, patient)
	require.Equal(t, []audit.Subject{{Record: scan.Record, Version: 1}}, subjects)

	entries := len(f.log.entries)
	require.NoError(t, f.keeper.ShareRefused(f.ctx, id, 3, "bad_proof"))
	require.Len(t, f.log.entries, entries, "custody writes the entry")
	require.Equal(t, access.UNLOCK_STATUS_APPROVED, f.status(id))

	for _, err := range []error{
		f.keeper.Released(f.ctx, zeroUnlock), f.keeper.ShareRefused(f.ctx, zeroUnlock, 1, "bad_proof"), f.keeper.LateShare(f.ctx, zeroUnlock, 1),
	} {
		require.ErrorIs(t, err, access.ErrUnknownUnlock)
	}
	_, _, err = f.keeper.Subject(f.ctx, zeroUnlock)
	require.ErrorIs(t, err, access.ErrUnknownUnlock)
}

// A record may get versions after the proposal; the unlock names its own.
func TestUnlockOfAnOlderVersion(t *testing.T) {
	f := newFixture(t)
	first := f.record(f.alice)
	second := first
	second.Version, second.Header.U = 2, f.scalar().Public().Bytes()
	f.add(second)
	id := f.approved(first)
	u, err := f.keeper.Unlock(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, []access.UnlockVersion{{Record: first.Record, Version: 1, M: u.Versions[0].M, U: first.Header.U}}, u.Versions)
	both := f.propose(f.doctor, first, second)
	u, err = f.keeper.Unlock(f.ctx, both)
	require.NoError(t, err)
	require.Len(t, u.Versions, 2)
	require.Equal(t, []records.Version{first, second}, f.data.versions[first.Record])
}
