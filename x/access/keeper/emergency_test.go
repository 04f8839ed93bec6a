package keeper_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// ward is a network of five hospitals with emergency vaults, of which each has an officer, and a patient who agreed to be opened.
type ward struct {
	*fixture
	officers map[uint64]string
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{fixture: newFixture(t), officers: map[uint64]string{}}
	w.people.members = map[uint64]string{}
	w.people.emergency = map[uint64]uint64{}
	for number := uint64(1); number <= 5; number++ {
		w.people.members[number] = "Hospital"
		w.people.emergency[number] = 1
		w.officers[number] = w.person(consortium.ROLE_OFFICER, number)
	}
	require.Empty(t, w.enable(w.agreement()))
	return w
}

// agreement is what the patient agrees to: two hospitals and ten minutes.
func (w *ward) agreement() *access.MsgEnableEmergency {
	return &access.MsgEnableEmergency{Owner: w.wallet, Approvals: 2, Delay: 600}
}

func (w *ward) enable(msg *access.MsgEnableEmergency) string {
	w.t.Helper()
	res, err := w.msg.EnableEmergency(w.ctx, msg)
	require.NoError(w.t, err)
	w.outcome(res.Outcome, res.Reason)
	return res.Reason
}

func (w *ward) disable(owner string) string {
	w.t.Helper()
	res, err := w.msg.DisableEmergency(w.ctx, &access.MsgDisableEmergency{Owner: owner})
	require.NoError(w.t, err)
	return res.Reason
}

// boxed stores a record of the patient with an emergency box.
func (w *ward) boxed() records.Version {
	v := w.record(w.alice)
	return w.withBox(v)
}

// withBox gives a version a fresh box.
func (w *ward) withBox(v records.Version) records.Version {
	v.Box = &records.BoxLock{Generation: 1, U: w.scalar().Public().Bytes(), UBar: w.scalar().Public().Bytes(), Hash: w.bytes(32)}
	w.data.versions[v.Record] = []records.Version{v}
	return v
}

// boxOf is what a proposal covers of a version's box.
func (w *ward) boxOf(v records.Version) access.Lock {
	lockContext, _, err := w.data.LockContext(w.ctx, v)
	require.NoError(w.t, err)
	statement, err := v.Box.Statement(network, generationKey, lockContext, v.Header.Pc, nil)
	require.NoError(w.t, err)
	bound, err := statement.Hash()
	require.NoError(w.t, err)
	return access.Lock{Context: bound, U: v.Box.U, C: v.Box.Hash}
}

// call is a request in an emergency, for a day.
func (w *ward) call(requester string, versions ...records.Version) *access.MsgRequestEmergency {
	w.t.Helper()
	until := w.ctx.BlockTime().Unix() + day
	locks := w.requestFor("ETREAT", until, requester, w.lockOf, versions...)
	boxes := w.requestFor("ETREAT", until, requester, w.boxOf, versions...)
	return &access.MsgRequestEmergency{
		Requester: requester, Purpose: "ETREAT", Reason: access.CauseUnconscious, ExpiresAt: until, Records: locks.Records, Versions: locks.Versions,
		RequestKey: locks.RequestKey, B: locks.B, Proof: locks.Proof, M: locks.M,
		BoxRequestKey: boxes.RequestKey, BoxB: boxes.B, BoxProof: boxes.Proof, BoxM: boxes.M,
	}
}

// asks sends a request and answers the ids of its parts, and the reason of a refusal.
func (w *ward) asks(msg *access.MsgRequestEmergency) (id, box, reason string) {
	w.t.Helper()
	res, err := w.msg.RequestEmergency(w.ctx, msg)
	require.NoError(w.t, err)
	w.outcome(res.Outcome, res.Reason)
	return res.Emergency, res.BoxUnlock, res.Reason
}

// requested is a request that is to be accepted.
func (w *ward) asked(versions ...records.Version) (id, box string) {
	w.t.Helper()
	id, box, reason := w.asks(w.call(w.doctor, versions...))
	require.Empty(w.t, reason)
	return id, box
}

func (w *ward) support(officer, id string) string {
	w.t.Helper()
	res, err := w.msg.ApproveEmergency(w.ctx, &access.MsgApproveEmergency{Officer: officer, Emergency: id})
	require.NoError(w.t, err)
	w.outcome(res.Outcome, res.Reason)
	return res.Reason
}

func (w *ward) review(officer, id, finding string) string {
	w.t.Helper()
	res, err := w.msg.ReviewEmergency(w.ctx, &access.MsgReviewEmergency{Officer: officer, Emergency: id, Finding: finding})
	require.NoError(w.t, err)
	w.outcome(res.Outcome, res.Reason)
	return res.Reason
}

// supported has hospitals 1 and 3 approve.
func (w *ward) supported(id string) {
	w.t.Helper()
	for _, hospital := range []uint64{1, 3} {
		require.Empty(w.t, w.support(w.officers[hospital], id))
	}
}

// opened brings an emergency to the holders, who release both parts.
func (w *ward) opened(versions ...records.Version) (id, box string) {
	w.t.Helper()
	id, box = w.asked(versions...)
	w.supported(id)
	w.nextBlock(600)
	w.nextBlock(5)
	require.Len(w.t, w.holders.requested, 2)
	for _, part := range []string{id, box} {
		w.holders.given[part] = true
		require.NoError(w.t, w.keeper.Released(w.ctx, part))
	}
	w.holders.requested = nil
	return id, box
}

func (w *ward) emergency(id string) *access.QueryEmergencyAccessResponse {
	w.t.Helper()
	res, err := w.query.EmergencyAccess(w.ctx, &access.QueryEmergencyAccessRequest{Id: id})
	require.NoError(w.t, err)
	return res
}

// From the request to the review: two other hospitals approve, the delay passes, both kinds of shares are asked for, the requester opens, it
// ends, and an officer looks at it.
func TestEmergency(t *testing.T) {
	w := newWard(t)
	scan := w.boxed()
	id, box := w.asked(scan)
	require.Equal(t, access.EMERGENCY_STATUS_REQUESTED, w.emergency(id).Status)
	require.Equal(t, audit.KindEmergencyRequested, w.log.last().Kind)
	require.Equal(t, []string{access.CauseUnconscious, w.alice, id}, []string{w.log.last().Target, w.log.last().Patient, w.log.last().Unlock})
	require.Empty(t, w.support(w.officers[3], id))
	require.Zero(t, w.emergency(id).ReleaseAt)
	require.Empty(t, w.support(w.officers[1], id))
	asked := w.ctx.BlockTime().Unix()
	require.Equal(t, asked+600, w.emergency(id).ReleaseAt)
	require.Equal(t, access.EMERGENCY_STATUS_APPROVED, w.emergency(id).Status)

	w.nextBlock(599)
	w.nextBlock(1)
	require.Empty(t, w.holders.requested, "the delay is not over")
	w.nextBlock(5)
	require.Len(t, w.holders.requested, 2)
	for _, r := range w.holders.requested {
		switch r.Unlock {
		case id:
			require.Equal(t, custody.KEY_KIND_RECORDS, r.Kind)
		case box:
			require.Equal(t, custody.KEY_KIND_EMERGENCY, r.Kind)
		default:
			t.Errorf("a release of %s", r.Unlock)
		}
	}
	require.NoError(t, w.keeper.Released(w.ctx, box))
	require.Equal(t, access.EMERGENCY_STATUS_APPROVED, w.emergency(id).Status, "one of two")
	require.NoError(t, w.keeper.Released(w.ctx, id))
	require.Equal(t, access.EMERGENCY_STATUS_RELEASED, w.emergency(id).Status)
	require.Equal(t, w.ctx.BlockTime().Unix()+access.EmergencyReviewTime, w.emergency(id).ReviewDue)

	w.nextBlock(day)
	w.nextBlock(5)
	require.Equal(t, access.EMERGENCY_STATUS_ENDED, w.emergency(id).Status)
	require.Equal(t, access.UNLOCK_STATUS_EXPIRED, w.status(id))
	require.Equal(t, access.UNLOCK_STATUS_EXPIRED, w.status(box))
	require.True(t, w.holders.closed[id] && w.holders.closed[box], "it ends by itself")
	require.Empty(t, w.review(w.officers[3], id, access.FindingJustified))
	require.Zero(t, w.emergency(id).ReviewDue)
	require.Equal(t, []string{
		audit.KindEmergencyRequested, audit.KindEmergencyApproved, audit.KindEmergencyApproved, audit.KindEmergencyDue, audit.KindReleased, audit.KindExpired,
		audit.KindEmergencyReviewed,
	}, w.log.kinds(id))
}

// Guardians are told of each step, as the patient is.
func TestGuardiansAreToldOfEmergencies(t *testing.T) {
	w := newWard(t)
	told := func(do func()) []string {
		before := w.ctx
		w.ctx = w.ctx.WithEventManager(sdk.NewEventManager())
		do()
		var guardians []string
		for _, e := range w.ctx.EventManager().Events() {
			if parsed, err := sdk.ParseTypedEvent(abci.Event(e)); err == nil {
				if changed, ok := parsed.(*access.EventEmergencyChanged); ok {
					require.Equal(t, w.alice, changed.Patient)
					guardians = append(guardians, changed.Guardians...)
				}
			}
		}
		w.ctx = before
		return guardians
	}
	var id string
	require.Empty(t, told(func() { id, _ = w.asked(w.boxed()) }), "she has none")
	bob, carol := w.guardian(), w.guardian()
	require.Empty(t, w.name(w.naming(w.alice, 2, bob, carol)))
	require.Equal(t, []string{bob, carol}, told(func() { require.Empty(t, w.support(w.officers[1], id)) }))
}

func TestWhoMayEnableEmergencies(t *testing.T) {
	w := newWard(t)
	for _, test := range []struct {
		name   string
		change func(*access.MsgEnableEmergency)
		reason string
	}{
		{"a clinician", func(m *access.MsgEnableEmergency) { m.Owner = w.doctor }, access.ReasonWrongRole},
		{"another name", func(m *access.MsgEnableEmergency) {
			m.Hospitals = []string{"1 Hospital", "2 Clinic", "3 Hospital", "4 Hospital"}
		}, access.ReasonHospitalDiffers},
		{"hospitals that are one too few", func(m *access.MsgEnableEmergency) { m.Hospitals = []string{"1 Hospital", "2 Hospital", "3 Hospital"} }, access.ReasonTooFewVaults},
		{"approvals that are one too many", func(m *access.MsgEnableEmergency) { m.Approvals = 4 }, access.ReasonTooFewVaults},
		{"as many as it takes", func(m *access.MsgEnableEmergency) { m.Approvals = 3 }, ""},
	} {
		msg := w.agreement()
		test.change(msg)
		require.Equal(t, test.reason, w.enable(msg), test.name)
	}
	w.people.emergency[5] = 0
	msg := w.agreement()
	msg.Approvals = 3
	require.Equal(t, access.ReasonTooFewVaults, w.enable(msg), "a hospital without a vault does not count")
	w.revoke(w.wallet)
	require.Equal(t, access.ReasonInactive, w.enable(w.agreement()))
	require.Equal(t, access.ReasonInactive, w.disable(w.wallet))
	require.Equal(t, access.ReasonWrongRole, w.disable(w.doctor))
}

func TestWhoMayRequestEmergencies(t *testing.T) {
	w := newWard(t)
	scan := w.boxed()
	plain := w.withBox(w.record(w.alice))
	plain.Box = nil
	w.data.versions[plain.Record] = []records.Version{plain}
	bob, _ := w.patient()
	other := w.record(w.people.principals[bob].Patient)
	other = w.withBox(other)
	own := w.withBox(w.record(""))
	erased := w.boxed()
	for _, test := range []struct {
		name   string
		msg    func() *access.MsgRequestEmergency
		reason string
	}{
		{"an officer", func() *access.MsgRequestEmergency { return w.call(w.officers[2], scan) }, access.ReasonWrongRole},
		{"the patient", func() *access.MsgRequestEmergency { return w.call(w.wallet, scan) }, access.ReasonWrongRole},
		{"a patient who did not agree", func() *access.MsgRequestEmergency { return w.call(w.doctor, other) }, access.ReasonNotAgreed},
		{"a hospital's own record", func() *access.MsgRequestEmergency { return w.call(w.doctor, own) }, access.ReasonNotAgreed},
		{"a record that is not there", func() *access.MsgRequestEmergency {
			m := w.call(w.doctor, scan)
			m.Versions = []uint64{2}
			return m
		}, access.ReasonUnknownVersion},
		{"more than two days", func() *access.MsgRequestEmergency {
			m := w.call(w.doctor, scan)
			m.ExpiresAt += 2 * day
			return m
		}, access.ReasonLifetimeTooLong},
		{"a proof of the locks for another proposal", func() *access.MsgRequestEmergency {
			m := w.call(w.doctor, scan)
			m.Proof = w.call(w.doctor, scan).Proof
			return m
		}, access.ReasonBadProof},
		{"a proof of the boxes for another proposal", func() *access.MsgRequestEmergency {
			m := w.call(w.doctor, scan)
			m.BoxProof = w.call(w.doctor, scan).BoxProof
			return m
		}, access.ReasonBadProof},
		{"the points of the locks in place of those of the boxes", func() *access.MsgRequestEmergency {
			m, locks := w.call(w.doctor, scan), w.requestFor("ETREAT", w.ctx.BlockTime().Unix()+day, w.doctor, w.lockOf, scan)
			m.BoxB, m.BoxProof, m.BoxM, m.BoxRequestKey = locks.B, locks.Proof, locks.M, locks.RequestKey
			return m
		}, access.ReasonBadProof},
		{"a point that was used", func() *access.MsgRequestEmergency {
			used := w.request(w.doctor, scan)
			_, reason := w.send(used)
			require.Empty(t, reason)
			m := w.call(w.doctor, scan)
			m.BoxB = used.B
			return m
		}, access.ReasonRepeatedPoint},
		{"an erased record", func() *access.MsgRequestEmergency {
			m := w.call(w.doctor, erased)
			erased.Tombstone = &records.Tombstone{}
			w.data.versions[erased.Record] = []records.Version{erased}
			return m
		}, access.ReasonErased},
	} {
		_, _, reason := w.asks(test.msg())
		require.Equal(t, test.reason, reason, test.name)
	}
	msg := w.call(w.doctor, scan)
	scan.Box = nil
	w.data.versions[scan.Record] = []records.Version{scan}
	_, _, reason := w.asks(msg)
	require.Equal(t, access.ReasonNoBox, reason)
	w.revoke(w.doctor)
	_, _, reason = w.asks(msg)
	require.Equal(t, access.ReasonInactive, reason)
}

func TestMalformedEmergencies(t *testing.T) {
	w := newWard(t)
	scan := w.boxed()
	for _, test := range []struct {
		name   string
		change func(*access.MsgRequestEmergency)
		err    error
	}{
		{"a purpose of every day", func(m *access.MsgRequestEmergency) { m.Purpose = "TREAT" }, access.ErrInvalidPurpose},
		{"a reason in words", func(m *access.MsgRequestEmergency) { m.Reason = "fell from a ladder" }, access.ErrInvalidEmergency},
		{"one point for both", func(m *access.MsgRequestEmergency) { m.BoxB = m.B }, access.ErrInvalidEmergency},
		{"one key for both", func(m *access.MsgRequestEmergency) { m.BoxRequestKey = m.RequestKey }, access.ErrInvalidEmergency},
		{"a point too few", func(m *access.MsgRequestEmergency) { m.BoxM = nil }, access.ErrInvalidVersions},
		{"no point", func(m *access.MsgRequestEmergency) { m.BoxB = m.BoxB[1:] }, access.ErrInvalidPoint},
		{"half a proof", func(m *access.MsgRequestEmergency) { m.BoxProof = m.BoxProof[32:] }, access.ErrInvalidProof},
	} {
		msg := w.call(w.doctor, scan)
		test.change(msg)
		_, err := w.msg.RequestEmergency(w.ctx, msg)
		require.ErrorIs(t, err, test.err, test.name)
	}
	for _, change := range []func(*access.MsgEnableEmergency){
		func(m *access.MsgEnableEmergency) { m.Approvals = 1 },
		func(m *access.MsgEnableEmergency) { m.Approvals = 9 },
		func(m *access.MsgEnableEmergency) { m.Delay = 9 },
		func(m *access.MsgEnableEmergency) { m.Delay = day + 1 },
		func(m *access.MsgEnableEmergency) { m.Hospitals = []string{"Hospital"} },
		func(m *access.MsgEnableEmergency) { m.Hospitals = []string{"01 Hospital"} },
		func(m *access.MsgEnableEmergency) { m.Hospitals = []string{"2 Hospital", "1 Hospital"} },
		func(m *access.MsgEnableEmergency) { m.Hospitals = make([]string, access.MaxEmergencyVaults+1) },
	} {
		msg := w.agreement()
		change(msg)
		_, err := w.msg.EnableEmergency(w.ctx, msg)
		require.ErrorIs(t, err, access.ErrInvalidEmergency)
	}
	_, err := w.msg.ReviewEmergency(w.ctx, &access.MsgReviewEmergency{Officer: w.officer, Emergency: zeroUnlock, Finding: "fine"})
	require.ErrorIs(t, err, access.ErrInvalidEmergency)
	_, err = w.msg.ApproveEmergency(w.ctx, &access.MsgApproveEmergency{Officer: w.officer, Emergency: zeroUnlock})
	require.ErrorIs(t, err, access.ErrUnknownEmergency)
}

func TestWhoMayApproveEmergencies(t *testing.T) {
	w := newWard(t)
	scan := w.boxed()
	id, box := w.asked(scan)
	w.people.emergency[5] = 0
	revoked := w.person(consortium.ROLE_OFFICER, 4)
	w.revoke(revoked)
	for _, test := range []struct{ name, officer, reason string }{
		{"of the requester's hospital", w.officers[er], access.ReasonWrongHospital},
		{"a clinician", w.person(consortium.ROLE_CLINICIAN, 3), access.ReasonWrongRole},
		{"the patient", w.wallet, access.ReasonWrongRole},
		{"revoked", revoked, access.ReasonInactive},
		{"of a hospital without a vault", w.officers[5], access.ReasonNoVault},
		{"the first", w.officers[3], ""},
		{"of a hospital that approved", w.person(consortium.ROLE_OFFICER, 3), access.ReasonRepeatedEndorsement},
		{"the second", w.officers[clinic], ""},
		{"one more", w.officers[4], access.ReasonAlreadyApproved},
	} {
		require.Equal(t, test.reason, w.support(test.officer, id), test.name)
	}
	require.Equal(t, access.ReasonEmergency, w.endorse(w.officer, id), "nothing else approves it")
	require.Equal(t, access.ReasonEmergency, w.endorse(w.officer, box))
	require.Equal(t, access.ReasonNotEndorsed, w.approve(w.wallet, id))

	// Those that the patient named, and no other.
	w = newWard(t)
	msg := w.agreement()
	msg.Hospitals = []string{"1 Hospital", "2 Hospital", "3 Hospital", "4 Hospital"}
	require.Empty(t, w.enable(msg))
	id, _ = w.asked(w.boxed())
	require.Equal(t, access.ReasonWrongHospital, w.support(w.officers[5], id))
	require.Empty(t, w.support(w.officers[4], id))
}

// The patient ends it at any time, and so do an officer of the custodian and the requester; both parts end together.
func TestEmergenciesAreStopped(t *testing.T) {
	for _, test := range []struct {
		name string
		stop func(w *ward, id, box string)
	}{
		{"denied", func(w *ward, id, _ string) { require.Empty(t, w.deny(w.wallet, id)) }},
		{"withdrawn by the patient", func(w *ward, id, _ string) { require.Empty(t, w.withdraw(w.wallet, id)) }},
		{"withdrawn by its other part", func(w *ward, _, box string) { require.Empty(t, w.withdraw(w.wallet, box)) }},
		{"withdrawn by an officer", func(w *ward, id, _ string) { require.Empty(t, w.withdraw(w.officer, id)) }},
		{"the agreement ended", func(w *ward, _, _ string) { require.Empty(t, w.disable(w.wallet)) }},
		{"the version has another lock", func(w *ward, id, _ string) {
			u, err := w.keeper.Unlock(w.ctx, id)
			require.NoError(t, err)
			v := w.data.versions[u.Versions[0].Record][0]
			v.Header.U = w.scalar().Public().Bytes()
			w.data.versions[v.Record][0] = v
		}},
		{"the version has another box", func(w *ward, id, _ string) {
			u, err := w.keeper.Unlock(w.ctx, id)
			require.NoError(t, err)
			w.withBox(w.data.versions[u.Versions[0].Record][0])
		}},
		{"the version has no box", func(w *ward, id, _ string) {
			u, err := w.keeper.Unlock(w.ctx, id)
			require.NoError(t, err)
			w.data.versions[u.Versions[0].Record][0].Box = nil
		}},
		{"the requester is revoked", func(w *ward, _, _ string) { w.revoke(w.doctor) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWard(t)
			id, box := w.asked(w.boxed())
			w.supported(id)
			test.stop(w, id, box)
			w.nextBlock(600)
			w.nextBlock(5)
			require.Equal(t, access.EMERGENCY_STATUS_ENDED, w.emergency(id).Status)
			for _, part := range []string{id, box} {
				require.False(t, w.status(part).IsOpen())
				require.True(t, len(w.holders.requested) == 0 || w.holders.closed[part], "no share counts")
			}
			require.Equal(t, access.ReasonExpired, w.support(w.officers[4], id))
			require.Equal(t, access.ReasonNotUsed, w.review(w.officers[3], id, access.FindingJustified))
		})
	}
}

func TestWhoMayReviewEmergencies(t *testing.T) {
	w := newWard(t)
	id, _ := w.opened(w.boxed())
	require.Equal(t, access.ReasonNotEnded, w.review(w.officers[3], id, access.FindingJustified))
	require.Empty(t, w.withdraw(w.doctor, id), "the requester closes it")
	revoked := w.person(consortium.ROLE_OFFICER, 3)
	w.revoke(revoked)
	for _, test := range []struct{ name, officer, reason string }{
		{"of the requester's hospital", w.officers[er], access.ReasonWrongHospital},
		{"of a hospital that did not approve", w.officers[4], access.ReasonWrongHospital},
		{"the requester", w.doctor, access.ReasonWrongRole},
		{"revoked", revoked, access.ReasonInactive},
		{"of the custodian", w.officer, ""},
		{"once more", w.officers[3], access.ReasonReviewed},
	} {
		require.Equal(t, test.reason, w.review(test.officer, id, access.FindingNotJustified), test.name)
	}
	require.Equal(t, access.FindingNotJustified, w.log.entries[len(w.log.entries)-2].Target)
}

// A use that nobody reviewed ends the requester's emergencies: those of the same patient at once, all others after the time for the review.
// Ordinary unlocks go on: there the patients say yes or no.
func TestUnreviewedUse(t *testing.T) {
	w := newWard(t)
	scan, letter := w.boxed(), w.boxed()
	id, _ := w.asked(scan)
	_, _, reason := w.asks(w.call(w.doctor, letter))
	require.Equal(t, access.ReasonUnreviewed, reason, "one at a time of one patient in one custody")
	require.Empty(t, w.withdraw(w.doctor, id))
	id, _ = w.opened(scan)
	require.Empty(t, w.withdraw(w.doctor, id))
	_, _, reason = w.asks(w.call(w.doctor, letter))
	require.Equal(t, access.ReasonUnreviewed, reason)

	wallet, bob := w.patient()
	msg := w.agreement()
	msg.Owner = wallet
	require.Empty(t, w.enable(msg))
	his := w.withBox(w.record(bob))
	other, _, reason := w.asks(w.call(w.doctor, his))
	require.Empty(t, reason, "another patient, before the review is due")
	require.Empty(t, w.withdraw(w.doctor, other))

	w.nextBlock(access.EmergencyReviewTime)
	_, _, reason = w.asks(w.call(w.doctor, his))
	require.Equal(t, access.ReasonUnreviewed, reason)
	w.propose(w.doctor, scan)
	other, _, reason = w.asks(w.call(w.person(consortium.ROLE_CLINICIAN, er), his))
	require.Empty(t, reason, "colleagues go on")
	require.Empty(t, w.withdraw(wallet, other))

	require.Empty(t, w.review(w.officers[3], id, access.FindingNotJustified))
	_, _, reason = w.asks(w.call(w.doctor, his))
	require.Empty(t, reason)
	again, _, reason := w.asks(w.call(w.doctor, letter))
	require.Empty(t, reason)
	require.Empty(t, w.emergency(again).Emergency.Approvals, "with fresh approvals")
}

// Shares that came too late count as a use.
func TestLateSharesAreAUse(t *testing.T) {
	w := newWard(t)
	id, box := w.asked(w.boxed())
	w.supported(id)
	w.nextBlock(600)
	w.nextBlock(5)
	w.holders.given[box] = true
	require.Empty(t, w.withdraw(w.wallet, id))
	require.NotZero(t, w.emergency(id).ReviewDue)

	w = newWard(t)
	id, box = w.asked(w.boxed())
	w.supported(id)
	w.nextBlock(600)
	w.nextBlock(5)
	require.Empty(t, w.withdraw(w.wallet, id))
	require.Zero(t, w.emergency(id).ReviewDue)
	require.NoError(t, w.keeper.LateShare(w.ctx, box, 3))
	require.NotZero(t, w.emergency(id).ReviewDue)
	_, _, reason := w.asks(w.call(w.doctor, w.boxed()))
	require.Equal(t, access.ReasonUnreviewed, reason)
}

func TestTooManyEmergencies(t *testing.T) {
	w := newWard(t)
	scan := w.boxed()
	for range access.MaxOpenEmergencies {
		_, _, reason := w.asks(w.call(w.person(consortium.ROLE_CLINICIAN, er), scan))
		require.Empty(t, reason)
	}
	_, _, reason := w.asks(w.call(w.doctor, scan))
	require.Equal(t, access.ReasonTooManyOpen, reason)
	require.Empty(t, w.disable(w.wallet))
	require.Equal(t, access.ReasonNotAgreed, w.disable(w.wallet))
	_, _, reason = w.asks(w.call(w.doctor, scan))
	require.Equal(t, access.ReasonNotAgreed, reason)
	require.Empty(t, w.enable(w.agreement()))
	_, _, reason = w.asks(w.call(w.doctor, scan))
	require.Empty(t, reason, "those of before have ended")
}

func TestEmergencyQueries(t *testing.T) {
	w := newWard(t)
	res, err := w.query.EmergencyTerms(w.ctx, &access.QueryEmergencyTermsRequest{Patient: w.alice})
	require.NoError(t, err)
	require.Len(t, res.Vaults, 5)
	agreed, err := w.keeper.AgreedToEmergencies(w.ctx, w.alice)
	require.NoError(t, err)
	require.True(t, agreed)
	first, _ := w.opened(w.boxed())
	require.Empty(t, w.withdraw(w.doctor, first))
	second, _, reason := w.asks(w.call(w.person(consortium.ROLE_CLINICIAN, 3), w.boxed()))
	require.Empty(t, reason)
	list := func(q *access.QueryEmergencyAccessesRequest) []string {
		res, err := w.query.EmergencyAccesses(w.ctx, q)
		require.NoError(t, err)
		var ids []string
		for _, e := range res.Emergencies {
			ids = append(ids, e.Emergency.Id)
		}
		return ids
	}
	require.Equal(t, []string{second, first}, list(&access.QueryEmergencyAccessesRequest{}))
	require.Equal(t, []string{second, first}, list(&access.QueryEmergencyAccessesRequest{Patient: w.alice}))
	require.Equal(t, []string{first}, list(&access.QueryEmergencyAccessesRequest{Requester: w.doctor}))
	require.Equal(t, []string{first}, list(&access.QueryEmergencyAccessesRequest{Unreviewed: true}))
	require.Equal(t, []string{second}, list(&access.QueryEmergencyAccessesRequest{Status: access.EMERGENCY_STATUS_REQUESTED}))
	require.Empty(t, list(&access.QueryEmergencyAccessesRequest{Patient: lock.ID{1}.String()}))

	require.Empty(t, w.disable(w.wallet))
	res, err = w.query.EmergencyTerms(w.ctx, &access.QueryEmergencyTermsRequest{Patient: w.alice})
	require.NoError(t, err)
	require.Empty(t, res.Vaults)
	require.NotZero(t, res.Terms.DisabledAt)
	agreed, err = w.keeper.AgreedToEmergencies(w.ctx, w.alice)
	require.NoError(t, err)
	require.False(t, agreed)
}

// A network goes on from an export with everything that was under way.
func TestEmergenciesAreExported(t *testing.T) {
	w := newWard(t)
	done, _ := w.opened(w.boxed())
	require.Empty(t, w.withdraw(w.doctor, done))
	other := w.person(consortium.ROLE_CLINICIAN, er)
	id, _, reason := w.asks(w.call(other, w.boxed()))
	require.Empty(t, reason)
	w.supported(id)
	g, err := w.keeper.ExportGenesis(w.ctx)
	require.NoError(t, err)
	require.NoError(t, g.Validate())
	at := w.ctx.BlockTime()
	w.restart(g)
	w.ctx = w.ctx.WithBlockTime(at)
	again, err := w.keeper.ExportGenesis(w.ctx)
	require.NoError(t, err)
	require.Equal(t, g, again)
	_, _, reason = w.asks(w.call(w.doctor, w.boxed()))
	require.Equal(t, access.ReasonUnreviewed, reason)
	w.nextBlock(600)
	w.nextBlock(5)
	require.Len(t, w.holders.requested, 2)
	for _, change := range []func(){
		func() { g.Emergencies[0].Reason = "ladder" },
		func() { g.Emergencies[0].EndedAt = 0 },
		func() { g.Emergencies[1].Id = g.Emergencies[0].Id },
		func() { g.Emergencies = g.Emergencies[:1] },
		func() { g.EmergencyTerms[0].Delay = 0 },
		func() { g.EmergencyTerms = append(g.EmergencyTerms, g.EmergencyTerms[0]) },
	} {
		change()
		require.ErrorIs(t, g.Validate(), access.ErrInvalidGenesis)
		g = again
		again, err = w.keeper.ExportGenesis(w.ctx)
		require.NoError(t, err)
	}
}
