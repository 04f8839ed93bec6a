package keeper_test

import (
	"slices"
	"testing"

	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/records/keeper"
)

func TestQueries(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.patient(f.wallet), f.patient(f.person(consortium.ROLE_PATIENT, 0))
	var ids []string
	for range 5 {
		n := f.version(alice, f.id(), 1)
		require.Empty(t, f.store(n))
		ids = append(ids, n.Record)
	}
	slices.Sort(ids)
	last := parse(t, ids[4])
	require.Empty(t, f.store(f.version(alice, last, 2), f.version(alice, last, 3)))
	foreign := f.person(consortium.ROLE_CLERK, hospital)
	require.Empty(t, f.storeBy(foreign, f.versionBy(foreign, hospital, bob, f.id(), 1, nil)))

	p, err := f.query.Patient(f.ctx, &records.QueryPatientRequest{Id: alice.Id})
	require.NoError(t, err)
	require.Equal(t, alice, p.Patient)
	byAddress, err := f.query.PatientByAddress(f.ctx, &records.QueryPatientByAddressRequest{Address: f.wallet})
	require.NoError(t, err)
	require.Equal(t, alice, byAddress.Patient)
	params, err := f.query.Params(f.ctx, &records.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, records.DefaultParams(), params.Params)
	r, err := f.query.Record(f.ctx, &records.QueryRecordRequest{Id: ids[4]})
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Record.Versions)
	v, err := f.query.Version(f.ctx, &records.QueryVersionRequest{Record: ids[4]})
	require.NoError(t, err)
	require.EqualValues(t, 3, v.Version.Version)

	// Pages of two reach every record once.
	for _, req := range []records.QueryRecordsRequest{{Patient: alice.Id}, {Custodian: clinic}} {
		var seen []string
		page := &query.PageRequest{Limit: 2}
		for {
			req.Pagination = page
			res, err := f.query.Records(f.ctx, &req)
			require.NoError(t, err)
			require.LessOrEqual(t, len(res.Records), 2)
			for _, r := range res.Records {
				seen = append(seen, r.Id)
			}
			if len(res.Pagination.NextKey) == 0 {
				break
			}
			page = &query.PageRequest{Key: res.Pagination.NextKey, Limit: 2}
		}
		require.Equal(t, ids, seen)
	}
	versions, err := f.query.Versions(f.ctx, &records.QueryVersionsRequest{Record: ids[4]})
	require.NoError(t, err)
	require.Len(t, versions.Versions, 3)
	require.EqualValues(t, 1, versions.Versions[0].Version)
	theirs, err := f.query.Records(f.ctx, &records.QueryRecordsRequest{Custodian: hospital, Pagination: &query.PageRequest{Limit: 1 << 60}})
	require.NoError(t, err)
	require.Len(t, theirs.Records, 1)
}

func TestQueryErrors(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	unknown := f.id().String()
	for _, c := range []struct {
		name string
		call func() error
		code codes.Code
	}{
		{"unknown patient", func() error {
			_, err := f.query.Patient(f.ctx, &records.QueryPatientRequest{Id: unknown})
			return err
		}, codes.NotFound},
		{"malformed patient", func() error {
			_, err := f.query.Patient(f.ctx, &records.QueryPatientRequest{Id: "1"})
			return err
		}, codes.InvalidArgument},
		{"an account without a patient", func() error {
			_, err := f.query.PatientByAddress(f.ctx, &records.QueryPatientByAddressRequest{Address: f.clerk})
			return err
		}, codes.NotFound},
		{"unknown record", func() error {
			_, err := f.query.Record(f.ctx, &records.QueryRecordRequest{Id: unknown})
			return err
		}, codes.NotFound},
		{"unknown version", func() error {
			_, err := f.query.Version(f.ctx, &records.QueryVersionRequest{Record: unknown, Version: 1})
			return err
		}, codes.NotFound},
		{"newest version of nothing", func() error {
			_, err := f.query.Version(f.ctx, &records.QueryVersionRequest{Record: unknown})
			return err
		}, codes.NotFound},
		{"versions of nothing", func() error {
			_, err := f.query.Versions(f.ctx, &records.QueryVersionsRequest{Record: unknown})
			return err
		}, codes.NotFound},
		{"records of nobody", func() error {
			_, err := f.query.Records(f.ctx, &records.QueryRecordsRequest{})
			return err
		}, codes.InvalidArgument},
		{"records of two", func() error {
			_, err := f.query.Records(f.ctx, &records.QueryRecordsRequest{Patient: alice.Id, Custodian: clinic})
			return err
		}, codes.InvalidArgument},
		{"an offset", func() error {
			_, err := f.query.Records(f.ctx, &records.QueryRecordsRequest{Patient: alice.Id, Pagination: &query.PageRequest{Offset: 1}})
			return err
		}, codes.InvalidArgument},
		{"a count of all", func() error {
			_, err := f.query.Versions(f.ctx, &records.QueryVersionsRequest{Record: unknown, Pagination: &query.PageRequest{CountTotal: true}})
			return err
		}, codes.InvalidArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			require.Error(t, err)
			require.Equal(t, c.code, status.Code(err), err)
		})
	}
}

func TestUpdateParams(t *testing.T) {
	f := newFixture(t)
	want := records.Params{MaxSize: 1 << 20, MaxVersions: 5}
	_, err := f.msg.UpdateParams(f.ctx, &records.MsgUpdateParams{Authority: f.clerk, Params: want})
	require.ErrorIs(t, err, records.ErrUnauthorized)
	_, err = f.msg.UpdateParams(f.ctx, &records.MsgUpdateParams{Authority: "authority", Params: records.Params{}})
	require.ErrorIs(t, err, records.ErrInvalidParams)
	require.Empty(t, f.log.entries)
	_, err = f.msg.UpdateParams(f.ctx, &records.MsgUpdateParams{Authority: "authority", Params: want})
	require.NoError(t, err)
	got, err := f.keeper.Params(f.ctx)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: "records", Outcome: audit.OUTCOME_OK}, f.log.last())
}

func TestGenesisRoundTrip(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	id := f.id()
	n := f.version(alice, id, 1)
	require.Empty(t, f.store(n, f.version(alice, id, 2), f.internal(f.id(), 1)))
	require.EqualValues(t, 1, f.report(records.AccessReport{Number: 5, Reader: f.wallet, Record: n.Record, Version: 1}))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())

	g := newFixture(t)
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
	again, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)

	// What must never be seen again is refused on the new chain, too.
	g.people, g.keys = f.people, f.keys
	require.EqualValues(t, 5, g.reported(clinic))
	_, subjects, err := g.keeper.Subject(g.ctx, n.Object)
	require.NoError(t, err)
	require.Equal(t, []audit.Subject{{Record: n.Record, Version: 1}}, subjects)
	list, err := g.query.Records(g.ctx, &records.QueryRecordsRequest{Patient: alice.Id})
	require.NoError(t, err)
	require.Len(t, list.Records, 1)
	next := f.version(alice, id, 3)
	copied, twice := next, next
	copied.Header.U, twice.Envelope = n.Header.U, n.Envelope
	require.Equal(t, records.ReasonRepeatedPoint, g.storeBy(f.clerk, copied))
	require.Equal(t, records.ReasonRepeatedCID, g.storeBy(f.clerk, twice))
	require.Empty(t, g.storeBy(f.clerk, next))
}

func TestNewNeedsAllNeighbours(t *testing.T) {
	_, err := keeper.New(nil, nil, keeper.Neighbours{Audit: &fakeAudit{}, Consortium: &fakeConsortium{}, Custody: &fakeCustody{}})
	require.ErrorContains(t, err, "a neighbour is missing")
}
