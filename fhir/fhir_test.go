package fhir_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/fhir"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/x/audit"
)

const (
	clinician = "phrd1mkh4rvj8ph2advfwd0pygntkxzjyznlayp2mq0"
	balp      = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
)

// export reads a sample of logproof, verified by its genesis.
func export(t *testing.T, name string) (logproof.Report, [sha256.Size]byte, []*auditv1.Entry) {
	t.Helper()
	folder := filepath.Join("..", "logproof", "testdata")
	file, err := os.ReadFile(filepath.Join(folder, name+".ndjson"))
	require.NoError(t, err)
	genesis, err := os.ReadFile(filepath.Join(folder, "genesis.json"))
	require.NoError(t, err)
	trust, err := logproof.ReadGenesis(genesis)
	require.NoError(t, err)
	var entries []*auditv1.Entry
	report, err := logproof.Verify(bytes.NewReader(file), trust, func(e *auditv1.Entry) error {
		entries = append(entries, e)
		return nil
	})
	require.NoError(t, err)
	return report, sha256.Sum256(file), entries
}

func converter(t *testing.T) *fhir.Converter {
	t.Helper()
	report, sum, _ := export(t, "log")
	return fhir.NewConverter(&report, sum)
}

// sampleEntry is an entry of a kind with all that an entry can have.
func sampleEntry(kind string, change func(*auditv1.Entry)) *auditv1.Entry {
	e := &auditv1.Entry{
		Sequence: 7, Height: 5_000_000_000, Time: 1796004353, Kind: kind, Actor: clinician, Role: "clinician", Hospital: 4, Patient: lock.ID{1}.String(),
		Subjects: []*auditv1.Subject{{Record: lock.ID{2}.String(), Version: 3, Offset: 1 << 40, Length: 1 << 20}},
		Target:   "4", Unlock: strings.Repeat("6b", 32), Purpose: "TREAT", Outcome: auditv1.Outcome_OUTCOME_OK, Count: 1 << 20,
	}
	change(e)
	return e
}

// variants are entries of every kind: as whole as they get, refused, by the chain about nobody, about nothing that has a version,
// about several, and by an account that the network does not know.
func variants() []*auditv1.Entry {
	var all []*auditv1.Entry
	for _, kind := range audit.Kinds() {
		for _, change := range []func(*auditv1.Entry){
			func(*auditv1.Entry) {},
			func(e *auditv1.Entry) { e.Outcome, e.Reason = auditv1.Outcome_OUTCOME_REFUSED, "not_a_party" },
			func(e *auditv1.Entry) {
				*e = auditv1.Entry{Sequence: 1, Height: 1, Time: 1, Kind: e.Kind, Role: "chain", Outcome: auditv1.Outcome_OUTCOME_OK}
			},
			func(e *auditv1.Entry) { e.Subjects, e.Patient, e.Purpose = nil, "", "" },
			func(e *auditv1.Entry) {
				e.Subjects = append(e.Subjects, &auditv1.Subject{Record: lock.ID{3}.String()})
				e.Role, e.Hospital = "patient", 0
			},
			func(e *auditv1.Entry) { e.Role, e.Hospital = "", 0 },
		} {
			all = append(all, sampleEntry(kind, change))
		}
	}
	return all
}

func TestEveryKindIsAnEvent(t *testing.T) {
	c := converter(t)
	require.NotEmpty(t, audit.Kinds())
	for _, kind := range audit.Kinds() {
		e, err := c.Event(sampleEntry(kind, func(*auditv1.Entry) {}))
		require.NoError(t, err)
		require.NotEmpty(t, e.Type.Code, kind)
		require.NotEmpty(t, e.Action, kind)
	}
	_, err := c.Event(sampleEntry("looked", func(*auditv1.Entry) {}))
	require.ErrorIs(t, err, fhir.ErrUnknownKind)
}

func TestReading(t *testing.T) {
	report, sum, entries := export(t, "selection")
	require.Len(t, entries, 1)
	e, err := fhir.NewConverter(&report, sum).Event(entries[0])
	require.NoError(t, err)
	require.Equal(t, []string{balp + "PatientRead"}, e.Meta.Profile)
	require.Equal(t, "rest", e.Type.Code)
	require.Equal(t, []string{"read", "opened"}, []string{e.Subtype[0].Code, e.Subtype[1].Code})
	require.Equal(t, "R", e.Action)
	require.Equal(t, "0", e.Outcome)
	require.Equal(t, "2026-11-30T02:05:53Z", e.Recorded)

	require.Equal(t, []string{"IRCP", "110152", "110153"}, []string{code(e.Agent[0]), code(e.Agent[1]), code(e.Agent[2])}, "who, with what, from where")
	require.Equal(t, "phrd-demo-1/"+clinician, e.Agent[0].Who.Identifier.Value)
	require.Equal(t, "clinician", e.Agent[0].Role[0].Coding[0].Code)
	require.True(t, e.Agent[0].Requestor)
	require.Equal(t, "phrd-demo-1/4", e.Agent[1].Who.Identifier.Value)
	require.Equal(t, e.Source.Observer, *e.Agent[2].Who)

	require.Equal(t, "phrd-demo-1/6ZWG35XBCYE7EJRRP2EPQDNNM16", e.Entity[0].What.Identifier.Value)
	require.Equal(t, "phrd-demo-1/63K5FWEK6AXH0C7PA5MRR4PZJJ2/1", e.Entity[1].What.Identifier.Value)
	require.Equal(t, []fhir.Extension{{URL: "offset", String: "0"}, {URL: "length", String: "136334212"}}, e.Entity[1].Extension[0].Extension)

	place := map[string]string{}
	require.Equal(t, fhir.LogEntryURL, e.Extension[0].URL)
	for _, x := range e.Extension[0].Extension {
		place[x.URL] = x.String + x.Code
	}
	require.Equal(t, map[string]string{
		"network": "phrd-demo-1", "height": "31", "index": "34", "kind": "opened", "count": "136334212", "export": hex.EncodeToString(sum[:]), "proof": "selection",
		"block": place["block"], "blockHash": hex.EncodeToString(report.Hash), "logSize": "35", "logRoot": hex.EncodeToString(report.Root),
	}, place)
}

func code(a fhir.Agent) string { return a.Type.Coding[0].Code }

// A profile is named where all that it asks for is there, and not elsewhere.
func TestProfiles(t *testing.T) {
	c := converter(t)
	for _, tt := range []struct {
		name, kind string
		change     func(*auditv1.Entry)
		want       string
	}{
		{"stored", "stored", func(*auditv1.Entry) {}, "PatientCreate"},
		{"opened", "opened", func(*auditv1.Entry) {}, "PatientRead"},
		{"of a hospital", "opened", func(e *auditv1.Entry) { e.Patient = "" }, "Read"},
		{"sealed anew", "resealed", func(*auditv1.Entry) {}, "PatientUpdate"},
		{"erased", "erased", func(*auditv1.Entry) {}, "PatientDelete"},
		{"refused", "opened", func(e *auditv1.Entry) { e.Outcome, e.Reason = auditv1.Outcome_OUTCOME_REFUSED, "refused" }, ""},
		{"of several", "stored", func(e *auditv1.Entry) { e.Subjects = append(e.Subjects, e.Subjects[0]) }, ""},
		{"by the chain", "erased", func(e *auditv1.Entry) { e.Actor, e.Role, e.Hospital = "", "chain", 0 }, ""},
		{"endorsed", "endorsed", func(*auditv1.Entry) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := c.Event(sampleEntry(tt.kind, tt.change))
			require.NoError(t, err)
			if tt.want == "" {
				require.Nil(t, e.Meta)
				return
			}
			require.Equal(t, []string{balp + tt.want}, e.Meta.Profile)
			require.GreaterOrEqual(t, len(e.Agent), 3)
			for _, a := range e.Agent[1:] {
				require.NotNil(t, a.Network, "a machine has an address")
			}
			require.Nil(t, e.Agent[0].Network, "a person has none")
			if tt.want == "PatientDelete" {
				require.Len(t, e.Subtype, 1)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	e, err := converter(t).Event(sampleEntry("proposed", func(e *auditv1.Entry) { e.Outcome, e.Reason = auditv1.Outcome_OUTCOME_REFUSED, "not_a_party" }))
	require.NoError(t, err)
	require.Equal(t, "4", e.Outcome)
	require.Equal(t, "refused: not_a_party", e.OutcomeDesc)
	require.Equal(t, "TREAT", e.PurposeOfEvent[0].Coding[0].Code)
}

// The same entry has the same id in each export of a network, and no other one has it.
func TestIDs(t *testing.T) {
	report, sum, entries := export(t, "log")
	patient, other, some := export(t, "patient")
	ids := map[string]uint64{}
	for _, e := range entries {
		event, err := fhir.NewConverter(&report, sum).Event(e)
		require.NoError(t, err)
		require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", event.ID)
		require.NotContains(t, ids, event.ID)
		ids[event.ID] = e.GetSequence()
	}
	for _, e := range some {
		event, err := fhir.NewConverter(&patient, other).Event(e)
		require.NoError(t, err)
		require.Equal(t, e.GetSequence(), ids[event.ID])
	}
	report.ChainID = "phrd-other-1"
	event, err := fhir.NewConverter(&report, sum).Event(entries[0])
	require.NoError(t, err)
	require.NotContains(t, ids, event.ID)
}

// written is what a writer makes of entries.
func written(t *testing.T, form func(*bytes.Buffer) fhir.Writer, entries []*auditv1.Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := form(&out)
	for _, e := range entries {
		require.NoError(t, w.Write(e))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func asLines(t *testing.T, entries []*auditv1.Entry) []byte {
	t.Helper()
	return written(t, func(b *bytes.Buffer) fhir.Writer { return fhir.NewLines(b, converter(t)) }, entries)
}

func asBundle(t *testing.T, entries []*auditv1.Entry) []byte {
	t.Helper()
	report, _, _ := export(t, "log")
	return written(t, func(b *bytes.Buffer) fhir.Writer { return fhir.NewBundle(b, converter(t), &report) }, entries)
}

func TestForms(t *testing.T) {
	_, _, entries := export(t, "log")
	lines := bytes.Split(bytes.TrimSpace(asLines(t, entries)), []byte("\n"))
	require.Len(t, lines, len(entries))
	var bundle struct {
		ResourceType, Type, Timestamp string
		Entry                         []struct {
			FullURL  string
			Resource json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(asBundle(t, entries), &bundle))
	require.Equal(t, []string{"Bundle", "collection"}, []string{bundle.ResourceType, bundle.Type})
	require.Len(t, bundle.Entry, len(entries))
	for i, line := range lines {
		require.Equal(t, string(line), string(bundle.Entry[i].Resource))
	}
	require.Equal(t, asBundle(t, entries), asBundle(t, entries), "the same export is the same Bundle")

	require.Empty(t, asLines(t, nil))
	require.NotContains(t, string(asBundle(t, nil)), "entry")
	require.True(t, json.Valid(asBundle(t, nil)))
}
