package keeper_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// id is a random id as text.
func (f *fixture) id() string {
	f.t.Helper()
	id, err := lock.NewID(f.random)
	require.NoError(f.t, err)
	return id.String()
}

func (f *fixture) sessions(reports ...consortium.SessionReport) uint32 {
	f.t.Helper()
	res, err := f.msg.ReportSessions(f.ctx, &consortium.MsgReportSessions{Node: f.nodes[1], Reports: reports})
	require.NoError(f.t, err)
	return res.Written
}

func (f *fixture) sessionsReported(member uint64) uint64 {
	f.t.Helper()
	res, err := f.query.SessionsReported(f.ctx, &consortium.QuerySessionsReportedRequest{Member: member})
	require.NoError(f.t, err)
	return res.Number
}

func TestReportSessions(t *testing.T) {
	f := newFixture(t, 4)
	auditor, alice, known := f.staff(1, consortium.ROLE_AUDITOR), f.patient(1), f.id()
	f.keeper.SetPrincipals(fakePrincipals{alice: known})
	_, err := f.log.Append(f.ctx, audit.Entry{Kind: audit.KindPatientRegistered, Actor: alice, Role: "patient", Patient: known, Outcome: audit.OUTCOME_OK})
	require.NoError(t, err)
	record, unlock := f.id(), strings.Repeat("ab", 32)
	before := len(f.log.entries)
	require.EqualValues(t, 8, f.sessions(
		consortium.SessionReport{Number: 3, Kind: consortium.SESSION_KIND_LOGGED_IN, Account: alice, Count: 2, At: start},
		consortium.SessionReport{Number: 4, Kind: consortium.SESSION_KIND_LOGIN_FAILED, Account: alice, Reason: consortium.ReasonSignature, Count: 9},
		consortium.SessionReport{Number: 5, Kind: consortium.SESSION_KIND_LOGIN_FAILED, Reason: consortium.ReasonNoRole, Count: 1000},
		consortium.SessionReport{Number: 7, Kind: consortium.SESSION_KIND_LOG_READ, Account: auditor, Read: "entries", Patient: known, Record: record, Unlock: unlock, Count: 12},
		consortium.SessionReport{Number: 8, Kind: consortium.SESSION_KIND_LOG_READ, Account: stranger, Read: "entry", Patient: f.id(), Refused: true},
		consortium.SessionReport{Number: 9, Kind: consortium.SESSION_KIND_LOGGED_OUT, Account: auditor, Count: 1},
		consortium.SessionReport{Number: 10, Kind: consortium.SESSION_KIND_SESSION_ENDED, Account: auditor, Count: 1},
		consortium.SessionReport{Number: 11, Kind: consortium.SESSION_KIND_SESSION_ENDED, Account: alice, Way: consortium.ServerRestarted, Count: 2},
	))
	require.EqualValues(t, 11, f.sessionsReported(2))
	require.Zero(t, f.sessionsReported(1))
	refused := audit.OUTCOME_REFUSED
	require.Equal(t, []audit.Entry{
		{Kind: audit.KindLoggedIn, Actor: alice, Role: "patient", Patient: known, Target: "2", Count: 2, Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindLoginFailed, Actor: alice, Role: "patient", Patient: known, Target: "2", Count: 9, Outcome: refused, Reason: "signature"},
		{Kind: audit.KindLoginFailed, Actor: f.nodes[1], Role: "node", Hospital: 2, Target: "2", Count: 1000, Outcome: refused, Reason: "no_role"},
		{
			Kind: audit.KindLogRead, Actor: auditor, Role: "auditor", Hospital: 1, Patient: known, Target: "2/entries", Unlock: unlock,
			Subjects: []audit.Subject{{Record: record}}, Count: 12, Outcome: audit.OUTCOME_OK,
		},
		// Who made a patient's number up begins no chain for it.
		{Kind: audit.KindLogRead, Actor: stranger, Target: "2/entry", Outcome: refused, Reason: consortium.ReasonRefusedByGateway},
		{Kind: audit.KindLoggedOut, Actor: auditor, Role: "auditor", Hospital: 1, Target: "2", Count: 1, Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindSessionEnded, Actor: auditor, Role: "auditor", Hospital: 1, Target: "2", Count: 1, Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindSessionEnded, Actor: alice, Role: "patient", Patient: known, Target: "2/server_restarted", Count: 2, Outcome: audit.OUTCOME_OK},
	}, f.log.entries[before:])

	// The gateway crashed before it saw the answer and sends its journal again.
	again := consortium.SessionReport{Number: 11, Kind: consortium.SESSION_KIND_LOGGED_OUT, Account: auditor, Count: 1}
	next := again
	next.Number = 12
	require.EqualValues(t, 1, f.sessions(again, next))
	require.Zero(t, f.sessions(next))
	require.Len(t, f.log.entries, before+9)
}

// Every step about a pepper is in the log of the patient whose vault it is, whoever took it.
func TestReportPeppers(t *testing.T) {
	f := newFixture(t, 4)
	clerk, alice, known := f.staff(2, consortium.ROLE_CLERK), f.patient(1), f.id()
	f.keeper.SetPrincipals(fakePrincipals{alice: known})
	_, err := f.log.Append(f.ctx, audit.Entry{Kind: audit.KindPatientRegistered, Actor: alice, Role: "patient", Patient: known, Outcome: audit.OUTCOME_OK})
	require.NoError(t, err)
	before := len(f.log.entries)
	require.EqualValues(t, 5, f.sessions(
		consortium.SessionReport{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_DEPOSITED, Account: alice, Count: 1},
		consortium.SessionReport{Number: 2, Kind: consortium.SESSION_KIND_PEPPER_REFUSED, Account: alice, Reason: consortium.ReasonLocked, Count: 3},
		consortium.SessionReport{Number: 3, Kind: consortium.SESSION_KIND_PEPPER_ADMITTED, Account: clerk, Patient: known, Count: 1},
		consortium.SessionReport{Number: 4, Kind: consortium.SESSION_KIND_PEPPER_COLLECTED, Account: alice, Way: "in_person", Count: 1},
		consortium.SessionReport{Number: 5, Kind: consortium.SESSION_KIND_PEPPER_DELETED, Account: alice, Count: 1},
	))
	require.Equal(t, []audit.Entry{
		{Kind: audit.KindPepperDeposited, Actor: alice, Role: "patient", Patient: known, Target: "2", Count: 1, Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindPepperRefused, Actor: alice, Role: "patient", Patient: known, Target: "2", Count: 3, Outcome: audit.OUTCOME_REFUSED, Reason: "locked"},
		{Kind: audit.KindPepperAdmitted, Actor: clerk, Role: "clerk", Hospital: 2, Patient: known, Target: "2", Count: 1, Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindPepperCollected, Actor: alice, Role: "patient", Patient: known, Target: "2/in_person", Count: 1, Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindPepperDeleted, Actor: alice, Role: "patient", Patient: known, Target: "2", Count: 1, Outcome: audit.OUTCOME_OK},
	}, f.log.entries[before:])
}

func TestReportSessionsErrors(t *testing.T) {
	f := newFixture(t, 4)
	auditor := f.staff(1, consortium.ROLE_AUDITOR)
	storage := f.storageNode(2)
	good := consortium.SessionReport{Number: 1, Kind: consortium.SESSION_KIND_LOG_READ, Account: auditor, Read: "notices"}
	many := make([]consortium.SessionReport, consortium.MaxSessionReports+1)
	for i := range many {
		many[i] = good
		many[i].Number = uint64(i + 1)
	}
	with := func(change func(*consortium.SessionReport)) []consortium.SessionReport {
		r := good
		change(&r)
		return []consortium.SessionReport{r}
	}
	entries := len(f.log.entries)
	for _, c := range []struct {
		name, node string
		reports    []consortium.SessionReport
		err        error
	}{
		{"a stranger", stranger, many[:1], consortium.ErrUnknownAccount},
		{"an auditor", auditor, many[:1], consortium.ErrUnauthorized},
		{"a storage node", storage.Account, many[:1], consortium.ErrUnauthorized},
		{"none", f.nodes[0], nil, consortium.ErrInvalidReport},
		{"one too many", f.nodes[0], many, consortium.ErrInvalidReport},
		{"numbers that repeat", f.nodes[0], []consortium.SessionReport{good, good}, consortium.ErrInvalidReport},
		{"numbers that fall", f.nodes[0], []consortium.SessionReport{many[1], many[0]}, consortium.ErrInvalidReport},
		{"number 0", f.nodes[0], with(func(r *consortium.SessionReport) { r.Number = 0 }), consortium.ErrInvalidReport},
		{"no kind", f.nodes[0], with(func(r *consortium.SessionReport) { r.Kind = 0 }), consortium.ErrInvalidReport},
		{"another kind", f.nodes[0], with(func(r *consortium.SessionReport) { r.Kind = 10 }), consortium.ErrInvalidReport},
		{"nobody reads", f.nodes[0], with(func(r *consortium.SessionReport) { r.Account = "" }), consortium.ErrInvalidReport},
		{"an account in capitals", f.nodes[0], with(func(r *consortium.SessionReport) { r.Account = strings.ToUpper(auditor) }), consortium.ErrInvalidReport},
		{"a read with a reason", f.nodes[0], with(func(r *consortium.SessionReport) { r.Reason = consortium.ReasonSignature }), consortium.ErrInvalidReport},
		{"another read", f.nodes[0], with(func(r *consortium.SessionReport) { r.Read = "all" }), consortium.ErrInvalidReport},
		{"a patient that is none", f.nodes[0], with(func(r *consortium.SessionReport) { r.Patient = "x" }), consortium.ErrInvalidReport},
		{"a record that is none", f.nodes[0], with(func(r *consortium.SessionReport) { r.Record = "x" }), consortium.ErrInvalidReport},
		{"an unlock that is none", f.nodes[0], with(func(r *consortium.SessionReport) { r.Unlock = "AB" }), consortium.ErrInvalidReport},
		{"a count beyond any", f.nodes[0], with(func(r *consortium.SessionReport) { r.Count = 1 << 63 }), consortium.ErrInvalidReport},
		{"a login with a read", f.nodes[0], with(func(r *consortium.SessionReport) { r.Kind = consortium.SESSION_KIND_LOGGED_IN }), consortium.ErrInvalidReport},
		{"a failure without a reason", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_LOGIN_FAILED}}, consortium.ErrInvalidReport},
		{"a collection in no way", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_COLLECTED, Account: auditor}}, consortium.ErrInvalidReport},
		{"a collection in another way", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_COLLECTED, Account: auditor, Way: "wallet"}}, consortium.ErrInvalidReport},
		{"a deposit in a way", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_DEPOSITED, Account: auditor, Way: "code"}}, consortium.ErrInvalidReport},
		{"an end in another way", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_SESSION_ENDED, Account: auditor, Way: "in_person"}}, consortium.ErrInvalidReport},
		{"a logout in a way", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_LOGGED_OUT, Account: auditor, Way: consortium.ServerRestarted}}, consortium.ErrInvalidReport},
		{"a pepper refused for a role", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_REFUSED, Account: auditor, Reason: consortium.ReasonNoRole}}, consortium.ErrInvalidReport},
		{"a pepper refused to nobody", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_REFUSED, Reason: consortium.ReasonLocked}}, consortium.ErrInvalidReport},
		{"an admission of nobody", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_ADMITTED, Account: auditor}}, consortium.ErrInvalidReport},
		{"an admission with a record", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_ADMITTED, Account: auditor, Patient: f.id(), Record: f.id()}}, consortium.ErrInvalidReport},
		{"a deposit for another patient", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_PEPPER_DEPOSITED, Account: auditor, Patient: f.id()}}, consortium.ErrInvalidReport},
		{"a failure with another reason", f.nodes[0], []consortium.SessionReport{{Number: 1, Kind: consortium.SESSION_KIND_LOGIN_FAILED, Reason: "x"}}, consortium.ErrInvalidReport},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.msg.ReportSessions(f.ctx, &consortium.MsgReportSessions{Node: c.node, Reports: c.reports})
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
	require.EqualValues(t, consortium.MaxSessionReports, f.sessions(many[:consortium.MaxSessionReports]...))
}
