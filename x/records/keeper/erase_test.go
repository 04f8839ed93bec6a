package keeper_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// erase sends an erasure and answers the request's number and the reason of a refusal.
func (f *fixture) erase(owner string, versions ...string) (request uint64, reason string) {
	f.t.Helper()
	res, err := f.msg.EraseVersions(f.ctx, &records.MsgEraseVersions{Owner: owner, Versions: versions})
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Outcome, f.log.last().Outcome)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Request, res.Reason
}

func (f *fixture) approveErasure(officer string, request uint64) string {
	f.t.Helper()
	res, err := f.msg.ApproveErasure(f.ctx, &records.MsgApproveErasure{Officer: officer, Request: request})
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Reason
}

// countersign has erasures wait for an officer.
func (f *fixture) countersign() {
	f.t.Helper()
	p := records.DefaultParams()
	p.ErasureCountersign = true
	_, err := f.msg.UpdateParams(f.ctx, &records.MsgUpdateParams{Authority: "authority", Params: p})
	require.NoError(f.t, err)
}

func (f *fixture) tombstone(id lock.ID, version uint64) *records.Tombstone {
	f.t.Helper()
	v, err := f.keeper.Version(f.ctx, id.String(), version)
	require.NoError(f.t, err)
	return v.Tombstone
}

// fakeErasures remember what they were told.
type fakeErasures struct {
	refs, relocked []records.Ref
	written        []string // patients whose vaults were
}

func (h *fakeErasures) VersionsErased(_ context.Context, refs []records.Ref) error {
	h.refs = append(h.refs, refs...)
	return nil
}

func (h *fakeErasures) VersionsRelocked(_ context.Context, refs []records.Ref) error {
	h.relocked = append(h.relocked, refs...)
	return nil
}

func (h *fakeErasures) VaultWritten(_ context.Context, patient string) error {
	h.written = append(h.written, patient)
	return nil
}

func TestErase(t *testing.T) {
	f := newFixture(t)
	hooks := &fakeErasures{}
	f.keeper.SetLockHooks(hooks)
	alice := f.patient(f.wallet)
	id := f.id()
	first := f.version(alice, id, 1)
	require.Empty(t, f.store(first, f.version(alice, id, 2), f.version(alice, id, 3)))

	_, reason := f.erase(f.wallet, id.String()+"/1", id.String()+"/3")
	require.Empty(t, reason)
	require.Equal(t, audit.Entry{
		Kind: audit.KindErased, Actor: f.wallet, Role: "patient", Patient: alice.Id,
		Subjects: []audit.Subject{{Record: id.String(), Version: 1}, {Record: id.String(), Version: 3}}, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, []records.Ref{{Record: id, Version: 1}, {Record: id, Version: 3}}, hooks.refs)
	require.Equal(t, []string{first.Object, first.Envelope}, f.placed.erased[0])
	require.Len(t, f.placed.erased, 2)
	require.Equal(t, &records.Tombstone{By: f.wallet, At: start, Erasure: 1}, f.tombstone(id, 1))
	require.Nil(t, f.tombstone(id, 2))
	require.Equal(t, &records.Tombstone{By: f.wallet, At: start, Erasure: 2}, f.tombstone(id, 3))

	r, err := f.keeper.Record(f.ctx, id.String())
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Versions)
	require.EqualValues(t, 2, r.Erased)

	// What it was locked with stays readable, and is refused for ever.
	v, err := f.keeper.Version(f.ctx, id.String(), 1)
	require.NoError(t, err)
	require.Equal(t, first.Header, v.Header)
	next := f.version(alice, id, 4)
	same := next
	same.Object = first.Object
	require.Equal(t, records.ReasonRepeatedCID, f.store(same))
	require.Empty(t, f.store(next))
	of, err := f.query.VersionOf(f.ctx, &records.QueryVersionOfRequest{Object: first.Object})
	require.NoError(t, err)
	require.Equal(t, v, of.Version)
	_, err = f.query.VersionOf(f.ctx, &records.QueryVersionOfRequest{Object: same.Envelope})
	require.Equal(t, codes.NotFound, status.Code(err))
}

// Each refusal differs from an accepted erasure by one thing.
func TestEraseRefusals(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.patient(f.wallet), f.person(consortium.ROLE_PATIENT, 0)
	f.patient(bob)
	id, own := f.id(), f.id()
	require.Empty(t, f.store(f.version(alice, id, 1), f.version(alice, id, 2), f.internal(own, 1)))
	gone := f.person(consortium.ROLE_OFFICER, clinic)
	p := f.people.principals[gone]
	p.Active = false
	f.people.principals[gone] = p
	one, two, theirs := id.String()+"/1", id.String()+"/2", own.String()+"/1"
	for _, c := range []struct {
		name, signer, version, reason string
	}{
		{"another patient", bob, one, records.ReasonNotOwner},
		{"the custodian's officer", f.officer, one, records.ReasonNotOwner},
		{"the custodian's clerk", f.clerk, one, records.ReasonNotOwner},
		{"a patient, of a hospital's own", f.wallet, theirs, records.ReasonNotOwner},
		{"a clerk, of the hospital's own", f.clerk, theirs, records.ReasonNotOwner},
		{"an officer elsewhere", f.person(consortium.ROLE_OFFICER, hospital), theirs, records.ReasonNotOwner},
		{"an officer who has gone", gone, theirs, records.ReasonInactive},
		{"no such version", f.wallet, id.String() + "/3", records.ReasonUnknownVersion},
		{"no such record", f.wallet, f.id().String() + "/1", records.ReasonUnknownVersion},
	} {
		_, reason := f.erase(c.signer, c.version)
		require.Equal(t, c.reason, reason, c.name)
		require.Equal(t, audit.KindErasureAsked, f.log.last().Kind, c.name)
		require.Len(t, f.log.last().Subjects, 1)
	}
	require.Empty(t, f.placed.erased)
	_, reason := f.erase(f.wallet, one)
	require.Empty(t, reason)
	_, reason = f.erase(f.officer, theirs)
	require.Empty(t, reason)
	_, reason = f.erase(f.wallet, one, two)
	require.Equal(t, records.ReasonErased, reason)
	require.Nil(t, f.tombstone(id, 2), "all or none")
}

func TestMalformedErasures(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	a, b, own := f.id(), f.id(), f.id()
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	require.Empty(t, f.store(f.version(alice, a, 1), f.version(alice, b, 1), f.internal(own, 1)))
	one, two := a.String()+"/1", b.String()+"/1"
	var many []string
	for i := range records.MaxRefs + 1 {
		many = append(many, fmt.Sprintf("%s/%d", a, i+1))
	}
	mixed := []string{one, own.String() + "/1"}
	if bytes.Compare(a[:], own[:]) > 0 {
		slices.Reverse(mixed)
	}
	for name, versions := range map[string][]string{
		"none": nil, "too many": many, "unsorted": {two, one}, "twice": {one, one}, "no version": {a.String()}, "version 0": {a.String() + "/0"},
		"another text": {a.String() + "/01"}, "no record": {"x/1"}, "two owners": mixed,
	} {
		_, err := f.msg.EraseVersions(f.ctx, &records.MsgEraseVersions{Owner: f.wallet, Versions: versions})
		require.ErrorIs(t, err, records.ErrInvalidVersions, name)
	}
	_, reason := f.erase(f.wallet, one, two)
	require.Empty(t, reason)
}

// Where the members decided so, nothing is erased before an officer of the custodian
// signs who did not ask for it.
func TestErasureIsCountersigned(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	id, own := f.id(), f.id()
	require.Empty(t, f.store(f.version(alice, id, 1), f.internal(own, 1)))
	f.countersign()

	number, reason := f.erase(f.wallet, id.String()+"/1")
	require.Empty(t, reason)
	require.EqualValues(t, 1, number)
	require.Equal(t, audit.KindErasureAsked, f.log.last().Kind)
	require.Equal(t, "1", f.log.last().Target)
	require.Nil(t, f.tombstone(id, 1))
	_, reason = f.erase(f.wallet, id.String()+"/1")
	require.Equal(t, records.ReasonAskedAlready, reason)
	list, err := f.query.ErasureRequests(f.ctx, &records.QueryErasureRequestsRequest{Custodian: clinic})
	require.NoError(t, err)
	require.Equal(t, []records.ErasureRequest{{
		Number: 1, Versions: []string{id.String() + "/1"}, Patient: alice.Id, Custodian: clinic, By: f.wallet, At: start,
	}}, list.Requests)

	require.Equal(t, records.ReasonNotAsked, f.approveErasure(f.officer, 2))
	require.Equal(t, records.ReasonWrongRole, f.approveErasure(f.clerk, 1))
	require.Equal(t, records.ReasonWrongRole, f.approveErasure(f.wallet, 1))
	require.Equal(t, records.ReasonWrongHospital, f.approveErasure(f.person(consortium.ROLE_OFFICER, hospital), 1))
	require.Equal(t, audit.KindErased, f.log.last().Kind)
	require.Empty(t, f.placed.erased)
	require.Empty(t, f.approveErasure(f.officer, 1))
	require.Equal(t, &records.Tombstone{By: f.wallet, ApprovedBy: f.officer, At: start, Erasure: 1}, f.tombstone(id, 1))
	require.Equal(t, records.ReasonNotAsked, f.approveErasure(f.officer, 1))

	// The hospital's own takes two officers.
	number, reason = f.erase(f.officer, own.String()+"/1")
	require.Empty(t, reason)
	require.Equal(t, records.ReasonSamePerson, f.approveErasure(f.officer, number))
	require.Nil(t, f.tombstone(own, 1))
	require.Empty(t, f.approveErasure(f.person(consortium.ROLE_OFFICER, clinic), number))
	require.NotNil(t, f.tombstone(own, 1))
}

func TestErasureCertificate(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	id := f.id()
	require.Empty(t, f.store(f.version(alice, id, 1), f.version(alice, id, 2)))
	_, reason := f.erase(f.wallet, id.String()+"/1")
	require.Empty(t, reason)
	f.placed.nodes = []storage.NodeErasure{
		{Node: 1, Member: 1, Attestation: &storage.Attestation{Node: 1, At: start, BackupDays: 30}},
		{Node: 2, Member: 1},
		{Node: 3, Member: 2, Left: true},
		{Node: 4, Member: 2, Left: true, Attestation: &storage.Attestation{Node: 4, At: start}},
	}
	res, err := f.query.ErasureCertificate(f.ctx, &records.QueryErasureCertificateRequest{Record: id.String(), Version: 1})
	require.NoError(t, err)
	c := res.Certificate
	require.Equal(t, f.placed.nodes, c.Nodes)
	require.EqualValues(t, 1, c.Missing)
	require.EqualValues(t, 1, c.Left)
	require.Equal(t, []string{"tombstone", "lock_header", "log_entries"}, c.Remains)
	require.NotNil(t, c.Version.Tombstone)

	_, err = f.query.ErasureCertificate(f.ctx, &records.QueryErasureCertificateRequest{Record: id.String(), Version: 2})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.ErrorContains(t, err, records.ErrNotErased.Error())
	_, err = f.query.ErasureCertificate(f.ctx, &records.QueryErasureCertificateRequest{Record: id.String(), Version: 3})
	require.Equal(t, codes.NotFound, status.Code(err))
}

// Tombstones and what waits are exported, and a state that names what storage does not
// know is no first state.
func TestErasuresAreExported(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	id := f.id()
	require.Empty(t, f.store(f.version(alice, id, 1), f.version(alice, id, 2)))
	_, reason := f.erase(f.wallet, id.String()+"/1")
	require.Empty(t, reason)
	f.countersign()
	_, reason = f.erase(f.wallet, id.String()+"/2")
	require.Empty(t, reason)
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())

	g := newFixture(t)
	require.ErrorIs(t, g.keeper.InitGenesis(g.ctx, exported), storage.ErrUnknownErasure)
	g = newFixture(t)
	g.placed.erased = f.placed.erased
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
	again, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	g.people.principals = f.people.principals
	_, reason = g.erase(f.wallet, id.String()+"/2")
	require.Equal(t, records.ReasonAskedAlready, reason)
	require.Empty(t, g.approveErasure(f.officer, 1))

	for name, change := range map[string]func(*records.GenesisState){
		"one erasure of two versions": func(g *records.GenesisState) { g.Versions[1].Tombstone = g.Versions[0].Tombstone },
		"more erased than it says":    func(g *records.GenesisState) { g.Records[0].Erased = 0 },
		"a tombstone of nobody":       func(g *records.GenesisState) { g.Versions[0].Tombstone.By = "x" },
		"a request from the future":   func(g *records.GenesisState) { g.ErasureSequence = 0 },
		"a request of another owner":  func(g *records.GenesisState) { g.ErasureRequests[0].Patient = "" },
		"a request for what is gone":  func(g *records.GenesisState) { g.ErasureRequests[0].Versions[0] = id.String() + "/1" },
		"a request for what is not":   func(g *records.GenesisState) { g.ErasureRequests[0].Versions[0] = id.String() + "/3" },
	} {
		bad, err := f.keeper.ExportGenesis(f.ctx)
		require.NoError(t, err)
		change(bad)
		require.ErrorIs(t, bad.Validate(), records.ErrInvalidGenesis, name)
	}
}
