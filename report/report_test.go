package report_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/report"
	"github.com/phrd/phrd/wallet"
)

// noon of a Monday in UTC.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// log is a log that is written line by line.
type log []*auditv1.Entry

func (l *log) add(at time.Time, e *auditv1.Entry) {
	e.Sequence, e.Height, e.Time = uint64(len(*l))+1, 1, at.Unix()
	if e.Outcome == 0 {
		e.Outcome = auditv1.Outcome_OUTCOME_OK
	}
	*l = append(*l, e)
}

// reads has an account of hospital 3 read of patients on a day, minute by minute.
func (l *log) reads(who string, at time.Time, patients int) {
	for i := range patients {
		l.add(at.Add(time.Duration(i)*time.Minute), &auditv1.Entry{Kind: "opened", Actor: who, Role: "clinician", Hospital: 3, Patient: lock.ID{byte(i), 1}.String()})
	}
}

func (l *log) report(t *testing.T, rules report.Rules) *report.Report {
	t.Helper()
	b, err := report.NewBuilder(rules)
	require.NoError(t, err)
	for _, e := range *l {
		b.Add(e)
	}
	r, err := b.Report(proof(), [32]byte{7})
	require.NoError(t, err)
	r.Proof.Entries = uint64(len(*l))
	return r
}

func proof() logproof.Report {
	return logproof.Report{Head: logproof.Head{Kind: logproof.Period, From: noon.Unix(), To: noon.Unix() + 1}, ChainID: "phrd-test-1", Height: 9, Hash: []byte{1}, Complete: true, Until: noon.Unix() + 1}
}

// A day is unusual for somebody who reads few, among others who read few; not for somebody who always reads many, nor where all do, nor below the minimum.
func TestMassReading(t *testing.T) {
	rules := report.DefaultRules()
	for _, tt := range []struct {
		name          string
		own           []int // patients of the reader's days before
		peers         []int // of a colleague's
		day           int
		want          bool
		ownM, othersM string
	}{
		{"far over both", []int{2, 3}, []int{1, 4}, 20, true, "2.5", "2.5"},
		{"below the minimum", []int{2, 3}, []int{1, 4}, 19, false, "", ""},
		{"always many", []int{20, 20, 20}, []int{1, 1}, 20, false, "", ""},
		{"all read many", []int{2, 2}, []int{9, 9, 9}, 40, false, "", ""},
		{"nobody before", nil, nil, 20, true, "1", "1"},
		{"just five times", []int{4, 4}, []int{4, 4}, 20, true, "4", "4"},
		{"just below five times", []int{5, 4}, []int{4, 4}, 22, false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l log
			for i, n := range tt.own {
				l.reads("eve", noon.AddDate(0, 0, i), n)
			}
			for i, n := range tt.peers {
				l.reads("bob", noon.AddDate(0, 0, i), n)
			}
			l.reads("eve", noon.AddDate(0, 0, 10), tt.day)
			r := l.report(t, rules)
			if !tt.want {
				for _, m := range r.Mass {
					require.NotEqual(t, "2026-11-12", m.Day)
				}
				return
			}
			require.Len(t, r.Mass, 1)
			m := r.Mass[0]
			require.Equal(t, []string{"eve", "2026-11-12", tt.ownM, tt.othersM}, []string{m.Actor, m.Day, report.Half(m.OwnTwice), report.Half(m.PeerTwice)})
			require.Equal(t, tt.day, m.Patients)
		})
	}
	var l log
	for range 50 {
		l.reads("eve", noon, 1)
	}
	require.Empty(t, l.report(t, rules).Mass, "one patient, however often")
}

// After hours is by the clock of the hospital, with its summer time; others are in UTC.
func TestAfterHours(t *testing.T) {
	rules := report.DefaultRules()
	rules.Zones = map[uint64]string{3: "Europe/Berlin"}
	at := func(month time.Month, hour, minute int) time.Time {
		return time.Date(2026, month, 2, hour, minute, 0, 0, time.UTC)
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want string // local, empty within hours
	}{
		{"summer evening", at(7, 19, 59), ""},
		{"summer night", at(7, 20, 0), "22:00 CEST"},
		{"summer morning", at(7, 4, 0), ""},
		{"winter evening", at(11, 20, 59), ""},
		{"winter night", at(11, 21, 0), "22:00 CET"},
		{"before the day", at(11, 4, 59), "05:59 CET"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l log
			l.reads("doctor", tt.at, 1)
			r := l.report(t, rules)
			if tt.want == "" {
				require.Empty(t, r.AfterHours)
				return
			}
			require.Len(t, r.AfterHours, 1)
			require.Equal(t, tt.want, r.AfterHours[0].At)
		})
	}
	var l log
	l.add(at(7, 20, 0), &auditv1.Entry{Kind: "opened", Actor: "a", Role: "clinician", Hospital: 4})
	l.add(at(7, 3, 0), &auditv1.Entry{Kind: "opened", Actor: "alice", Role: "patient", Patient: lock.ID{1}.String()})
	require.Empty(t, l.report(t, rules).AfterHours, "20:00 UTC is day, and patients read when they like")
}

func TestEmergenciesAndRefusals(t *testing.T) {
	var l log
	for _, u := range []string{"reviewed", "open", "asked"} {
		l.add(noon, &auditv1.Entry{Kind: "emergency_requested", Actor: "a", Role: "clinician", Hospital: 3, Unlock: u})
		if u != "asked" {
			l.add(noon, &auditv1.Entry{Kind: "emergency_due", Role: "chain", Unlock: u, Patient: "P"})
		}
	}
	refuse := func(kind, unlock, reason string) {
		l.add(noon, &auditv1.Entry{Kind: kind, Actor: "b", Role: "officer", Hospital: 2, Unlock: unlock, Outcome: auditv1.Outcome_OUTCOME_REFUSED, Reason: reason})
	}
	l.add(noon, &auditv1.Entry{Kind: "emergency_reviewed", Actor: "b", Role: "officer", Hospital: 2, Unlock: "reviewed"})
	refuse("emergency_reviewed", "open", "own_hospital")
	refuse("opened", "", "refused_by_gateway")
	refuse("opened", "", "refused_by_gateway")
	r := l.report(t, report.DefaultRules())
	require.Len(t, r.Unreviewed, 1)
	require.Equal(t, "open", r.Unreviewed[0].Unlock, "a review that was refused is none")
	require.Equal(t, []report.Count{
		{Kind: "opened", Reason: "refused_by_gateway", Hospital: 2, Entries: 2}, {Kind: "emergency_reviewed", Reason: "own_hospital", Hospital: 2, Entries: 1},
	}, r.Refusals)
	require.Empty(t, r.Days, "what was refused was not read")
}

func TestRefusesToReport(t *testing.T) {
	for _, change := range []func(*report.Rules){
		func(r *report.Rules) { r.MassMinimum = 0 }, func(r *report.Rules) { r.MassFactor = 0 }, func(r *report.Rules) { r.DayFrom = 22 },
		func(r *report.Rules) { r.DayTo = 25 }, func(r *report.Rules) { r.Zones = map[uint64]string{1: "Europe/Nowhere"} },
		func(r *report.Rules) { r.Zones = map[uint64]string{1: "Local"} },
	} {
		rules := report.DefaultRules()
		change(&rules)
		_, err := report.NewBuilder(rules)
		require.ErrorIs(t, err, report.ErrRules)
	}
	b, err := report.NewBuilder(report.DefaultRules())
	require.NoError(t, err)
	for _, kind := range []logproof.Kind{logproof.Selection, logproof.Patient, logproof.Growth} {
		_, err := b.Report(logproof.Report{Head: logproof.Head{Kind: kind}, Complete: true}, [32]byte{})
		require.ErrorIs(t, err, report.ErrIncomplete)
	}
}

// busy is a log with something of everything.
func busy() *log {
	var l log
	for i := range 28 {
		l.reads("phrd1mkh4rvj8ph2advfwd0pygntkxzjyznlayp2mq0", noon.AddDate(0, 0, i), 2+i%4)
		l.reads("phrd1efksxrp6cxmar4rvn2qe3zh9444fae9up3ky2v", noon.AddDate(0, 0, i), 1+i%3)
	}
	l.reads("phrd1mkh4rvj8ph2advfwd0pygntkxzjyznlayp2mq0", noon.AddDate(0, 0, 29), 44)
	l.reads("phrd1efksxrp6cxmar4rvn2qe3zh9444fae9up3ky2v", noon.AddDate(0, 0, 29).Add(11*time.Hour), 3)
	l.add(noon.AddDate(0, 0, 29).Add(11*time.Hour), &auditv1.Entry{Kind: "emergency_due", Role: "chain", Patient: lock.ID{9}.String(), Unlock: strings.Repeat("6b", 32)})
	for _, reason := range []string{"not_a_party", "expired"} {
		l.add(noon.AddDate(0, 0, 29).Add(11*time.Hour), &auditv1.Entry{Kind: "endorsed", Actor: "a", Role: "officer", Hospital: 2, Outcome: auditv1.Outcome_OUTCOME_REFUSED, Reason: reason})
	}
	return &l
}

// The page is one file without a script, whose policy allows nothing but its own style, and the same for the same log. What stands in the log is text.
func TestPage(t *testing.T) {
	l := busy()
	l.add(noon.AddDate(0, 0, 30), &auditv1.Entry{Kind: "endorsed", Actor: "a", Outcome: auditv1.Outcome_OUTCOME_REFUSED, Reason: `<script>alert(1)</script>`})
	var first, again bytes.Buffer
	require.NoError(t, l.report(t, report.DefaultRules()).HTML(&first))
	require.NoError(t, l.report(t, report.DefaultRules()).HTML(&again))
	require.Equal(t, first.String(), again.String())
	page := first.String()
	require.Contains(t, page, `&lt;script&gt;`)
	for _, never := range []string{"<script", "http:", "https:", "style=", "onload", "<link", "<img"} {
		require.NotContains(t, page, never)
	}
	_, style, found := strings.Cut(page, "<style>")
	require.True(t, found)
	style, _, _ = strings.Cut(style, "</style>")
	css, err := os.ReadFile("report.css")
	require.NoError(t, err)
	require.Equal(t, string(css), style, "the policy names the hash of this style")
	require.Contains(t, page, `content="default-src &#39;none&#39;; style-src &#39;sha256-`)
	for _, part := range strings.SplitAfter(page, "</svg>") {
		if _, chart, found := strings.Cut(part, "<svg"); found {
			require.NoError(t, xml.Unmarshal([]byte("<svg"+chart), new(struct{})))
		}
	}
	require.Equal(t, 2, strings.Count(page, "<svg"))
	if folder := os.Getenv("PHRD_REPORT_PAGE"); folder != "" {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "report.html"), first.Bytes(), 0o600))
	}
	var empty bytes.Buffer
	require.NoError(t, new(log).report(t, report.DefaultRules()).HTML(&empty))
	require.Contains(t, empty.String(), "Nobody read anything")
}

func TestTable(t *testing.T) {
	l := busy()
	l.add(noon.AddDate(0, 0, 30), &auditv1.Entry{Kind: "=1+1", Actor: "a", Outcome: auditv1.Outcome_OUTCOME_REFUSED, Reason: "@SUM(A1)"})
	var out bytes.Buffer
	require.NoError(t, l.report(t, report.DefaultRules()).CSV(&out))
	rows, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
	require.NoError(t, err)
	found := map[string]int{}
	for _, row := range rows {
		found[row[0]]++
		for _, cell := range row {
			require.NotRegexp(t, "^[=+@-]", cell)
		}
	}
	require.Equal(t, map[string]int{"finding": 1, "mass_reading": 1, "after_hours": 1, "emergency_unreviewed": 1, "refused": 3, "entries": 4, "reads": 30}, found)
	require.Contains(t, out.String(), "'=1+1,'@SUM(A1)")
}

func TestJSONHasTheRowsOfTheTable(t *testing.T) {
	made := busy().report(t, report.DefaultRules())
	var table, object bytes.Buffer
	require.NoError(t, made.CSV(&table))
	require.NoError(t, made.JSON(&object))
	rows, err := csv.NewReader(&table).ReadAll()
	require.NoError(t, err)
	var got struct {
		Entries  uint64              `json:"entries"`
		Export   string              `json:"export_sha256"`
		Rules    map[string]int      `json:"rules"`
		Zones    map[string]string   `json:"zones"`
		Findings []map[string]string `json:"findings"`
	}
	require.NoError(t, json.Unmarshal(object.Bytes(), &got))
	require.Equal(t, made.Proof.Entries, got.Entries)
	require.Equal(t, fmt.Sprintf("%x", made.Export), got.Export)
	require.Equal(t, map[string]int{"mass_patients": 20, "mass_factor": 5, "day_from": 6, "day_to": 22}, got.Rules)
	require.Len(t, got.Findings, len(rows)-1)
	for i, row := range rows[1:] {
		want := map[string]string{}
		for column, cell := range row {
			if cell != "" {
				want[rows[0][column]] = strings.TrimPrefix(cell, "'") // which keeps a spreadsheet from computing
			}
		}
		require.Equal(t, want, got.Findings[i])
	}
}

func TestSignature(t *testing.T) {
	key, err := wallet.NewKey(rand.Reader)
	require.NoError(t, err)
	page := []byte("page")
	encoded, err := json.Marshal(report.Sign(report.StatementOf(busy().report(t, report.DefaultRules()), page), key))
	require.NoError(t, err)
	signed, err := report.ReadSigned(encoded)
	require.NoError(t, err)
	require.NoError(t, signed.Verify(page))
	require.Equal(t, key.Address(), signed.Signer)

	require.ErrorIs(t, signed.Verify([]byte("pagf")), report.ErrSignature)
	other, err := wallet.NewKey(rand.Reader)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("another"))
	for name, change := range map[string]func(*report.Signed){
		"chain": func(s *report.Signed) { s.ChainID += "x" }, "from": func(s *report.Signed) { s.From++ }, "until": func(s *report.Signed) { s.Until++ },
		"block": func(s *report.Signed) { s.Height++ }, "hash": func(s *report.Signed) { s.Hash = []byte{2} }, "export": func(s *report.Signed) { s.Export = sum[:] },
		"signer": func(s *report.Signed) { s.Signer = other.Address() }, "key": func(s *report.Signed) { s.PublicKey = other.PublicKey() },
		"signature": func(s *report.Signed) { s.Signature = bytes.Clone(s.Signature); s.Signature[3] ^= 1 },
		// The wallet's own text without the tag is no report.
		"other words": func(s *report.Signed) { s.Signature = key.SignArbitrary([]byte(fmt.Sprint(s.Statement))) },
	} {
		changed := signed
		change(&changed)
		require.ErrorIs(t, changed.Verify(page), report.ErrSignature, name)
	}
	for _, bad := range []string{"", "[]", `{"more":1}`} {
		_, err := report.ReadSigned([]byte(bad))
		require.ErrorIs(t, err, report.ErrSignature)
	}
}
