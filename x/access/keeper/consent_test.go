package keeper_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

const (
	oncology, surgery = 4711, 4712
	month             = 30 * day
)

// withVault has a clinician publish a vault, and work at wards.
func (f *fixture) withVault(address string, wards ...uint32) string {
	p := f.people.principals[address]
	p.VaultEpoch, p.Wards = 1, wards
	f.people.principals[address] = p
	return address
}

// grant is what a patient's program sends to let clinicians of the er treat with pictures for a month.
func (f *fixture) grant(to string, what ...string) *access.MsgGrantConsent {
	if len(what) == 0 {
		what = []string{"imaging"}
	}
	return &access.MsgGrantConsent{
		Owner: f.wallet, Hospital: f.people.members[er], Member: er, To: to, What: what, Purpose: "TREAT",
		Until: time.Unix(start+month, 0).UTC().Format(time.RFC3339), UsesADay: 2,
	}
}

// sendGrant answers the consent's number and the reason of a refusal.
func (f *fixture) sendGrant(msg *access.MsgGrantConsent) (uint64, string) {
	f.t.Helper()
	res, err := f.msg.GrantConsent(f.ctx, msg)
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Consent, res.Reason
}

// granted sends a grant that is to be accepted.
func (f *fixture) granted(to string, what ...string) uint64 {
	f.t.Helper()
	number, reason := f.sendGrant(f.grant(to, what...))
	require.Empty(f.t, reason)
	return number
}

func (f *fixture) use(requester, unlock string, consent uint64) string {
	f.t.Helper()
	res, err := f.msg.UseConsent(f.ctx, &access.MsgUseConsent{Requester: requester, Unlock: unlock, Consent: consent})
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Reason
}

func (f *fixture) withdrawConsent(owner string, consent uint64) string {
	f.t.Helper()
	res, err := f.msg.WithdrawConsent(f.ctx, &access.MsgWithdrawConsent{Owner: owner, Consent: consent})
	require.NoError(f.t, err)
	require.Contains(f.t, f.log.entries[len(f.log.entries)-1].Kind, "withdrawn")
	return res.Reason
}

// endorsed proposes and endorses.
func (f *fixture) endorsed(requester string, versions ...records.Version) string {
	f.t.Helper()
	id := f.propose(requester, versions...)
	require.Empty(f.t, f.endorse(f.officer, id))
	return id
}

func (f *fixture) consentStatus(number uint64) access.ConsentStatus {
	f.t.Helper()
	res, err := f.query.Consent(f.ctx, &access.QueryConsentRequest{Number: number})
	require.NoError(f.t, err)
	return res.Status
}

func TestAConsentStandsInForTheApproval(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	scan := f.record(f.alice)
	number := f.granted(f.doctor)
	require.EqualValues(t, 1, number)
	require.Equal(t, audit.Entry{
		Kind: audit.KindConsentGranted, Actor: f.wallet, Role: "patient", Patient: f.alice, Purpose: "TREAT", Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())

	id := f.propose(f.doctor, scan)
	require.Equal(t, access.ReasonNotEndorsed, f.use(f.doctor, id, number), "an officer signs first")
	require.Empty(t, f.endorse(f.officer, id))
	require.Empty(t, f.use(f.doctor, id, number))
	require.Equal(t, audit.Entry{
		Kind: audit.KindConsentUsed, Actor: f.doctor, Role: "clinician", Hospital: er, Patient: f.alice, Subjects: []audit.Subject{{Record: scan.Record, Version: 1}},
		Unlock: id, Purpose: "TREAT", Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Empty(t, f.holders.requested, "nobody is asked in the block of the use")
	f.nextBlock(5)
	require.Equal(t, id, f.holders.requested[0].Unlock)
	u, err := f.keeper.Unlock(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, &access.Approval{By: f.wallet, At: start, Height: 10, Consent: number}, u.Approval)
	require.Equal(t, access.ReasonAlreadyApproved, f.use(f.doctor, id, number))
	require.Equal(t, access.ReasonAlreadyApproved, f.approve(f.wallet, id))
}

// Each thing that a consent says is what an unlock must be; the twin beside it that differs in
// nothing else is approved.
func TestUseRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason string
		change func(f *fixture, use *access.MsgUseConsent, grant *access.MsgGrantConsent, scan records.Version)
	}{
		{"nothing differs", "", func(*fixture, *access.MsgUseConsent, *access.MsgGrantConsent, records.Version) {}},
		{"another clinician", access.ReasonNotRequester, func(f *fixture, u *access.MsgUseConsent, _ *access.MsgGrantConsent, _ records.Version) {
			u.Requester = f.withVault(f.person(consortium.ROLE_CLINICIAN, er))
		}},
		{"granted to another clinician", access.ReasonNotGranted, func(f *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.To = f.withVault(f.person(consortium.ROLE_CLINICIAN, er))
		}},
		{"a ward where the clinician is not", access.ReasonNotGranted, func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.To = fmt.Sprint("ward ", surgery)
		}},
		{"a ward where the clinician is", "", func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.To = fmt.Sprint("ward ", oncology)
		}},
		{"all clinicians", "", func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.To = access.AllClinicians
		}},
		{"all clinicians of another hospital", access.ReasonNotGranted, func(f *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.To, g.Member, g.Hospital = access.AllClinicians, clinic, f.people.members[clinic]
		}},
		{"another purpose", access.ReasonOtherPurpose, func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.Purpose = "HRESCH"
		}},
		{"another class", access.ReasonNotCovered, func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.What = []string{"document", "other"}
		}},
		{"the record", "", func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, scan records.Version) {
			g.What = []string{scan.Record}
		}},
		{"another record", access.ReasonNotCovered, func(f *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.What = []string{f.record(f.alice).Record}
		}},
		{"another patient's", access.ReasonNotCovered, func(f *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.Owner, _ = f.patient()
		}},
		{"the unlock ends with it", "", func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.Until = time.Unix(start+day, 0).UTC().Format(time.RFC3339)
		}},
		{"the unlock ends later", access.ReasonOutlivesConsent, func(_ *fixture, _ *access.MsgUseConsent, g *access.MsgGrantConsent, _ records.Version) {
			g.Until = time.Unix(start+day-1, 0).UTC().Format(time.RFC3339)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.withVault(f.doctor, oncology)
			scan := f.record(f.alice)
			id := f.endorsed(f.doctor, scan)
			use, grant := &access.MsgUseConsent{Requester: f.doctor, Unlock: id}, f.grant(f.doctor)
			c.change(f, use, grant, scan)
			var reason string
			use.Consent, reason = f.sendGrant(grant)
			require.Empty(t, reason)
			require.Equal(t, c.reason, f.use(use.Requester, use.Unlock, use.Consent))
			f.nextBlock(5)
			if c.reason == "" {
				require.Equal(t, access.UNLOCK_STATUS_APPROVED, f.status(id))
				return
			}
			require.Equal(t, access.UNLOCK_STATUS_ENDORSED, f.status(id))
			require.Empty(t, f.holders.requested)
			require.Empty(t, f.approve(f.wallet, id), "the patient may still say yes")
		})
	}
}

// Of several versions, all must be covered.
func TestAConsentCoversAllVersions(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	scan, other, letter := f.record(f.alice), f.record(f.alice), f.record(f.alice)
	f.data.documents[letter.Record] = true
	number := f.granted(f.doctor)
	require.Equal(t, access.ReasonNotCovered, f.use(f.doctor, f.endorsed(f.doctor, scan, letter), number))
	require.Empty(t, f.use(f.doctor, f.endorsed(f.doctor, scan, other), number))
}

func TestUseByWhoMayNotAnyMore(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor, oncology)
	scan := f.record(f.alice)
	number := f.granted(fmt.Sprint("ward ", oncology))
	first, second := f.endorsed(f.doctor, scan), f.endorsed(f.doctor, scan)
	require.Empty(t, f.use(f.doctor, first, number))
	f.withVault(f.doctor, surgery)
	require.Equal(t, access.ReasonNotGranted, f.use(f.doctor, second, number))
	f.revoke(f.doctor)
	require.Equal(t, access.ReasonInactive, f.use(f.doctor, second, number))
	f.nextBlock(5)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(first), "who was revoked in the block gets nothing")
}

// The cap counts days of block time, and one more day is one more chance.
func TestUsesADay(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	scan := f.record(f.alice)
	number := f.granted(f.doctor)
	for range 2 {
		require.Empty(t, f.use(f.doctor, f.endorsed(f.doctor, scan), number))
	}
	require.Equal(t, access.ReasonConsentUsedUp, f.use(f.doctor, f.endorsed(f.doctor, scan), number))
	midnight := int64(day - start%day)
	f.nextBlock(midnight - 1)
	id := f.endorsed(f.doctor, scan)
	require.Equal(t, access.ReasonConsentUsedUp, f.use(f.doctor, id, number))
	f.nextBlock(1)
	require.Empty(t, f.use(f.doctor, id, number))
	c, err := f.keeper.Consent(f.ctx, number)
	require.NoError(t, err)
	require.EqualValues(t, 1, c.Used)
}

// A withdrawal works in its own block: what was approved before it in the block is not released,
// nor is anything that was and got no shares, and nothing is approved after it.
func TestWithdrawConsent(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	scan := f.record(f.alice)
	number, beside := f.granted(f.doctor), f.granted(access.AllClinicians)
	opened := f.endorsed(f.doctor, scan)
	require.Empty(t, f.use(f.doctor, opened, number))
	f.nextBlock(5)
	f.holders.given[opened] = true
	require.NoError(t, f.keeper.Released(f.ctx, opened))
	before, after, other := f.endorsed(f.doctor, scan), f.endorsed(f.doctor, scan), f.endorsed(f.doctor, scan)
	require.Empty(t, f.use(f.doctor, before, number))
	require.Empty(t, f.use(f.doctor, other, beside))

	stranger, _ := f.patient()
	require.Equal(t, access.ReasonNotOwner, f.withdrawConsent(stranger, number))
	require.Equal(t, access.ReasonNotOwner, f.withdrawConsent(f.doctor, number))
	require.Empty(t, f.withdrawConsent(f.wallet, number))
	require.Equal(t, access.CONSENT_STATUS_WITHDRAWN, f.consentStatus(number))
	require.Equal(t, access.ReasonConsentWithdrawn, f.withdrawConsent(f.wallet, number))
	require.Equal(t, access.ReasonConsentWithdrawn, f.use(f.doctor, after, number))
	f.nextBlock(5)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(before))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, f.status(opened))
	require.Equal(t, access.UNLOCK_STATUS_APPROVED, f.status(other), "another consent approved it")
	require.Len(t, f.holders.requested, 2)
	require.Equal(t, []string{"proposed", "endorsed", "consent_used", "withdrawn"}, f.log.kinds(before))

	require.Empty(t, f.withdrawConsent(f.wallet, beside))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(other))
	require.True(t, f.holders.closed[other])
	entries := len(f.log.entries)
	f.nextBlock(5)
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries, "nothing is left to be ended")
}

// What was released under a withdrawn consent may have been opened, and says so.
func TestWithdrawConsentAfterTheRelease(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	number, id := f.granted(f.doctor), f.endorsed(f.doctor, f.record(f.alice))
	require.Empty(t, f.use(f.doctor, id, number))
	f.nextBlock(5)
	f.holders.given[id] = true
	require.NoError(t, f.keeper.Released(f.ctx, id))
	require.Empty(t, f.withdrawConsent(f.wallet, number))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, f.status(id))
	require.Equal(t, "1", f.log.last().Target)
	require.Equal(t, audit.RoleChain, f.log.last().Role)
}

// Where a consent approved more unlocks than one message ends, none of the rest is released, and
// they end block by block.
func TestManyUnlocksOfAWithdrawnConsent(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	msg := f.grant(access.AllClinicians)
	msg.UsesADay = 100
	number, reason := f.sendGrant(msg)
	require.Empty(t, reason)
	var ids []string
	for range 4 {
		doctor := f.person(consortium.ROLE_CLINICIAN, er)
		for range 8 {
			id := f.endorsed(doctor, scan)
			require.Empty(t, f.use(doctor, id, number))
			ids = append(ids, id)
		}
	}
	require.Empty(t, f.withdrawConsent(f.wallet, number))
	ended := 0
	for _, id := range ids {
		if f.status(id) == access.UNLOCK_STATUS_WITHDRAWN {
			ended++
		}
	}
	require.Equal(t, access.MaxVoidAtOnce, ended)
	// A chain that starts from an export here goes on with it.
	g, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, g.Validate())
	f.restart(g)
	f.nextBlock(5)
	for _, id := range ids {
		require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
	}
	require.Empty(t, f.holders.requested, "nothing was released")
}

func TestAConsentEnds(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	scan := f.record(f.alice)
	number := f.granted(f.doctor)
	f.nextBlock(month)
	require.Equal(t, access.CONSENT_STATUS_ENDED, f.consentStatus(number))
	require.Equal(t, access.ReasonConsentEnded, f.use(f.doctor, f.endorsed(f.doctor, scan), number))
	require.Equal(t, access.ReasonConsentEnded, f.withdrawConsent(f.wallet, number))
	entries := len(f.log.entries)
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries+1)
	require.Equal(t, audit.Entry{
		Kind: audit.KindConsentEnded, Role: audit.RoleChain, Patient: f.alice, Purpose: "TREAT", Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries+1)
}

// One block notes a bounded number of ends, and the next one the rest.
func TestEndsOfConsentsAreBounded(t *testing.T) {
	f := newFixture(t)
	for i := range access.MaxConsentsEndedPerBlock + 1 {
		if i%access.MaxConsents == 0 {
			f.wallet, f.alice = f.patient()
		}
		f.granted(access.AllClinicians)
	}
	f.nextBlock(month)
	entries := len(f.log.entries)
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries+access.MaxConsentsEndedPerBlock)
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries+access.MaxConsentsEndedPerBlock+1)
}

func TestGrantRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason string
		change func(f *fixture, m *access.MsgGrantConsent)
	}{
		{"a clinician grants", access.ReasonWrongRole, func(f *fixture, m *access.MsgGrantConsent) { m.Owner = f.doctor }},
		{"a patient without a number", access.ReasonWrongRole, func(f *fixture, m *access.MsgGrantConsent) { m.Owner = f.person(consortium.ROLE_PATIENT, 0) }},
		{"a revoked patient", access.ReasonInactive, func(f *fixture, m *access.MsgGrantConsent) { f.revoke(m.Owner) }},
		{"another name is shown", access.ReasonHospitalDiffers, func(f *fixture, m *access.MsgGrantConsent) { m.Hospital = f.people.members[clinic] }},
		{"a clinician of another hospital", access.ReasonNoSuchClinician, func(f *fixture, m *access.MsgGrantConsent) {
			m.To = f.withVault(f.person(consortium.ROLE_CLINICIAN, clinic))
		}},
		{"a clerk", access.ReasonNoSuchClinician, func(f *fixture, m *access.MsgGrantConsent) { m.To = f.person(consortium.ROLE_CLERK, er) }},
		{"nobody", access.ReasonNoSuchClinician, func(f *fixture, m *access.MsgGrantConsent) { m.To = f.scratch() }},
		{"a clinician without a vault", access.ReasonNoVault, func(f *fixture, m *access.MsgGrantConsent) { m.To = f.person(consortium.ROLE_CLINICIAN, er) }},
		{"a hospital that left", access.ReasonInactive, func(f *fixture, _ *access.MsgGrantConsent) { f.people.left = map[uint64]bool{er: true} }},
		{"it has ended", access.ReasonExpired, func(_ *fixture, m *access.MsgGrantConsent) { m.Until = time.Unix(start, 0).UTC().Format(time.RFC3339) }},
		{"it lasts too long", access.ReasonLifetimeTooLong, func(_ *fixture, m *access.MsgGrantConsent) {
			m.Until = time.Unix(start+access.MaxConsentLifetime+1, 0).UTC().Format(time.RFC3339)
		}},
		{"no such record", access.ReasonUnknownRecord, func(f *fixture, m *access.MsgGrantConsent) { m.What = []string{f.alice} }},
		{"another patient's record", access.ReasonUnknownRecord, func(f *fixture, m *access.MsgGrantConsent) {
			_, bob := f.patient()
			m.What = []string{f.record(bob).Record}
		}},
		{"one consent too many", access.ReasonTooManyConsents, func(f *fixture, _ *access.MsgGrantConsent) {
			for range access.MaxConsents {
				f.granted(access.AllClinicians)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			msg := f.grant(f.withVault(f.doctor))
			_, reason := f.sendGrant(f.grant(f.doctor))
			require.Empty(t, reason, "the twin is granted")
			require.Empty(t, f.withdrawConsent(f.wallet, 1))
			c.change(f, msg)
			number, reason := f.sendGrant(msg)
			require.Equal(t, c.reason, reason)
			require.Zero(t, number)
		})
	}
}

// scratch is the address of nobody.
func (f *fixture) scratch() string {
	address := f.person(consortium.ROLE_CLERK, er)
	delete(f.people.principals, address)
	return address
}

// The vaults to seal to are those of live consents, each once, and only for what these cover.
func TestGrantees(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	letter := f.record(f.alice)
	f.data.documents[letter.Record] = true
	f.granted(f.doctor)
	f.granted(fmt.Sprint("ward ", oncology))
	f.granted(access.AllClinicians, letter.Record)
	doctor, hospital := []byte("vault of "+f.doctor), fmt.Append(nil, "vault of ", er)

	keys := func(class records.Class, record string) [][]byte {
		t.Helper()
		res, err := f.query.Grantees(f.ctx, &access.QueryGranteesRequest{Patient: f.alice, Class: class, Record: record})
		require.NoError(t, err)
		var keys [][]byte
		for _, g := range res.Grantees {
			require.EqualValues(t, er, g.Hospital)
			keys = append(keys, g.Key)
		}
		return keys
	}
	require.Equal(t, [][]byte{doctor, hospital}, keys(records.CLASS_IMAGING, ""))
	require.Empty(t, keys(records.CLASS_DOCUMENT, ""))
	require.Equal(t, [][]byte{hospital}, keys(records.CLASS_DOCUMENT, letter.Record))
	sealed, err := f.keeper.Grantees(f.ctx, f.alice)
	require.NoError(t, err)
	require.Len(t, sealed, 3)
	require.Equal(t, records.Grantee{KeyHash: sha256.Sum256(doctor), Classes: []records.Class{records.CLASS_IMAGING}}, sealed[0])
	_, bob := f.patient()
	sealed, err = f.keeper.Grantees(f.ctx, bob)
	require.NoError(t, err)
	require.Empty(t, sealed)

	f.revoke(f.doctor)
	require.Equal(t, [][]byte{hospital}, keys(records.CLASS_IMAGING, ""))
	require.Empty(t, f.withdrawConsent(f.wallet, 2))
	require.Empty(t, keys(records.CLASS_IMAGING, ""))
	f.nextBlock(month)
	sealed, err = f.keeper.Grantees(f.ctx, f.alice)
	require.NoError(t, err)
	require.Empty(t, sealed, "an end counts before it is noted")
}

func TestConsentsAreListed(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	f.granted(f.doctor)
	f.granted(fmt.Sprint("ward ", oncology))
	f.granted(access.AllClinicians)
	f.granted(f.doctor)
	require.Empty(t, f.withdrawConsent(f.wallet, 4))
	for _, c := range []struct {
		name string
		req  access.QueryConsentsRequest
		want []uint64
	}{
		{"of the patient", access.QueryConsentsRequest{Patient: f.alice}, []uint64{4, 3, 2, 1}},
		{"to the clinician", access.QueryConsentsRequest{Staff: f.doctor}, []uint64{4, 1}},
		{"to the ward", access.QueryConsentsRequest{Hospital: er, Ward: oncology}, []uint64{2}},
		{"to another ward", access.QueryConsentsRequest{Hospital: er, Ward: surgery}, nil},
		{"to the hospital", access.QueryConsentsRequest{Hospital: er}, []uint64{3}},
		{"live ones", access.QueryConsentsRequest{Staff: f.doctor, Status: access.CONSENT_STATUS_LIVE}, []uint64{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := f.query.Consents(f.ctx, &c.req)
			require.NoError(t, err)
			var got []uint64
			for _, found := range res.Consents {
				got = append(got, found.Consent.Number)
			}
			require.Equal(t, c.want, got)
		})
	}
	for _, req := range []access.QueryConsentsRequest{{}, {Patient: f.alice, Hospital: er}, {Patient: "x"}, {Staff: "x"}} {
		_, err := f.query.Consents(f.ctx, &req)
		require.Error(t, err)
	}
	_, err := f.query.Consent(f.ctx, &access.QueryConsentRequest{Number: 5})
	require.ErrorContains(t, err, "no such consent")
}

// What was exported is what goes on: numbers, ends, uses of the day, and the unlocks of each consent.
func TestConsentsGoOnFromAnExport(t *testing.T) {
	f := newFixture(t)
	f.withVault(f.doctor)
	scan := f.record(f.alice)
	number, id := f.granted(f.doctor), f.endorsed(f.doctor, scan)
	require.Empty(t, f.use(f.doctor, id, number))
	require.Empty(t, f.withdrawConsent(f.wallet, f.granted(access.AllClinicians)))
	g, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, g.Validate())
	f.restart(g)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, g, again)
	require.Empty(t, f.use(f.doctor, f.endorsed(f.doctor, scan), number))
	require.Equal(t, access.ReasonConsentUsedUp, f.use(f.doctor, f.endorsed(f.doctor, scan), number))
	require.EqualValues(t, 3, f.granted(f.doctor))
	require.Empty(t, f.withdrawConsent(f.wallet, number))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
}
