package gateway_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/gateway"
)

// world is small, so that things meet: two hospitals asked for unlocks, and two keep records.
var world = gateway.World{Askers: map[string]uint64{"u": 1, "v": 3}, Custodians: map[string]uint64{"r": 2, "s": 3}}

// concerns tells whether an entry concerns a hospital, as docs/audit.md tells it.
func concerns(hospital uint64, e *auditv1.Entry) bool {
	return e.GetHospital() == hospital || e.GetKind() == "logged_in" && e.GetTarget() == strconv.FormatUint(hospital, 10) ||
		e.GetUnlock() != "" && world.Askers[e.GetUnlock()] == hospital ||
		slices.ContainsFunc(e.GetSubjects(), func(s *auditv1.Subject) bool { return world.Custodians[s.GetRecord()] == hospital })
}

// The rules of the log, as docs/audit.md tells them, written a second time.
func mayRead(a gateway.Asker, e *auditv1.Entry) bool {
	mine := e.GetActor() == a.Address || e.GetTarget() == a.Address
	switch a.Role {
	case consortiumv1.Role_ROLE_AUDITOR:
		return mine || a.Audits.GetAll() || slices.ContainsFunc(a.Audits.GetHospitals(), func(h uint64) bool { return concerns(h, e) })
	case consortiumv1.Role_ROLE_PATIENT:
		return a.Patient != "" && e.GetPatient() == a.Patient || mine
	}
	return mine || a.Hospital != 0 && e.GetHospital() == a.Hospital
}

func mayList(a gateway.Asker, q *auditv1.QueryEntriesRequest) bool {
	switch {
	case a.Role == consortiumv1.Role_ROLE_AUDITOR, q.GetActor() == a.Address:
		return true
	case a.Role == consortiumv1.Role_ROLE_PATIENT:
		return a.Patient != "" && q.GetPatient() == a.Patient
	}
	return a.Hospital != 0 && q.GetHospital() == a.Hospital
}

// drawAsker draws somebody with a role, and of a small world, so that things meet.
func drawAsker(t *rapid.T) gateway.Asker {
	role := consortiumv1.Role(rapid.IntRange(int(consortiumv1.Role_ROLE_ADMIN), int(consortiumv1.Role_ROLE_STORAGE)).Draw(t, "role"))
	a := gateway.Asker{Role: role, Address: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "address")}
	if role == consortiumv1.Role_ROLE_PATIENT {
		a.Patient = rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "patient")
		return a
	}
	if role == consortiumv1.Role_ROLE_AUDITOR {
		drawScope(t, &a)
		return a
	}
	a.Hospital = uint64(rapid.IntRange(1, 3).Draw(t, "hospital"))
	return a
}

// drawScope makes an auditor that of a hospital, or one whom the members appointed for some or for all.
func drawScope(t *rapid.T, a *gateway.Asker) {
	switch rapid.IntRange(0, 2).Draw(t, "scope") {
	case 0:
		a.Hospital = uint64(rapid.IntRange(1, 3).Draw(t, "hospital"))
		a.Audits = &consortiumv1.AuditScope{Hospitals: []uint64{a.Hospital}}
	case 1:
		a.Audits = &consortiumv1.AuditScope{Hospitals: rapid.SliceOfNDistinct(rapid.Uint64Range(1, 4), 1, 3, rapid.ID).Draw(t, "hospitals")}
	default:
		a.Audits = &consortiumv1.AuditScope{All: true}
	}
}

// drawEntry draws an entry of the small world.
func drawEntry(t *rapid.T) *auditv1.Entry {
	text := func(name string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, name) }
	e := &auditv1.Entry{
		Kind: rapid.SampledFrom([]string{"logged_in", "stored"}).Draw(t, "kind"), Actor: text("actor", "a", "b", "c"), Target: text("target", "a", "b", "1", "2"),
		Patient: text("about", "p", "q"), Hospital: uint64(rapid.IntRange(0, 3).Draw(t, "by")), Unlock: text("unlock", "u", "v"),
	}
	if record := text("record", "r", "s"); record != "" {
		e.Subjects = []*auditv1.Subject{{Record: record}}
	}
	return e
}

// drawQuery draws a question for the log of the small world.
func drawQuery(t *rapid.T) *auditv1.QueryEntriesRequest {
	text := func(name string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, name) }
	return &auditv1.QueryEntriesRequest{
		Patient: text("filter patient", "p", "q"), Actor: text("filter actor", "a", "b", "c"), Hospital: uint64(rapid.IntRange(0, 3).Draw(t, "filter hospital")),
		Concerns: rapid.SliceOfN(rapid.Uint64Range(1, 4), 0, 2).Draw(t, "filter concerns"),
	}
}

// seesEntry asks the table whether somebody sees an entry.
func seesEntry(t *rapid.T, a gateway.Asker, e *auditv1.Entry) bool {
	seen, err := gateway.Sees(world, a, auditv1.Query_Entry_FullMethodName, &auditv1.QueryEntryRequest{}, &auditv1.QueryEntryResponse{Entry: e})
	if err != nil {
		t.Fatalf("%+v and %v: %v", a, e, err)
	}
	return seen
}

// Whoever asks for whatever: the table lets through what the model does, and nothing else.
func TestScopeOfTheLogFollowsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, e, q := drawAsker(t), drawEntry(t), drawQuery(t)
		if got := seesEntry(t, a, e); got != mayRead(a, e) {
			t.Fatalf("%+v sees %v: %t", a, e, got)
		}
		if got := gateway.MayAsk(a, auditv1.Query_Entries_FullMethodName, q); got != mayList(a, q) {
			t.Fatalf("%+v may ask for %v: %t", a, q, got)
		}
		head := &auditv1.QuerySubjectHeadRequest{Patient: q.GetPatient()}
		want := a.Audits.GetAll() || a.Patient != "" && a.Patient == q.GetPatient()
		if got := gateway.MayAsk(a, auditv1.Query_SubjectHead_FullMethodName, head); got != want {
			t.Fatalf("%+v may ask for the head of %q: %t", a, q.GetPatient(), got)
		}
	})
}

// What a page of the log shows is what its reader may see entry by entry: no filter widens a scope, and an auditor's list leaves out nothing
// that the auditor may see by its number and the filter asks for.
func TestNoFilterWidensTheScope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, e, q := drawAsker(t), drawEntry(t), drawQuery(t)
		matches := func(q *auditv1.QueryEntriesRequest) bool {
			return (q.Patient == "" || q.Patient == e.Patient) && (q.Actor == "" || q.Actor == e.Actor) && (q.Hospital == 0 || q.Hospital == e.Hospital) &&
				(len(q.Concerns) == 0 || slices.ContainsFunc(q.Concerns, func(h uint64) bool { return concerns(h, e) }))
		}
		narrowed, err := gateway.Narrowed(a, q)
		foreign := !a.Audits.GetAll() && q.Actor != a.Address && slices.ContainsFunc(q.Concerns, func(h uint64) bool { return !slices.Contains(a.Audits.GetHospitals(), h) })
		if a.Role == consortiumv1.Role_ROLE_AUDITOR && (err != nil) != foreign {
			t.Fatalf("%+v asks for %v: %v", a, q, err)
		}
		if err != nil {
			return
		}
		shown := matches(narrowed)
		if shown && !seesEntry(t, a, e) {
			t.Fatalf("%+v gets %v by %v, and may not see it", a, e, q)
		}
		own := e.Actor == a.Address || e.Target == a.Address // which asking for the own account shows
		if a.Role == consortiumv1.Role_ROLE_AUDITOR && !shown && !own && matches(q) && seesEntry(t, a, e) {
			t.Fatalf("%+v does not get %v by %v, and may see it", a, e, q)
		}
	})
}

// A patient asks for nothing about another one, by any method whose request names a patient.
func TestPatientsSeeNobodyElse(t *testing.T) {
	requests := map[string]func(patient string) proto.Message{
		auditv1.Query_SubjectHead_FullMethodName:        func(p string) proto.Message { return &auditv1.QuerySubjectHeadRequest{Patient: p} },
		auditv1.Query_Entries_FullMethodName:            func(p string) proto.Message { return &auditv1.QueryEntriesRequest{Patient: p} },
		recordsv1.Query_Patient_FullMethodName:          func(p string) proto.Message { return &recordsv1.QueryPatientRequest{Id: p} },
		recordsv1.Query_Records_FullMethodName:          func(p string) proto.Message { return &recordsv1.QueryRecordsRequest{Patient: p} },
		accessv1.Query_Unlocks_FullMethodName:           func(p string) proto.Message { return &accessv1.QueryUnlocksRequest{Patient: p} },
		accessv1.Query_Consents_FullMethodName:          func(p string) proto.Message { return &accessv1.QueryConsentsRequest{Patient: p} },
		accessv1.Query_EmergencyTerms_FullMethodName:    func(p string) proto.Message { return &accessv1.QueryEmergencyTermsRequest{Patient: p} },
		accessv1.Query_EmergencyAccesses_FullMethodName: func(p string) proto.Message { return &accessv1.QueryEmergencyAccessesRequest{Patient: p} },
		accessv1.Query_Guarded_FullMethodName:           func(p string) proto.Message { return &accessv1.QueryGuardedRequest{Guardian: p} },
		accessv1.Query_Recoveries_FullMethodName:        func(p string) proto.Message { return &accessv1.QueryRecoveriesRequest{Patient: p} },
	}
	methods := make([]string, 0, len(requests))
	for method := range requests {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SampledFrom([]string{"", "p", "q", "r"}).Draw(t, "own")
		asked := rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "asked")
		method := rapid.SampledFrom(methods).Draw(t, "method")
		a := gateway.Asker{Role: consortiumv1.Role_ROLE_PATIENT, Address: "a", Patient: own}
		if got := gateway.MayAsk(a, method, requests[method](asked)); got != (own == asked) {
			t.Fatalf("patient %q may ask %s about %q: %t", own, method, asked, got)
		}
	})
}

// What is another's and what does not exist are answered alike, in every byte and header but the request's own id and the time.
func TestForeignAndUnknownAreAlike(t *testing.T) {
	d := newDoor(t)
	d.node.append(&auditv1.Entry{Kind: "stored", Actor: d.people["clerk2"].address(), Hospital: 2, Patient: d.carol})
	foreignEntry, noEntry := "2", strconv.Itoa(1<<40)
	nowhere, noUnlock := newID(t), hexOf(0xee)
	for _, c := range []struct{ name, foreign, unknown string }{
		{"entry", "/phrd/audit/v1/entries/" + foreignEntry, "/phrd/audit/v1/entries/" + noEntry},
		{"log of a patient", "/phrd/audit/v1/entries?patient=" + d.carol, "/phrd/audit/v1/entries?patient=" + nowhere},
		{"head of a patient", "/phrd/audit/v1/subjects/" + d.carol, "/phrd/audit/v1/subjects/" + nowhere},
		{"patient", "/phrd/records/v1/patients/" + d.alice, "/phrd/records/v1/patients/" + nowhere},
		{"record", "/phrd/records/v1/records/" + d.record, "/phrd/records/v1/records/" + nowhere},
		{"version", "/phrd/records/v1/records/" + d.record + "/versions/1", "/phrd/records/v1/records/" + nowhere + "/versions/1"},
		{"content", "/records/" + d.record + "/versions/1/content", "/records/" + nowhere + "/versions/1/content"},
		{"unlock", "/phrd/access/v1/unlocks/" + d.unlock, "/phrd/access/v1/unlocks/" + noUnlock},
	} {
		t.Run(c.name, func(t *testing.T) {
			foreign, unknown := d.do("bob", http.MethodGet, c.foreign, nil, nil), d.do("bob", http.MethodGet, c.unknown, nil, nil)
			if foreign.StatusCode != unknown.StatusCode || string(foreign.body) != string(unknown.body) {
				t.Errorf("foreign %d %s, unknown %d %s", foreign.StatusCode, foreign.body, unknown.StatusCode, unknown.body)
			}
			if foreign.StatusCode < 400 {
				t.Errorf("bob gets %s", foreign.body)
			}
			for _, own := range []string{"X-Request-Id", "Date"} {
				foreign.Header.Del(own)
				unknown.Header.Del(own)
			}
			if len(foreign.Header) != len(unknown.Header) {
				t.Errorf("headers %v and %v", foreign.Header, unknown.Header)
			}
			for name, values := range foreign.Header {
				if !slices.Equal(values, unknown.Header[name]) {
					t.Errorf("header %s: %v and %v", name, values, unknown.Header[name])
				}
			}
		})
	}
}
