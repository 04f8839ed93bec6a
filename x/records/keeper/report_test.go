package keeper_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

func (f *fixture) report(reports ...records.AccessReport) uint32 {
	f.t.Helper()
	res, err := f.msg.ReportAccess(f.ctx, &records.MsgReportAccess{Node: f.node, Reports: reports})
	require.NoError(f.t, err)
	return res.Written
}

func (f *fixture) reported(member uint64) uint64 {
	f.t.Helper()
	res, err := f.query.Reported(f.ctx, &records.QueryReportedRequest{Member: member})
	require.NoError(f.t, err)
	return res.Number
}

func TestReportAccess(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	n := f.version(alice, f.id(), 1)
	require.Empty(t, f.store(n))
	clinician := f.person(consortium.ROLE_CLINICIAN, hospital)
	stranger := sdk.AccAddress(f.bytes(20)).String()
	unlock := strings.Repeat("ab", 32)
	require.Zero(t, f.reported(clinic))

	entries := len(f.log.entries)
	require.EqualValues(t, 3, f.report(
		records.AccessReport{Number: 3, Reader: clinician, Record: n.Record, Version: 1, Offset: 10, Length: 20, Unlock: unlock, At: start},
		records.AccessReport{Number: 4, Reader: stranger, Record: n.Record, Version: 1, Refused: true, Refusals: 3},
		records.AccessReport{Number: 9, Reader: f.wallet, Record: f.id().String(), Version: 7},
	))
	require.EqualValues(t, 9, f.reported(clinic))
	require.Zero(t, f.reported(hospital))
	require.Equal(t, audit.Entry{
		Kind: audit.KindOpened, Actor: clinician, Role: "clinician", Hospital: hospital, Patient: alice.Id, Target: "1", Unlock: unlock,
		Subjects: []audit.Subject{{Record: n.Record, Version: 1, Offset: 10, Length: 20}}, Outcome: audit.OUTCOME_OK, Count: 20,
	}, f.log.entries[entries])
	require.Equal(t, audit.Entry{
		Kind: audit.KindOpened, Actor: stranger, Patient: alice.Id, Target: "1",
		Subjects: []audit.Subject{{Record: n.Record, Version: 1}}, Outcome: audit.OUTCOME_REFUSED, Reason: records.ReasonRefusedByGateway, Count: 3,
	}, f.log.entries[entries+1])
	require.Empty(t, f.log.entries[entries+2].Patient, "a record that is not known has no owner")

	// The gateway crashed before it saw the answer and sends its journal again.
	require.EqualValues(t, 1, f.report(
		records.AccessReport{Number: 9, Reader: f.wallet, Record: n.Record, Version: 1},
		records.AccessReport{Number: 10, Reader: f.wallet, Record: n.Record, Version: 1},
	))
	require.Len(t, f.log.entries, entries+4)
	require.Zero(t, f.report(records.AccessReport{Number: 10, Reader: f.wallet, Record: n.Record, Version: 1}))
	require.Len(t, f.log.entries, entries+4)

	// A gateway of before refusals were counted.
	require.EqualValues(t, 1, f.report(records.AccessReport{Number: 11, Reader: stranger, Record: n.Record, Version: 1, Refused: true}))
	require.EqualValues(t, 1, f.log.entries[entries+4].Count)
}

func TestReportAccessErrors(t *testing.T) {
	f := newFixture(t)
	good := records.AccessReport{Number: 1, Reader: f.wallet, Record: f.id().String(), Version: 1}
	suspended := f.person(consortium.ROLE_NODE, hospital)
	p := f.people.principals[suspended]
	p.Active = false
	f.people.principals[suspended] = p
	many := make([]records.AccessReport, records.MaxReports+1)
	for i := range many {
		many[i] = good
		many[i].Number = uint64(i + 1)
	}
	with := func(change func(*records.AccessReport)) []records.AccessReport {
		r := good
		change(&r)
		return []records.AccessReport{r}
	}
	for _, c := range []struct {
		name, node string
		reports    []records.AccessReport
		err        error
	}{
		{"a stranger", "phrd1nobody", many[:1], consortium.ErrUnknownAccount},
		{"a clerk", f.clerk, many[:1], records.ErrUnauthorized},
		{"a storage node", f.person(consortium.ROLE_STORAGE, clinic), many[:1], records.ErrUnauthorized},
		{"a suspended member's node", suspended, many[:1], records.ErrUnauthorized},
		{"none", f.node, nil, records.ErrInvalidReport},
		{"one too many", f.node, many, records.ErrInvalidReport},
		{"numbers that repeat", f.node, []records.AccessReport{good, good}, records.ErrInvalidReport},
		{"numbers that fall", f.node, []records.AccessReport{many[1], many[0]}, records.ErrInvalidReport},
		{"number 0", f.node, with(func(r *records.AccessReport) { r.Number = 0 }), records.ErrInvalidReport},
		{"no reader", f.node, with(func(r *records.AccessReport) { r.Reader = "" }), records.ErrInvalidReport},
		{"a reader in capitals", f.node, with(func(r *records.AccessReport) { r.Reader = strings.ToUpper(r.Reader) }), records.ErrInvalidReport},
		{"no record", f.node, with(func(r *records.AccessReport) { r.Record = "../x" }), records.ErrInvalidReport},
		{"version 0", f.node, with(func(r *records.AccessReport) { r.Version = 0 }), records.ErrInvalidReport},
		{"bytes beyond any object", f.node, with(func(r *records.AccessReport) { r.Offset = 1 << 63 }), records.ErrInvalidReport},
		{"an unlock in capitals", f.node, with(func(r *records.AccessReport) { r.Unlock = strings.Repeat("AB", 32) }), records.ErrInvalidReport},
		{"refusals of what was served", f.node, with(func(r *records.AccessReport) { r.Refusals = 1 }), records.ErrInvalidReport},
		{"more refusals than there are numbers", f.node, with(func(r *records.AccessReport) { r.Refused, r.Refusals = true, 1<<63 }), records.ErrInvalidReport},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.msg.ReportAccess(f.ctx, &records.MsgReportAccess{Node: c.node, Reports: c.reports})
			require.ErrorIs(t, err, c.err)
			require.Empty(t, f.log.entries)
		})
	}
	require.EqualValues(t, records.MaxReports, f.report(many[:records.MaxReports]...))
}
