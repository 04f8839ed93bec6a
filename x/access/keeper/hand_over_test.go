package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// in is the time so many seconds from now as a wallet shows it.
func (f *fixture) in(seconds int64) string {
	return access.TimeText(f.ctx.BlockTime().Unix() + seconds)
}

func (f *fixture) setHandOver(owner, on string) string {
	f.t.Helper()
	res, err := f.msg.SetHandOver(f.ctx, &access.MsgSetHandOver{Owner: owner, On: on})
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	require.Equal(f.t, audit.KindHandOverSet, f.log.last().Kind)
	return res.Reason
}

func (f *fixture) handOver(patient string) access.HandOver {
	f.t.Helper()
	res, err := f.query.HandOver(f.ctx, &access.QueryHandOverRequest{Patient: patient})
	require.NoError(f.t, err)
	return res.HandOver
}

// ownAccount is a recovery that asks hospitals, whoever the patient's guardians are.
func (f *fixture) ownAccount(account string) *access.MsgProposeRecovery {
	return &access.MsgProposeRecovery{Account: account, Patient: f.alice, ExpiresAt: f.ctx.BlockTime().Unix() + 21*day}
}

// supportByHospitals approves a recovery with officers of two hospitals.
func (f *fixture) supportByHospitals(number uint64) {
	f.t.Helper()
	require.Empty(f.t, f.sendSupport(f.support(f.officer, number)))
	require.Empty(f.t, f.sendSupport(f.support(f.person(consortium.ROLE_OFFICER, er), number)))
}

// recovered lets an account take the place of Alice's wallet by hospitals, and answers it.
func (f *fixture) recovered(until string) string {
	f.t.Helper()
	m := f.ownAccount(f.person(consortium.ROLE_PATIENT, 0))
	m.Until = until
	number, reason := f.askRecovery(m)
	require.Empty(f.t, reason)
	f.supportByHospitals(number)
	f.nextBlock(7 * day)
	require.Empty(f.t, f.finish(f.ending(number)))
	return m.Account
}

// Alice's parents have her wallet until she is of age. Then it ends, with the consents that they granted, and Alice takes the account
// over with the approval of two hospitals, although her parents named guardians.
func TestChildIsHandedOver(t *testing.T) {
	f := newFixture(t)
	parents := f.wallet
	require.Empty(t, f.setHandOver(parents, f.in(100*day)))
	require.Equal(t, audit.Entry{
		Kind: audit.KindHandOverSet, Actor: parents, Role: "patient", Patient: f.alice, Target: f.in(100 * day), Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Empty(t, f.setHandOver(parents, f.in(20*day)), "earlier than before")
	f.guarded()
	consent := f.granted(f.withVault(f.doctor), "imaging")
	unlock := f.endorsed(f.doctor, f.record(f.alice))
	require.Empty(t, f.use(f.doctor, unlock, consent))

	f.nextBlock(20*day - 1)
	f.sameAfterRestart()
	f.nextBlock(0)
	require.False(t, f.handOver(f.alice).Closed)
	f.nextBlock(1)
	f.nextBlock(5)
	require.Equal(t, access.HandOver{Patient: f.alice, Due: start + 20*day, Closed: true}, f.handOver(f.alice))
	require.True(t, f.data.patients[f.alice].Closed)
	require.Equal(t, access.CONSENT_STATUS_WITHDRAWN, f.consentStatus(consent))
	require.Contains(t, f.log.entries, audit.Entry{
		Kind: audit.KindWalletClosed, Role: audit.RoleChain, Patient: f.alice, Target: parents, Outcome: audit.OUTCOME_OK,
	})
	require.Equal(t, access.ReasonInactive, f.setHandOver(parents, f.in(day)))

	grown := f.person(consortium.ROLE_PATIENT, 0)
	_, reason := f.askRecovery(f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice))
	require.Equal(t, access.ReasonWrongWay, reason, "guardians whom the parents named")
	number, reason := f.askRecovery(f.ownAccount(grown))
	require.Empty(t, reason)
	require.Equal(t, access.ReasonInactive, f.cancel(parents, number))
	f.supportByHospitals(number)
	f.nextBlock(7 * day)
	require.Empty(t, f.finish(f.ending(number)))
	require.Equal(t, grown, f.data.patients[f.alice].Address)
	f.hasNoHandOver()
	f.sameAfterRestart()
}

// hasNoHandOver demands that Alice's wallet is her own.
func (f *fixture) hasNoHandOver() {
	f.t.Helper()
	_, err := f.query.HandOver(f.ctx, &access.QueryHandOverRequest{Patient: f.alice})
	require.ErrorContains(f.t, err, "NotFound")
}

// What parents can't do by losing the wallet, or with guardians of their choice: keep it for longer. For as long they can.
func TestParentsLoseTheWallet(t *testing.T) {
	f := newFixture(t)
	due := f.in(100 * day)
	require.Empty(t, f.setHandOver(f.wallet, due))
	g := f.guarded()
	m := f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice)
	_, reason := f.askRecovery(m)
	require.Equal(t, access.ReasonWrongWay, reason, "as if the account were Alice's own")
	for until, want := range map[string]string{f.in(100*day + 1): access.ReasonLaterHandOver, f.in(21 * day): access.ReasonTooEarly} {
		m.Until = until
		_, reason = f.askRecovery(m)
		require.Equal(t, want, reason)
	}
	m.Until = due
	number, reason := f.askRecovery(m)
	require.Empty(t, reason)
	approval := f.support(g.accounts[0], number)
	approval.Until = ""
	require.Equal(t, access.ReasonUntilDiffers, f.sendSupport(approval))
	require.Empty(t, f.cancel(f.wallet, number), "the parents have found it")

	m = f.recovery(f.person(consortium.ROLE_PATIENT, 0), f.alice)
	m.Until = due
	number, _ = f.askRecovery(m)
	require.Empty(t, f.sendSupport(f.support(g.accounts[0], number)))
	require.Empty(t, f.sendSupport(f.support(g.accounts[1], number)))
	f.nextBlock(7 * day)
	f.nextBlock(5)
	r, err := f.keeper.Recovery(f.ctx, number)
	require.NoError(t, err)
	require.NoError(t, f.keeper.Released(f.ctx, r.Unlock))
	require.Empty(t, f.setHandOver(f.wallet, f.in(day)), "it was not lost, and ends earlier")
	require.Equal(t, access.ReasonLaterHandOver, f.finish(f.ending(number)))
	require.Equal(t, f.wallet, f.data.patients[f.alice].Address)
}

// Two hospitals say who acts for Alice, who can't any more, and until when. Who does so can't keep her from coming back.
func TestRepresentative(t *testing.T) {
	f := newFixture(t)
	until := f.in(300 * day)
	representative := f.recovered(until)
	require.Equal(t, representative, f.data.patients[f.alice].Address)
	due, err := access.ParseTime(until)
	require.NoError(t, err)
	require.Equal(t, access.HandOver{Patient: f.alice, Due: due, Representative: true}, f.handOver(f.alice))
	require.Equal(t, audit.KindHandOverSet, f.log.last().Kind)

	_, bob := f.patient()
	_, carol := f.patient()
	require.Empty(t, f.name(f.naming(f.alice, 2, bob, carol)))
	m := f.ownAccount(f.person(consortium.ROLE_PATIENT, 0))
	number, reason := f.askRecovery(m)
	require.Empty(t, reason, "hospitals decide, and not guardians of the representative's choice")
	require.Equal(t, access.ReasonRepresentative, f.cancel(representative, number))
	f.writeVault(f.alice)
	f.supportByHospitals(number)
	f.nextBlock(7 * day)
	require.Empty(t, f.finish(f.ending(number)), "what the representative wrote did not cancel it")
	f.hasNoHandOver()

	// Alice, who has the wallet again, can cancel it when somebody else is to act for her.
	m = f.ownAccount(f.person(consortium.ROLE_PATIENT, 0))
	m.Until = f.in(100 * day)
	number, reason = f.askRecovery(m)
	require.Empty(t, reason)
	require.Empty(t, f.cancel(f.data.patients[f.alice].Address, number))
}

// A representative is appointed again, by hospitals, for longer or after the end.
func TestRepresentativeIsAppointedAgain(t *testing.T) {
	f := newFixture(t)
	f.recovered(f.in(60 * day))
	longer := f.recovered(f.in(200 * day))
	f.nextBlock(200 * day)
	f.nextBlock(5)
	require.True(t, f.handOver(f.alice).Closed)
	require.Equal(t, longer, f.data.patients[f.alice].Address)
	f.recovered(f.in(60 * day))
	require.Equal(t, access.HandOver{Patient: f.alice, Due: f.ctx.BlockTime().Unix() + 53*day, Representative: true}, f.handOver(f.alice))
	f.sameAfterRestart()
}

func TestSetHandOverRefusals(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, access.ReasonWrongRole, f.setHandOver(f.doctor, f.in(day)))
	require.Equal(t, access.ReasonWrongRole, f.setHandOver(f.person(consortium.ROLE_PATIENT, 0), f.in(day)), "nobody's account")
	require.Equal(t, access.ReasonTooEarly, f.setHandOver(f.wallet, f.in(0)))
	require.Equal(t, access.ReasonLifetimeTooLong, f.setHandOver(f.wallet, f.in(access.MaxHandOverTime+1)))
	require.Empty(t, f.setHandOver(f.wallet, f.in(access.MaxHandOverTime)))
	require.Empty(t, f.setHandOver(f.wallet, f.in(10*day)))
	require.Equal(t, access.ReasonLaterHandOver, f.setHandOver(f.wallet, f.in(10*day+1)))
	for _, text := range []string{"", "2031-05-01", "2031-05-01T00:00:00+00:00", "2031-05-01T02:00:00+02:00", "1970-01-01T00:00:00Z", "2031-05-01T00:00:00.5Z"} {
		_, err := f.msg.SetHandOver(f.ctx, &access.MsgSetHandOver{Owner: f.wallet, On: text})
		require.ErrorIs(t, err, access.ErrInvalidExpiry, text)
	}
	m := f.ownAccount(f.person(consortium.ROLE_PATIENT, 0))
	m.Until = "in May"
	_, err := f.msg.ProposeRecovery(f.ctx, m)
	require.ErrorIs(t, err, access.ErrInvalidExpiry)
}

// One block ends so many wallets; the others follow in the next.
func TestHandOversDueAtOnce(t *testing.T) {
	f := newFixture(t)
	var patients []string
	for range access.MaxHandOversPerBlock + 1 {
		wallet, patient := f.patient()
		require.Empty(t, f.setHandOver(wallet, f.in(day)))
		patients = append(patients, patient)
	}
	ended := func() (n int) {
		for _, patient := range patients {
			if f.data.patients[patient].Closed {
				n++
			}
		}
		return n
	}
	f.nextBlock(day)
	f.nextBlock(5)
	require.Equal(t, access.MaxHandOversPerBlock, ended())
	f.nextBlock(5)
	require.Equal(t, len(patients), ended())
}

// A network may ask for more hospitals.
func TestRecoveryByThreeHospitals(t *testing.T) {
	f := newFixture(t)
	params := access.DefaultParams()
	params.RecoveryHospitals = 3
	_, err := f.msg.UpdateParams(f.ctx, &access.MsgUpdateParams{Authority: f.people.Authority(), Params: params})
	require.NoError(t, err)
	number, _ := f.askRecovery(f.ownAccount(f.person(consortium.ROLE_PATIENT, 0)))
	f.supportByHospitals(number)
	require.Equal(t, access.RECOVERY_STATUS_PROPOSED, f.stands(number))
	require.Empty(t, f.sendSupport(f.support(f.person(consortium.ROLE_OFFICER, 3), number)))
	require.Equal(t, access.RECOVERY_STATUS_DELAYED, f.stands(number))
	for hospitals, good := range map[uint32]bool{0: true, 1: false, 2: true, 16: true, 17: false} {
		params.RecoveryHospitals = hospitals
		require.Equal(t, good, params.Validate() == nil, hospitals)
	}
}

func TestGenesisOfHandOvers(t *testing.T) {
	f := newFixture(t)
	require.Empty(t, f.setHandOver(f.wallet, f.in(day)))
	other, _ := f.patient()
	require.Empty(t, f.setHandOver(other, f.in(day)))
	for name, change := range map[string]func(*access.GenesisState){
		"one of nobody":  func(g *access.GenesisState) { g.HandOvers[0].Patient = "" },
		"without a time": func(g *access.GenesisState) { g.HandOvers[0].Due = 0 },
		"twice":          func(g *access.GenesisState) { g.HandOvers[1] = g.HandOvers[0] },
		"not in order":   func(g *access.GenesisState) { g.HandOvers[0], g.HandOvers[1] = g.HandOvers[1], g.HandOvers[0] },
	} {
		g, err := f.keeper.ExportGenesis(f.ctx)
		require.NoError(t, err)
		require.NoError(t, g.Validate())
		change(g)
		require.ErrorIs(t, g.Validate(), access.ErrInvalidGenesis, name)
	}
}
