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

// The rules of the log, as docs/audit.md tells them, written a second time.
func mayRead(a gateway.Asker, e *auditv1.Entry) bool {
	switch a.Role {
	case consortiumv1.Role_ROLE_AUDITOR:
		return true
	case consortiumv1.Role_ROLE_PATIENT:
		return a.Patient != "" && e.GetPatient() == a.Patient || e.GetActor() == a.Address || e.GetTarget() == a.Address
	}
	return e.GetActor() == a.Address || e.GetTarget() == a.Address || a.Hospital != 0 && e.GetHospital() == a.Hospital
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
	a.Hospital = uint64(rapid.IntRange(1, 3).Draw(t, "hospital"))
	return a
}

// Whoever asks for whatever: the table lets through what the model does, and nothing else.
func TestScopeOfTheLogFollowsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAsker(t)
		text := func(name string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, name) }
		number := func(name string) uint64 { return uint64(rapid.IntRange(0, 3).Draw(t, name)) }
		e := &auditv1.Entry{
			Actor: text("actor", "a", "b", "c"), Target: text("target", "a", "b", "1"), Patient: text("about", "p", "q"), Hospital: number("by"),
		}
		got, err := gateway.Sees(a, auditv1.Query_Entry_FullMethodName, &auditv1.QueryEntryRequest{}, &auditv1.QueryEntryResponse{Entry: e})
		if err != nil || got != mayRead(a, e) {
			t.Fatalf("%+v sees %v: %t, %v", a, e, got, err)
		}
		q := &auditv1.QueryEntriesRequest{
			Patient: text("filter patient", "p", "q"), Actor: text("filter actor", "a", "b", "c"), Hospital: number("filter hospital"),
			Kind: text("kind", "opened"),
		}
		if got := gateway.MayAsk(a, auditv1.Query_Entries_FullMethodName, q); got != mayList(a, q) {
			t.Fatalf("%+v may ask for %v: %t", a, q, got)
		}
		head := &auditv1.QuerySubjectHeadRequest{Patient: q.GetPatient()}
		want := a.Role == consortiumv1.Role_ROLE_AUDITOR || a.Patient != "" && a.Patient == q.GetPatient()
		if got := gateway.MayAsk(a, auditv1.Query_SubjectHead_FullMethodName, head); got != want {
			t.Fatalf("%+v may ask for the head of %q: %t", a, q.GetPatient(), got)
		}
	})
}

// What a page of the log shows is what its reader may see entry by entry: no filter widens a scope.
func TestNoFilterWidensTheScope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAsker(t)
		text := func(name string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, name) }
		e := &auditv1.Entry{
			Actor: text("actor", "a", "b", "c"), Patient: text("about", "p", "q"), Hospital: uint64(rapid.IntRange(0, 3).Draw(t, "by")),
		}
		q := &auditv1.QueryEntriesRequest{
			Patient: text("filter patient", "p", "q"), Actor: text("filter actor", "a", "b", "c"), Hospital: uint64(rapid.IntRange(0, 3).Draw(t, "filter hospital")),
		}
		matches := (q.Patient == "" || q.Patient == e.Patient) && (q.Actor == "" || q.Actor == e.Actor) && (q.Hospital == 0 || q.Hospital == e.Hospital)
		if !matches || !gateway.MayAsk(a, auditv1.Query_Entries_FullMethodName, q) {
			return
		}
		seen, err := gateway.Sees(a, auditv1.Query_Entry_FullMethodName, &auditv1.QueryEntryRequest{}, &auditv1.QueryEntryResponse{Entry: e})
		if err != nil || !seen {
			t.Fatalf("%+v gets %v by %v, and may not see it: %v", a, e, q, err)
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
