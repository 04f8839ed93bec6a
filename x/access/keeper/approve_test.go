package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// The whole way: nothing reaches the holders before officer and patient signed,
// and everything is in the log before.
func TestUnlockNeedsOfficerAndPatient(t *testing.T) {
	f := newFixture(t)
	scan, letter := f.record(f.alice), f.record(f.alice)
	id := f.propose(f.doctor, scan, letter)

	require.Equal(t, access.ReasonNotEndorsed, f.approve(f.wallet, id))
	f.nextBlock(5)
	require.Empty(t, f.holders.requested)
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(id))

	require.Empty(t, f.endorse(f.officer, id))
	require.Equal(t, audit.Entry{
		Kind: audit.KindEndorsed, Actor: f.officer, Role: "officer", Hospital: clinic, Patient: f.alice,
		Subjects: f.log.entries[0].Subjects, Unlock: id, Purpose: "TREAT", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	f.nextBlock(5)
	require.Empty(t, f.holders.requested)
	require.Equal(t, access.UNLOCK_STATUS_ENDORSED, f.status(id))

	msg := f.approval(f.wallet, id)
	require.Empty(t, f.sendApproval(msg))
	require.Equal(t, audit.Entry{
		Kind: audit.KindApproved, Actor: f.wallet, Role: "patient", Patient: f.alice,
		Subjects: f.log.entries[0].Subjects, Unlock: id, Purpose: "TREAT", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Empty(t, f.holders.requested, "approval takes effect at the end of the block")
	require.Equal(t, access.UNLOCK_STATUS_APPROVED, f.status(id))
	f.nextBlock(5)
	u, err := f.keeper.Unlock(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, &access.Approval{By: f.wallet, Capsule: msg.Capsule, At: start + 10, Height: 12}, u.Approval)
	require.Equal(t, []custody.Release{{
		Unlock: id, Kind: custody.KEY_KIND_RECORDS, Generation: 1, Blinded: [][]byte{u.Versions[0].M, u.Versions[1].M},
	}}, f.holders.requested)
	f.nextBlock(5)
	require.Len(t, f.holders.requested, 1)

	require.NoError(t, f.keeper.Released(f.ctx, id))
	require.Equal(t, access.UNLOCK_STATUS_RELEASED, f.status(id))
	require.Equal(t, audit.Entry{
		Kind: audit.KindReleased, Role: audit.RoleChain, Patient: f.alice,
		Subjects: f.log.entries[0].Subjects, Unlock: id, Purpose: "TREAT", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, []string{"proposed", "endorsed", "approved", "released"}, f.log.kinds(id))
}

func TestEndorseRefusals(t *testing.T) {
	f := newFixture(t)
	f.setEndorsements(2)
	scan := f.record(f.alice)
	id := f.propose(f.doctor, scan)
	gone := f.person(consortium.ROLE_OFFICER, clinic)
	f.revoke(gone)

	require.Equal(t, access.ReasonWrongRole, f.endorse(f.doctor, id))
	require.Equal(t, access.ReasonWrongRole, f.endorse(f.wallet, id))
	require.Equal(t, access.ReasonWrongRole, f.endorse(f.person(consortium.ROLE_ADMIN, clinic), id))
	require.Equal(t, access.ReasonWrongHospital, f.endorse(f.person(consortium.ROLE_OFFICER, er), id))
	require.Equal(t, access.ReasonInactive, f.endorse(gone, id))
	e := f.log.last()
	require.Equal(t, audit.KindEndorsed, e.Kind)
	require.Equal(t, gone, e.Actor)
	require.Equal(t, f.alice, e.Patient)
	require.Equal(t, id, e.Unlock)

	// One key as patient and officer, or as requester and officer.
	p := f.people.principals[f.wallet]
	p.Role, p.Hospital = consortium.ROLE_OFFICER, clinic
	f.people.principals[f.wallet] = p
	require.Equal(t, access.ReasonSamePerson, f.endorse(f.wallet, id))
	p = f.people.principals[f.doctor]
	p.Role, p.Hospital = consortium.ROLE_OFFICER, clinic
	f.people.principals[f.doctor] = p
	require.Equal(t, access.ReasonSamePerson, f.endorse(f.doctor, id))

	require.Empty(t, f.endorse(f.officer, id))
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(id), "two are needed")
	require.Equal(t, access.ReasonRepeatedEndorsement, f.endorse(f.officer, id))
	require.Empty(t, f.endorse(f.second, id))
	require.Equal(t, access.UNLOCK_STATUS_ENDORSED, f.status(id))
	require.Equal(t, access.ReasonAlreadyEndorsed, f.endorse(f.person(consortium.ROLE_OFFICER, clinic), id))
}

// A hospital that leaves takes no patient's records with it: others endorse, but for the one that asks.
func TestEndorseWhenTheCustodianHasLeft(t *testing.T) {
	f := newFixture(t)
	id, own := f.propose(f.doctor, f.record(f.alice)), f.propose(f.doctor, f.record(""))
	third := f.person(consortium.ROLE_OFFICER, er+1)
	require.Equal(t, access.ReasonWrongHospital, f.endorse(third, id), "as long as the custodian is there")
	f.people.left = map[uint64]bool{clinic: true}
	f.revoke(f.officer)
	require.Equal(t, access.ReasonInactive, f.endorse(f.officer, id))
	require.Equal(t, access.ReasonWrongHospital, f.endorse(f.person(consortium.ROLE_OFFICER, er), id), "who asks does not endorse")
	require.Equal(t, access.ReasonWrongRole, f.endorse(f.person(consortium.ROLE_CLERK, er+1), id))
	require.Equal(t, access.ReasonWrongHospital, f.endorse(third, own), "what the hospital owned is its own")
	require.Empty(t, f.endorse(third, id))
	require.Equal(t, access.UNLOCK_STATUS_ENDORSED, f.status(id))
	require.Empty(t, f.approve(f.wallet, id))
}

func TestEndorseAfterTheEnd(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	denied, withdrawn, expired := f.propose(f.doctor, scan), f.propose(f.doctor, scan), f.propose(f.doctor, scan)
	require.Empty(t, f.deny(f.wallet, denied))
	require.Empty(t, f.withdraw(f.doctor, withdrawn))
	require.Equal(t, access.ReasonDenied, f.endorse(f.officer, denied))
	require.Equal(t, access.ReasonWithdrawn, f.endorse(f.officer, withdrawn))
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().AddDate(0, 0, 1))
	require.Equal(t, access.ReasonExpired, f.endorse(f.officer, expired))

	_, err := f.msg.EndorseUnlock(f.ctx, &access.MsgEndorseUnlock{Officer: f.officer, Unlock: "00"})
	require.ErrorIs(t, err, access.ErrInvalidUnlock)
	_, err = f.msg.EndorseUnlock(f.ctx, &access.MsgEndorseUnlock{Officer: f.officer, Unlock: zeroUnlock})
	require.ErrorIs(t, err, access.ErrUnknownUnlock)
	_, err = f.msg.EndorseUnlock(f.ctx, &access.MsgEndorseUnlock{Officer: "phrd1nobody", Unlock: expired})
	require.ErrorIs(t, err, consortium.ErrUnknownAccount)
}

const zeroUnlock = "0000000000000000000000000000000000000000000000000000000000000000"

// Whatever the wallet was shown must be what is approved.
func TestApproveRefusals(t *testing.T) {
	f := newFixture(t)
	scan, letter := f.record(f.alice), f.record(f.alice)
	id, other := f.propose(f.doctor, scan, letter), f.propose(f.doctor, scan)
	bobsWallet, _ := f.patient()
	require.Empty(t, f.endorse(f.officer, id))
	for _, c := range []struct {
		name   string
		change func(*access.MsgApproveUnlock)
		reason string
	}{
		{"the requester", func(m *access.MsgApproveUnlock) { m.Owner = f.doctor }, access.ReasonNotOwner},
		{"an officer of the custodian", func(m *access.MsgApproveUnlock) { m.Owner = f.second }, access.ReasonNotOwner},
		{"another patient", func(m *access.MsgApproveUnlock) { m.Owner = bobsWallet }, access.ReasonNotOwner},
		{"another unlock's approval", func(m *access.MsgApproveUnlock) { m.Unlock = other }, access.ReasonNotEndorsed},
		{"another hospital", func(m *access.MsgApproveUnlock) { m.Hospital = "Clinic" }, access.ReasonHospitalDiffers},
		{"no hospital", func(m *access.MsgApproveUnlock) { m.Hospital = "" }, access.ReasonHospitalDiffers},
		{"an own reading", func(m *access.MsgApproveUnlock) { m.Hospital = access.OwnReading }, access.ReasonHospitalDiffers},
		{"another purpose", func(m *access.MsgApproveUnlock) { m.Purpose = "HRESCH" }, access.ReasonPurposeDiffers},
		{"a record less", func(m *access.MsgApproveUnlock) { m.Records = m.Records[:1] }, access.ReasonRecordsDiffer},
		{"a record more", func(m *access.MsgApproveUnlock) { m.Records = append(m.Records, m.Records[0]) }, access.ReasonRecordsDiffer},
		{"records turned round", func(m *access.MsgApproveUnlock) { m.Records[0], m.Records[1] = m.Records[1], m.Records[0] }, access.ReasonRecordsDiffer},
		{"another version", func(m *access.MsgApproveUnlock) { m.Records[0] += "0" }, access.ReasonRecordsDiffer},
		{"another expiry", func(m *access.MsgApproveUnlock) { m.Until = "2027-01-15T08:00:01Z" }, access.ReasonUntilDiffers},
		{"the same expiry in another zone", func(m *access.MsgApproveUnlock) { m.Until = "2027-01-16T09:00:00+01:00" }, access.ReasonUntilDiffers},
		{"no capsule", func(m *access.MsgApproveUnlock) { m.Capsule = "" }, access.ReasonCapsuleMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := f.approval(f.wallet, id)
			c.change(msg)
			require.Equal(t, c.reason, f.sendApproval(msg))
			e := f.log.last()
			require.Equal(t, audit.KindApproved, e.Kind)
			require.Equal(t, msg.Owner, e.Actor)
			require.Equal(t, f.alice, e.Patient)
			require.Equal(t, msg.Unlock, e.Unlock)
			f.nextBlock(0)
			require.Empty(t, f.holders.requested)
		})
	}
	for _, c := range []struct {
		name   string
		change func(*access.MsgApproveUnlock)
		err    error
	}{
		{"no records", func(m *access.MsgApproveUnlock) { m.Records = nil }, access.ErrInvalidApproval},
		{"too many records", func(m *access.MsgApproveUnlock) { m.Records = make([]string, access.MaxVersions+1) }, access.ErrInvalidApproval},
		{"a capsule that is no cid", func(m *access.MsgApproveUnlock) { m.Capsule = "x" }, access.ErrInvalidCID},
		{"no unlock", func(m *access.MsgApproveUnlock) { m.Unlock = "" }, access.ErrInvalidUnlock},
		{"an unlock that is not there", func(m *access.MsgApproveUnlock) { m.Unlock = zeroUnlock }, access.ErrUnknownUnlock},
		{"a stranger", func(m *access.MsgApproveUnlock) { m.Owner = "phrd1nobody" }, consortium.ErrUnknownAccount},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := f.approval(f.wallet, id)
			c.change(msg)
			_, err := f.msg.ApproveUnlock(f.ctx, msg)
			require.ErrorIs(t, err, c.err)
		})
	}
	require.Equal(t, "2027-01-16T08:00:00Z", f.approval(f.wallet, id).Until)
	require.Empty(t, f.approve(f.wallet, id))
	require.Equal(t, access.ReasonAlreadyApproved, f.approve(f.wallet, id), "a replay")
	f.nextBlock(5)
	require.Len(t, f.holders.requested, 1)
	require.Equal(t, access.ReasonAlreadyApproved, f.approve(f.wallet, id))
}

func TestApproveAfterTheEnd(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	denied, withdrawn, expired := f.propose(f.doctor, scan), f.propose(f.doctor, scan), f.propose(f.doctor, scan)
	for _, id := range []string{denied, withdrawn, expired} {
		require.Empty(t, f.endorse(f.officer, id))
	}
	require.Empty(t, f.deny(f.officer, denied))
	require.Empty(t, f.withdraw(f.doctor, withdrawn))
	require.Equal(t, access.ReasonDenied, f.approve(f.wallet, denied))
	require.Equal(t, access.ReasonWithdrawn, f.approve(f.wallet, withdrawn))
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().AddDate(0, 0, 1))
	require.Equal(t, access.ReasonExpired, f.approve(f.wallet, expired))
}

// A member that calls itself what stands for the patient must not pass for one.
func TestApproveRefusesAHospitalNamedLikeAnOwnReading(t *testing.T) {
	f := newFixture(t)
	f.people.members[er] = access.OwnReading
	id := f.propose(f.doctor, f.record(f.alice))
	require.Empty(t, f.endorse(f.officer, id))
	require.Equal(t, access.ReasonHospitalDiffers, f.approve(f.wallet, id))
	f.people.members[er] = "St. Mary"
	require.Empty(t, f.approve(f.wallet, id))
}

func TestHospitalsOwnNeedsTwoOfficers(t *testing.T) {
	f := newFixture(t)
	id := f.propose(f.doctor, f.record(""))
	require.Empty(t, f.endorse(f.officer, id))
	require.Equal(t, access.ReasonSamePerson, f.approve(f.officer, id))
	require.Equal(t, access.ReasonNotOwner, f.approve(f.wallet, id))
	require.Equal(t, access.ReasonNotOwner, f.approve(f.person(consortium.ROLE_OFFICER, er), id))
	require.Equal(t, access.ReasonNotOwner, f.approve(f.person(consortium.ROLE_ADMIN, clinic), id))
	require.Empty(t, f.approve(f.second, id))
	require.Empty(t, f.log.last().Patient)
	f.nextBlock(5)
	require.Len(t, f.holders.requested, 1)
}

func TestOwnReadingNeedsNoEndorsement(t *testing.T) {
	f := newFixture(t)
	id := f.propose(f.wallet, f.record(f.alice))
	require.Equal(t, access.UNLOCK_STATUS_ENDORSED, f.status(id))
	require.Equal(t, access.ReasonAlreadyEndorsed, f.endorse(f.officer, id))
	msg := f.approval(f.wallet, id)
	require.Equal(t, "own reading", msg.Hospital)
	msg.Hospital = "St. Mary"
	require.Equal(t, access.ReasonHospitalDiffers, f.sendApproval(msg))
	require.Empty(t, f.approve(f.wallet, id))
	f.nextBlock(5)
	require.Len(t, f.holders.requested, 1)
}

// An ex-employee's unlock goes nowhere, whenever the employment ended.
func TestRequesterWhoLeft(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	id := f.propose(f.doctor, scan)
	require.Empty(t, f.endorse(f.officer, id))
	stays := f.people.principals[f.doctor]

	f.revoke(f.doctor)
	require.Equal(t, access.ReasonRequesterInactive, f.approve(f.wallet, id))
	moved := stays
	moved.Hospital = clinic
	f.people.principals[f.doctor] = moved
	require.Equal(t, access.ReasonRequesterInactive, f.approve(f.wallet, id))
	clerk := stays
	clerk.Role = consortium.ROLE_CLERK
	f.people.principals[f.doctor] = clerk
	require.Equal(t, access.ReasonRequesterInactive, f.approve(f.wallet, id))
	delete(f.people.principals, f.doctor)
	require.Equal(t, access.ReasonRequesterInactive, f.approve(f.wallet, id))

	f.people.principals[f.doctor] = stays
	require.Empty(t, f.approve(f.wallet, id))
	f.revoke(f.doctor)
	f.nextBlock(5)
	require.Empty(t, f.holders.requested)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
	require.Equal(t, []string{"proposed", "endorsed", "approved", "withdrawn"}, f.log.kinds(id))
	refused := f.log.entries[len(f.log.entries)-2]
	require.Equal(t, audit.KindReleased, refused.Kind)
	require.Equal(t, audit.RoleChain, refused.Role)
	require.Equal(t, access.ReasonRequesterInactive, refused.Reason)
	require.Equal(t, access.ReasonInactive, f.withdraw(f.doctor, id))

	f.people.principals[f.doctor] = stays
	f.approved(scan)
}

func (f *fixture) setEndorsements(n uint32) {
	f.t.Helper()
	params := access.DefaultParams()
	params.Endorsements = n
	_, err := f.msg.UpdateParams(f.ctx, &access.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(f.t, err)
}
