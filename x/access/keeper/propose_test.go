package keeper_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

func TestPropose(t *testing.T) {
	f := newFixture(t)
	scan, letter := f.record(f.alice), f.record(f.alice)
	msg := f.request(f.doctor, scan, letter)
	id, reason := f.send(msg)
	require.Empty(t, reason)
	u, err := f.keeper.Unlock(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, er, u.Hospital)
	require.Equal(t, clinic, u.Custodian)
	require.Equal(t, f.alice, u.Patient)
	require.EqualValues(t, 1, u.EndorsementsNeeded)
	require.EqualValues(t, start, u.ProposedAt)
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(id))
	require.Equal(t, audit.Entry{
		Kind: audit.KindProposed, Actor: f.doctor, Role: "clinician", Hospital: er, Patient: f.alice,
		Subjects: []audit.Subject{{Record: msg.Records[0], Version: 1}, {Record: msg.Records[1], Version: 1}},
		Unlock:   id, Purpose: "TREAT", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
}

func TestProposeRefusals(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	used := f.request(f.doctor, scan)
	_, reason := f.send(used)
	require.Empty(t, reason)
	_, bob := f.patient()
	bobs, internal := f.record(bob), f.record("")
	alone := scan
	alone.Record, alone.Header.Lock = lock.ID(f.bytes(16)).String(), records.LOCK_NETWORK
	f.add(alone)
	missing, next := scan, scan
	missing.Record, next.Version = lock.ID(f.bytes(16)).String(), 2
	gone := f.person(consortium.ROLE_CLINICIAN, er)
	f.revoke(gone)
	unregistered := f.person(consortium.ROLE_PATIENT, 0)

	for _, c := range []struct {
		name    string
		request func() *access.MsgProposeUnlock
		reason  string
		patient string
	}{
		{"a clerk", func() *access.MsgProposeUnlock { return f.request(f.person(consortium.ROLE_CLERK, er), scan) }, access.ReasonWrongRole, f.alice},
		{"an officer", func() *access.MsgProposeUnlock { return f.request(f.officer, scan) }, access.ReasonWrongRole, f.alice},
		{"an ex-employee", func() *access.MsgProposeUnlock { return f.request(gone, scan) }, access.ReasonInactive, f.alice},
		{"expiry now", func() *access.MsgProposeUnlock { return f.requestUntil(start, f.doctor, scan) }, access.ReasonExpired, f.alice},
		{"expiry past", func() *access.MsgProposeUnlock { return f.requestUntil(1, f.doctor, scan) }, access.ReasonExpired, f.alice},
		{"expiry far", func() *access.MsgProposeUnlock { return f.requestUntil(start+14*day+1, f.doctor, scan) }, access.ReasonLifetimeTooLong, f.alice},
		{"expiry at the end of time", func() *access.MsgProposeUnlock { return f.requestUntil(1<<63-1, f.doctor, scan) }, access.ReasonLifetimeTooLong, f.alice},
		{"no such record", func() *access.MsgProposeUnlock { return f.request(f.doctor, missing) }, access.ReasonUnknownVersion, ""},
		{"no such version", func() *access.MsgProposeUnlock { return f.request(f.doctor, next) }, access.ReasonUnknownVersion, ""},
		{"a patient for another's", func() *access.MsgProposeUnlock { return f.request(f.wallet, bobs) }, access.ReasonNotOwner, bob},
		{"a patient for a hospital's", func() *access.MsgProposeUnlock { return f.request(f.wallet, internal) }, access.ReasonNotOwner, ""},
		{"a patient who is not registered, for a hospital's", func() *access.MsgProposeUnlock { return f.request(unregistered, internal) }, access.ReasonNotOwner, ""},
		{"the network's lock", func() *access.MsgProposeUnlock { return f.request(f.doctor, alone) }, access.ReasonLockNotAllowed, f.alice},
		{"a B that was used", func() *access.MsgProposeUnlock {
			msg := f.request(f.doctor, scan)
			msg.B = used.B
			return msg
		}, access.ReasonRepeatedPoint, f.alice},
		{"a one-time key that was used", func() *access.MsgProposeUnlock {
			msg := f.request(f.doctor, scan)
			msg.RequestKey = used.RequestKey
			return msg
		}, access.ReasonRepeatedRequestKey, f.alice},
		{"the same request again", func() *access.MsgProposeUnlock { return used }, access.ReasonRepeatedPoint, f.alice},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := c.request()
			_, reason := f.send(msg)
			require.Equal(t, c.reason, reason)
			e := f.log.last()
			require.Equal(t, audit.KindProposed, e.Kind)
			require.Equal(t, msg.Requester, e.Actor)
			require.Equal(t, c.patient, e.Patient)
			require.Equal(t, []audit.Subject{{Record: msg.Records[0], Version: msg.Versions[0]}}, e.Subjects)
		})
	}
	f.propose(f.doctor, scan)
	_, reason = f.send(f.requestUntil(start+14*day, f.doctor, scan))
	require.Empty(t, reason)
}

// Whatever is changed after the requester made the proof, the proof does not hold.
func TestProposeRefusesAChangedRequest(t *testing.T) {
	f := newFixture(t)
	one, two, three := f.record(f.alice), f.record(f.alice), f.record(f.alice)
	colleague := f.person(consortium.ROLE_CLINICIAN, er)
	elsewhere := f.person(consortium.ROLE_CLINICIAN, clinic)
	other := f.request(f.doctor, one, two)
	msg := f.request(f.doctor, one, two)
	for _, c := range []struct {
		name   string
		change func(*access.MsgProposeUnlock)
	}{
		{"requester", func(m *access.MsgProposeUnlock) { m.Requester = colleague }},
		{"requester of another hospital", func(m *access.MsgProposeUnlock) { m.Requester = elsewhere }},
		{"purpose", func(m *access.MsgProposeUnlock) { m.Purpose = "HRESCH" }},
		{"expiry", func(m *access.MsgProposeUnlock) { m.ExpiresAt++ }},
		{"one-time key", func(m *access.MsgProposeUnlock) { m.RequestKey = f.rawCID() }},
		{"B", func(m *access.MsgProposeUnlock) { m.B = other.B }},
		{"proof", func(m *access.MsgProposeUnlock) { m.Proof = other.Proof }},
		{"a foreign M", func(m *access.MsgProposeUnlock) { m.M[0] = other.M[0] }},
		{"M turned round", func(m *access.MsgProposeUnlock) { m.M[0], m.M[1] = m.M[1], m.M[0] }},
		{"a version less", func(m *access.MsgProposeUnlock) {
			m.Records, m.Versions, m.M = m.Records[:1], m.Versions[:1], m.M[:1]
		}},
		{"another version", func(m *access.MsgProposeUnlock) {
			m.Records[1] = three.Record
			slices.Sort(m.Records)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := *msg
			changed.Records, changed.Versions, changed.M = slices.Clone(msg.Records), slices.Clone(msg.Versions), slices.Clone(msg.M)
			c.change(&changed)
			_, reason := f.send(&changed)
			require.Equal(t, access.ReasonBadProof, reason)
		})
	}
	_, reason := f.send(msg)
	require.Empty(t, reason)
}

func TestProposeErrors(t *testing.T) {
	f := newFixture(t)
	scan, letter := f.record(f.alice), f.record(f.alice)
	_, bob := f.patient()
	bobs, internal := f.record(bob), f.record("")
	elsewhere, later := scan, scan
	elsewhere.Record, elsewhere.Header.Custodian = lock.ID(f.bytes(16)).String(), er
	later.Record, later.Header.Generation = lock.ID(f.bytes(16)).String(), 2
	f.add(elsewhere)
	f.add(later)
	many := make([]records.Version, access.MaxVersions+1)
	for i := range many {
		many[i] = f.record(f.alice)
	}
	for _, c := range []struct {
		name    string
		request func() *access.MsgProposeUnlock
		err     error
	}{
		{"a stranger", func() *access.MsgProposeUnlock {
			msg := f.request(f.doctor, scan)
			msg.Requester = "phrd1nobody"
			return msg
		}, consortium.ErrUnknownAccount},
		{"two owners", func() *access.MsgProposeUnlock { return f.request(f.doctor, scan, bobs) }, access.ErrMixedVersions},
		{"a patient's and a hospital's", func() *access.MsgProposeUnlock { return f.request(f.doctor, scan, internal) }, access.ErrMixedVersions},
		{"two custodians", func() *access.MsgProposeUnlock { return f.request(f.doctor, scan, elsewhere) }, access.ErrMixedVersions},
		{"two generations", func() *access.MsgProposeUnlock { return f.request(f.doctor, scan, later) }, access.ErrMixedVersions},
		{"too many", func() *access.MsgProposeUnlock {
			msg := f.request(f.doctor, many[:access.MaxVersions]...)
			msg.Records, msg.Versions, msg.M = append(msg.Records, "x"), append(msg.Versions, 1), append(msg.M, msg.M[0])
			return msg
		}, access.ErrInvalidVersions},
		{"a version twice", func() *access.MsgProposeUnlock {
			msg := f.request(f.doctor, scan, letter)
			msg.Records[1] = msg.Records[0]
			return msg
		}, access.ErrInvalidVersions},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.msg.ProposeUnlock(f.ctx, c.request())
			require.ErrorIs(t, err, c.err)
			require.Empty(t, f.log.entries)
		})
	}
	f.propose(f.doctor, many[:access.MaxVersions]...)
}

func TestProposeAtMostSoManyOpen(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	_, bob := f.patient()
	bobs := f.record(bob)
	var open []string
	for range 8 {
		open = append(open, f.propose(f.doctor, scan))
	}
	_, reason := f.send(f.request(f.doctor, scan))
	require.Equal(t, access.ReasonTooManyOpen, reason)

	// Another patient, another doctor, and one that ended do not count.
	f.propose(f.doctor, bobs)
	f.propose(f.person(consortium.ROLE_CLINICIAN, er), scan)
	require.Empty(t, f.withdraw(f.doctor, open[0]))
	f.propose(f.doctor, scan)
	_, reason = f.send(f.request(f.doctor, scan))
	require.Equal(t, access.ReasonTooManyOpen, reason)
	require.Empty(t, f.deny(f.wallet, open[1]))
	f.propose(f.doctor, scan)

	// Time ends the rest, even before the chain came to them.
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().AddDate(0, 0, 2))
	f.propose(f.doctor, scan)
}

func TestProposeForAHospitalsOwn(t *testing.T) {
	f := newFixture(t)
	id := f.propose(f.doctor, f.record(""))
	u, err := f.keeper.Unlock(f.ctx, id)
	require.NoError(t, err)
	require.Empty(t, u.Patient)
	require.Equal(t, clinic, u.Custodian)
	_, err = f.keeper.Unlock(f.ctx, strings.ToUpper(id))
	require.ErrorIs(t, err, access.ErrInvalidUnlock)
}
