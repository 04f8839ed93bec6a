package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// aboutRecovery is the entry of what somebody did to a recovery of Alice's wallet.
func (f *fixture) aboutRecovery(kind, actor, role, target string) audit.Entry {
	return audit.Entry{Kind: kind, Actor: actor, Role: role, Patient: f.alice, Target: target, Outcome: audit.OUTCOME_OK}
}

// Alice lost her wallet. Two of her three guardians approve, the delay passes, the holders release, and another account is hers.
func TestRecoveryByGuardians(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	next := f.person(consortium.ROLE_PATIENT, 0)
	m := f.recovery(next, f.alice)
	number, reason := f.askRecovery(m)
	require.Empty(t, reason)
	r, err := f.keeper.Recovery(f.ctx, number)
	require.NoError(t, err)
	require.Equal(t, access.Recovery{
		Number: 1, Patient: f.alice, Account: next, Former: f.wallet, Inviter: clinic, Way: access.RECOVERY_WAY_GUARDIANS, Needed: 2, Delay: 7 * day,
		ProposedAt: start, ExpiresAt: m.ExpiresAt, Guardians: g.guardians, Unlock: r.Unlock, Generation: 1, Vault: f.data.patients[f.alice].Vault.Id,
		Revision: 1, RequestKey: m.RequestKey, B: m.B, M: m.M, Proof: m.Proof,
	}, r)
	proposed := f.aboutRecovery(audit.KindRecoveryProposed, next, "patient", "1")
	proposed.Unlock = r.Unlock
	require.Equal(t, proposed, f.log.last())

	require.Empty(t, f.sendSupport(f.support(g.accounts[2], number)))
	require.Equal(t, access.RECOVERY_STATUS_PROPOSED, f.stands(number))
	f.nextBlock(day)
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
	require.EqualValues(t, 2, f.log.last().Count)
	require.Equal(t, access.RECOVERY_STATUS_DELAYED, f.stands(number))
	require.Equal(t, access.ReasonDelayed, f.finish(f.ending(number)))
	f.nextBlock(7*day - 1)
	f.nextBlock(0)
	require.Empty(t, f.holders.requested, "the delay is not over")

	f.nextBlock(1)
	f.nextBlock(5)
	require.Equal(t, []custody.Release{{Unlock: r.Unlock, Kind: custody.KEY_KIND_GUARDIANS, Generation: 1, Blinded: [][]byte{m.M}}}, f.holders.requested)
	require.Equal(t, access.RECOVERY_STATUS_DUE, f.stands(number))
	require.Equal(t, access.ReasonNotReleased, f.finish(f.ending(number)))
	f.nextBlock(5)
	require.Len(t, f.holders.requested, 1, "they are asked once")
	patient, subjects, err := f.keeper.Subject(f.ctx, r.Unlock)
	require.NoError(t, err)
	require.Equal(t, f.alice, patient)
	require.Empty(t, subjects)
	require.NoError(t, f.keeper.Released(f.ctx, r.Unlock))
	require.Equal(t, audit.KindRecoveryReleased, f.log.last().Kind)
	shown, err := f.query.Recovery(f.ctx, &access.QueryRecoveryRequest{Unlock: r.Unlock})
	require.NoError(t, err)
	require.Equal(t, access.RECOVERY_STATUS_READY, shown.Status)
	require.Equal(t, f.data.patients[f.alice].Vault, *shown.Vault)

	require.Empty(t, f.finish(f.ending(number)))
	require.Equal(t, next, f.data.patients[f.alice].Address)
	require.Equal(t, access.RECOVERY_STATUS_FINISHED, f.stands(number))
	require.True(t, f.holders.closed[r.Unlock])
	require.Equal(t, audit.KindGuardiansEnded, f.log.last().Kind)
	require.NoError(t, f.keeper.LateShare(f.ctx, r.Unlock, 1))
	done, err := f.keeper.Recovery(f.ctx, number)
	require.NoError(t, err)
	require.False(t, done.MayBeOpened, "it was meant to be")
	require.Equal(t, []string{
		audit.KindRecoveryProposed, audit.KindRecoveryApproved, audit.KindRecoveryApproved, audit.KindRecoveryDue, audit.KindRecoveryReleased, audit.KindWalletRecovered,
	}, f.log.kinds(r.Unlock))
	require.Equal(t, access.ReasonFinished, f.cancel(next, number))
	f.sameAfterRestart()
}

// Bob has no guardians. Officers of two hospitals approve who he is, and nothing is released: his words open his vault.
func TestRecoveryByHospitals(t *testing.T) {
	f := newFixture(t)
	next := f.person(consortium.ROLE_PATIENT, 0)
	number, reason := f.askRecovery(f.recovery(next, f.alice))
	require.Empty(t, reason)
	require.Empty(t, f.sendSupport(f.support(f.officer, number)))
	require.Equal(t, access.ReasonRepeatedApproval, f.sendSupport(f.support(f.second, number)), "one of each hospital")
	require.Equal(t, access.ReasonNotApproved, f.finish(f.ending(number)))
	require.Empty(t, f.sendSupport(f.support(f.person(consortium.ROLE_OFFICER, er), number)))
	require.Equal(t, access.ReasonAlreadyApproved, f.sendSupport(f.support(f.person(consortium.ROLE_OFFICER, 3), number)))
	f.nextBlock(7*day - 1)
	require.Equal(t, access.ReasonDelayed, f.finish(f.ending(number)))
	f.sameAfterRestart()
	f.nextBlock(1)
	require.Equal(t, access.RECOVERY_STATUS_READY, f.stands(number))
	require.Empty(t, f.finish(f.ending(number)))
	require.Equal(t, next, f.data.patients[f.alice].Address)
	require.Empty(t, f.holders.requested)
}

// Each refusal differs from an accepted proposal by one thing.
func TestProposeRecoveryRefusals(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	other := f.person(consortium.ROLE_PATIENT, 0)
	_, bob := f.patient()
	known := f.recovery(other, f.alice)
	for _, c := range []struct {
		name   string
		change func(*access.MsgProposeRecovery)
		reason string
	}{
		{"another patient's wallet", func(m *access.MsgProposeRecovery) { m.Account = g.accounts[0] }, records.ReasonNotFree},
		{"a doctor", func(m *access.MsgProposeRecovery) { m.Account = f.doctor }, records.ReasonNotFree},
		{"nobody's number", func(m *access.MsgProposeRecovery) { m.Patient = f.rawID() }, access.ReasonUnknownPatient},
		{"a patient without guardians", func(m *access.MsgProposeRecovery) { m.Patient = bob }, access.ReasonWrongWay},
		{"no request for the guardians' slot", func(m *access.MsgProposeRecovery) {
			*m = access.MsgProposeRecovery{Account: m.Account, Patient: m.Patient, ExpiresAt: m.ExpiresAt}
		}, access.ReasonWrongWay},
		{"an end before the delay's", func(m *access.MsgProposeRecovery) { m.ExpiresAt = start + 7*day }, access.ReasonTooLate},
		{"an end too far off", func(m *access.MsgProposeRecovery) { m.ExpiresAt = start + 37*day + 1 }, access.ReasonLifetimeTooLong},
		{"another end than was proved", func(m *access.MsgProposeRecovery) { m.ExpiresAt++ }, access.ReasonBadProof},
		{"M of another point", func(m *access.MsgProposeRecovery) { m.M = known.M }, access.ReasonBadProof},
		{"another B", func(m *access.MsgProposeRecovery) { m.B = known.B }, access.ReasonBadProof},
		{"another account's request", func(m *access.MsgProposeRecovery) { m.Account = other }, access.ReasonBadProof},
	} {
		m := f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice)
		c.change(m)
		_, reason := f.askRecovery(m)
		require.Equal(t, c.reason, reason, c.name)
	}
	inactive := f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice)
	f.revoke(inactive.Account)
	_, reason := f.askRecovery(inactive)
	require.Equal(t, access.ReasonInactive, reason)

	number, reason := f.askRecovery(known)
	require.Empty(t, reason)
	again := f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice)
	_, reason = f.askRecovery(again)
	require.Equal(t, access.ReasonRecoveryOpen, reason)
	require.Empty(t, f.cancel(f.wallet, number))
	_, reason = f.askRecovery(f.recovery(other, f.alice))
	require.Equal(t, access.ReasonAccountUsed, reason, "each account asks once")
	again.B = known.B
	_, reason = f.askRecovery(again)
	require.Equal(t, access.ReasonRepeatedPoint, reason)
	again = f.recovery(again.Account, f.alice)
	again.RequestKey = known.RequestKey
	_, reason = f.askRecovery(again)
	require.Equal(t, access.ReasonRepeatedRequestKey, reason)
	_, reason = f.askRecovery(f.recovery(again.Account, f.alice))
	require.Empty(t, reason)
}

// Each refusal differs from an approval that counts by one thing.
func TestApproveRecoveryRefusals(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	stranger, _ := f.patient()
	next := f.person(consortium.ROLE_PATIENT, 0)
	number, _ := f.askRecovery(f.recovery(next, f.alice))
	for _, c := range []struct {
		name   string
		change func(*access.MsgApproveRecovery)
		reason string
	}{
		{"another patient", func(m *access.MsgApproveRecovery) { m.Approver = stranger }, access.ReasonNotGuardian},
		{"the account itself", func(m *access.MsgApproveRecovery) { m.Approver = next }, access.ReasonNotGuardian},
		{"an officer", func(m *access.MsgApproveRecovery) { m.Approver = f.officer }, access.ReasonWrongRole},
		{"another patient is shown", func(m *access.MsgApproveRecovery) { m.Patient = g.guardians[0] }, access.ReasonPatientDiffers},
		{"another account is shown", func(m *access.MsgApproveRecovery) { m.Account = stranger }, access.ReasonAccountDiffers},
		{"another hospital is shown", func(m *access.MsgApproveRecovery) { m.InvitedBy = "St. Mary" }, access.ReasonHospitalDiffers},
		{"another proposal", func(m *access.MsgApproveRecovery) { m.Unlock = "" }, access.ReasonUnlockDiffers},
		{"no share", func(m *access.MsgApproveRecovery) { m.Capsule = "" }, access.ReasonCapsuleMissing},
	} {
		m := f.support(g.accounts[0], number)
		c.change(m)
		require.Equal(t, c.reason, f.sendSupport(m), c.name)
	}
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
	require.Equal(t, access.ReasonRepeatedApproval, f.sendSupport(f.support(g.accounts[0], number)))
	f.revoke(g.accounts[1])
	require.Equal(t, access.ReasonInactive, f.sendSupport(f.support(g.accounts[1], number)))
	f.nextBlock(14 * day)
	require.Equal(t, access.ReasonTooLate, f.sendSupport(f.support(g.accounts[2], number)), "the delay would end when the recovery has")
	f.nextBlock(7 * day)
	require.Equal(t, access.ReasonExpired, f.sendSupport(f.support(g.accounts[2], number)))

	// Officers show no share, and who became somebody's wallet meanwhile is approved by nobody.
	_, bob := f.patient()
	late := f.person(consortium.ROLE_PATIENT, 0)
	byHospitals, reason := f.askRecovery(f.recovery(late, bob))
	require.Empty(t, reason)
	m := f.support(f.officer, byHospitals)
	m.Capsule = f.rawCID()
	require.Equal(t, access.ReasonCapsuleMissing, f.sendSupport(m))
	require.Equal(t, access.ReasonWrongRole, f.sendSupport(f.support(g.accounts[0], byHospitals)))
	p := f.people.principals[late]
	p.Patient = f.rawID()
	f.people.principals[late] = p
	require.Equal(t, records.ReasonNotFree, f.sendSupport(f.support(f.officer, byHospitals)))
	_, err := f.msg.ApproveRecovery(f.ctx, &access.MsgApproveRecovery{Approver: f.officer, Recovery: 99})
	require.ErrorIs(t, err, access.ErrUnknownRecovery)
	_, err = f.msg.ApproveRecovery(f.ctx, &access.MsgApproveRecovery{Approver: f.officer, Recovery: number, Capsule: "none"})
	require.ErrorIs(t, err, access.ErrInvalidCID)
}

// A recovery can be cancelled at any time by the old wallet, by who proposed it, and by the hospital that invited that account; by nobody
// else.
func TestCancelRecovery(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	for _, by := range []string{f.wallet, "", f.officer} {
		next := f.person(consortium.ROLE_PATIENT, 0)
		number, reason := f.askRecovery(f.recovery(next, f.alice))
		require.Empty(t, reason)
		require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
		require.Empty(t, f.sendSupport(f.support(g.accounts[1], number)))
		for _, stranger := range []string{g.accounts[0], f.doctor, f.person(consortium.ROLE_OFFICER, er)} {
			require.Equal(t, access.ReasonNotParty, f.cancel(stranger, number))
		}
		if by == "" {
			by = next
		}
		require.Empty(t, f.cancel(by, number))
		require.Equal(t, access.RECOVERY_STATUS_CANCELLED, f.stands(number))
		require.Equal(t, access.ReasonCancelled, f.cancel(by, number))
		require.Equal(t, access.ReasonCancelled, f.sendSupport(f.support(g.accounts[2], number)))
		require.Equal(t, access.ReasonCancelled, f.finish(f.ending(number)))
	}
	f.nextBlock(30 * day)
	f.nextBlock(0)
	require.Empty(t, f.holders.requested)
}

// After the release a cancellation still keeps the wallet, and says that the vault may have been opened.
func TestCancelRecoveryAfterItsRelease(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	number, _ := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
	require.Empty(t, f.sendSupport(f.support(g.accounts[1], number)))
	f.nextBlock(7 * day)
	f.nextBlock(5)
	r, err := f.keeper.Recovery(f.ctx, number)
	require.NoError(t, err)
	require.True(t, r.Requested)
	f.sameAfterRestart()
	require.NoError(t, f.keeper.Released(f.ctx, r.Unlock))
	f.holders.given[r.Unlock] = true
	require.Empty(t, f.cancel(f.wallet, number))
	require.True(t, f.holders.closed[r.Unlock])
	r, err = f.keeper.Recovery(f.ctx, number)
	require.NoError(t, err)
	require.True(t, r.MayBeOpened)
	require.Equal(t, access.ReasonCancelled, f.finish(f.ending(number)))
	require.Equal(t, f.wallet, f.data.patients[f.alice].Address)
}

// Whoever writes the vault or names guardians has the wallet: an open recovery ends with it.
func TestRecoveryEndsWhenTheVaultIsWritten(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	number, _ := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	f.writeVault(f.alice)
	require.Equal(t, access.RECOVERY_STATUS_CANCELLED, f.stands(number))
	require.Equal(t, audit.KindRecoveryCancelled, f.log.last().Kind)
	require.Equal(t, audit.RoleChain, f.log.last().Role)

	number, reason := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Empty(t, reason)
	require.Empty(t, f.name(f.naming(f.alice, 2, g.guardians...)))
	require.Equal(t, access.RECOVERY_STATUS_CANCELLED, f.stands(number), "hospitals recover nobody who has guardians")
}

// Nobody but the account that proposed it finishes a recovery, with the vault that follows the one of today.
func TestFinishRecoveryRefusals(t *testing.T) {
	f := newFixture(t)
	number, _ := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Empty(t, f.sendSupport(f.support(f.officer, number)))
	require.Empty(t, f.sendSupport(f.support(f.person(consortium.ROLE_OFFICER, er), number)))
	f.nextBlock(7 * day)
	m := f.ending(number)
	m.Account = f.person(consortium.ROLE_PATIENT, 0)
	require.Equal(t, access.ReasonNotRequester, f.finish(m))
	m = f.ending(number)
	m.Revision++
	require.Equal(t, access.ReasonStaleRevision, f.finish(m))
	f.revoke(f.ending(number).Account)
	require.Equal(t, access.ReasonInactive, f.finish(f.ending(number)))
	require.Equal(t, f.wallet, f.data.patients[f.alice].Address)
}

// Recoveries run out of time, where they wait for approvals and where they wait for shares.
func TestRecoveryRunsOutOfTime(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	first, _ := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	f.nextBlock(21 * day)
	require.Equal(t, access.RECOVERY_STATUS_EXPIRED, f.stands(first))
	f.nextBlock(5)
	require.Equal(t, audit.KindRecoveryExpired, f.log.last().Kind)
	second, reason := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Empty(t, reason)
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], second)))
	require.Empty(t, f.sendSupport(f.support(g.accounts[1], second)))
	f.nextBlock(8 * day)
	f.nextBlock(13 * day)
	f.nextBlock(5)
	r, err := f.keeper.Recovery(f.ctx, second)
	require.NoError(t, err)
	require.True(t, r.Requested && r.Expired && !r.MayBeOpened)
	require.True(t, f.holders.closed[r.Unlock])
	require.NoError(t, f.keeper.LateShare(f.ctx, r.Unlock, 1))
	r, err = f.keeper.Recovery(f.ctx, second)
	require.NoError(t, err)
	require.True(t, r.MayBeOpened)
	f.sameAfterRestart()
}

// The account of a recovery became somebody's wallet before its delay was over: the holders are not asked.
func TestRecoveryOfAnAccountThatIsTaken(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	next := f.person(consortium.ROLE_PATIENT, 0)
	number, _ := f.askRecovery(f.recovery(next, f.alice))
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
	require.Empty(t, f.sendSupport(f.support(g.accounts[1], number)))
	p := f.people.principals[next]
	p.Patient = f.rawID()
	f.people.principals[next] = p
	f.nextBlock(7 * day)
	f.nextBlock(5)
	require.Empty(t, f.holders.requested)
	require.Equal(t, access.RECOVERY_STATUS_CANCELLED, f.stands(number))
}

// One block asks for so many releases and notes so many ends; the others follow in the next.
func TestRecoveriesDueAtOnce(t *testing.T) {
	f := newFixture(t)
	bob, carol := f.guardian(), f.guardian()
	for range access.MaxRecoveriesPerBlock + 5 {
		_, patient := f.patient()
		require.Empty(t, f.name(f.naming(patient, 2, bob, carol)))
		number, reason := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), patient))
		require.Empty(t, reason)
		for _, guardian := range []string{bob, carol} {
			require.Empty(t, f.sendSupport(f.support(f.data.patients[guardian].Address, number)))
		}
	}
	f.nextBlock(7 * day)
	f.nextBlock(5)
	require.Len(t, f.holders.requested, access.MaxRecoveriesPerBlock)
	f.nextBlock(14 * day)
	require.Len(t, f.holders.requested, access.MaxRecoveriesPerBlock+5)
	f.nextBlock(5)
	require.Len(t, f.open(), 5)
	f.nextBlock(5)
	require.Empty(t, f.open())
}

func (f *fixture) open() []access.QueryRecoveryResponse {
	f.t.Helper()
	res, err := f.query.Recoveries(f.ctx, &access.QueryRecoveriesRequest{Open: true})
	require.NoError(f.t, err)
	return res.Recoveries
}

// Recoveries are found by patient, account and guardian, and among those that are open.
func TestRecoveriesAreListed(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	next := f.person(consortium.ROLE_PATIENT, 0)
	first, _ := f.askRecovery(f.recovery(next, f.alice))
	require.Empty(t, f.cancel(next, first))
	second, _ := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	for name, c := range map[string]struct {
		req  *access.QueryRecoveriesRequest
		want []uint64
	}{
		"patient":        {&access.QueryRecoveriesRequest{Patient: f.alice}, []uint64{second, first}},
		"account":        {&access.QueryRecoveriesRequest{Account: next}, []uint64{first}},
		"guardian":       {&access.QueryRecoveriesRequest{Guardian: g.guardians[1]}, []uint64{second, first}},
		"open":           {&access.QueryRecoveriesRequest{Open: true}, []uint64{second}},
		"another's":      {&access.QueryRecoveriesRequest{Guardian: f.alice}, nil},
		"another wallet": {&access.QueryRecoveriesRequest{Account: f.wallet}, nil},
	} {
		res, err := f.query.Recoveries(f.ctx, c.req)
		require.NoError(t, err, name)
		var got []uint64
		for _, r := range res.Recoveries {
			got = append(got, r.Recovery.Number)
		}
		require.Equal(t, c.want, got, name)
	}
	for name, req := range map[string]*access.QueryRecoveriesRequest{
		"nothing named": {}, "two named": {Patient: f.alice, Open: true}, "no number": {Patient: "alice"}, "no account": {Account: "alice"},
	} {
		_, err := f.query.Recoveries(f.ctx, req)
		require.ErrorContains(t, err, "InvalidArgument", name)
	}
	_, err := f.query.Recovery(f.ctx, &access.QueryRecoveryRequest{})
	require.ErrorContains(t, err, "InvalidArgument")
	_, err = f.query.Recovery(f.ctx, &access.QueryRecoveryRequest{Number: 99})
	require.ErrorContains(t, err, "NotFound")
}

// sameAfterRestart demands that the state is the same, and what is open goes on, after it was exported and read in.
func (f *fixture) sameAfterRestart() {
	f.t.Helper()
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, exported.Validate())
	now := f.ctx.BlockTime()
	f.restart(exported)
	f.ctx = f.ctx.WithBlockTime(now)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	require.Equal(f.t, exported, again)
}

// The first state may hold only what the module could have exported.
func TestGenesisOfRecoveries(t *testing.T) {
	f := newFixture(t)
	g := f.guarded()
	number, _ := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
	_, bob := f.patient()
	_, reason := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), bob))
	require.Empty(t, reason)
	for name, change := range map[string]func(*access.GenesisState){
		"a number left out":              func(s *access.GenesisState) { s.Recoveries[1].Number = 3 },
		"two of one account":             func(s *access.GenesisState) { s.Recoveries[1].Account = s.Recoveries[0].Account },
		"two open ones of a patient":     func(s *access.GenesisState) { s.Recoveries[1].Patient = f.alice },
		"due without approvals":          func(s *access.GenesisState) { s.Recoveries[0].Due = start },
		"approved and not due":           func(s *access.GenesisState) { s.Recoveries[0].Needed = 1 },
		"asked for before it was due":    func(s *access.GenesisState) { s.Recoveries[0].Requested = true },
		"hospitals release":              func(s *access.GenesisState) { s.Recoveries[1].Unlock = s.Recoveries[0].Unlock },
		"no way":                         func(s *access.GenesisState) { s.Recoveries[1].Way = 0 },
		"no point":                       func(s *access.GenesisState) { s.Recoveries[0].B = nil },
		"guardians twice":                func(s *access.GenesisState) { s.Guardians = append(s.Guardians, s.Guardians[0]) },
		"guardians of nobody":            func(s *access.GenesisState) { s.Guardians[0].Patient = "alice" },
		"a lone guardian":                func(s *access.GenesisState) { s.Guardians[0].Threshold = 1 },
		"guardians without a commitment": func(s *access.GenesisState) { s.Guardians[0].Commitments = s.Guardians[0].Commitments[:1] },
	} {
		exported, err := f.keeper.ExportGenesis(f.ctx)
		require.NoError(t, err)
		require.NoError(t, exported.Validate())
		change(exported)
		require.ErrorIs(t, exported.Validate(), access.ErrInvalidGenesis, name)
	}
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	r := &exported.Recoveries[0]
	r.Approvals, r.Due, r.Requested = append(r.Approvals, access.RecoveryApproval{Guardian: g.guardians[1]}), start, true
	require.NoError(t, exported.Validate())
	require.ErrorIs(t, f.tryRestart(exported), custody.ErrUnknownRelease, "the chain could not end it")
}

// A block in which nothing is due writes nothing.
func TestQuietBlocksWithRecoveries(t *testing.T) {
	f := newFixture(t)
	f.guarded()
	_, reason := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Empty(t, reason)
	before, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	entries := len(f.log.entries)
	f.nextBlock(day)
	f.nextBlock(day)
	after, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Len(t, f.log.entries, entries)
}
