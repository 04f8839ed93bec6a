package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/logproof"
	auditreport "github.com/phrd/phrd/report"
)

var ndjson = headers{"Content-Type": "application/x-ndjson"}

// logFile is an export of another network, or its genesis.
func logFile(name string) string { return filepath.Join("..", "logproof", "testdata", name) }

func exported(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(logFile(name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// newReporter is the gateway of a hospital of the network that the exports are of.
func newReporter(t *testing.T, options ...option) *door {
	t.Helper()
	d := newDoor(t, append([]option{func(c *gateway.Config) { c.GenesisFile = logFile("genesis.json") }}, options...)...)
	d.node.change(func() {
		d.node.sites = []*consortiumv1.Site{
			{Member: 1, Number: 1, TimeZone: "Asia/Tokyo", Removed: true}, {Member: 1, Number: 2, TimeZone: "Europe/Berlin"}, {Member: 1, Number: 3, TimeZone: "UTC"},
			{Member: 2, Number: 1, TimeZone: "America/Lima"},
		}
	})
	return d
}

func TestAnAuditorsReportIsThatOfTheSameExportEverywhere(t *testing.T) {
	d := newReporter(t)
	export := exported(t, "period.ndjson")
	trust, err := logproof.ReadGenesis(exported(t, "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	rules := auditreport.DefaultRules()
	rules.Zones = map[uint64]string{1: "Europe/Berlin", 2: "America/Lima"}
	made, err := auditreport.Make(bytes.NewReader(export), trust, rules)
	if err != nil {
		t.Fatal(err)
	}
	for format, write := range map[string]func(io.Writer) error{"html": made.HTML, "csv": made.CSV, "json": made.JSON} {
		var want bytes.Buffer
		if err := write(&want); err != nil {
			t.Fatal(err)
		}
		// Whoever has the file may have it read, also an auditor of one hospital.
		for _, who := range []string{"auditor", "auditor3"} {
			got := d.want(d.do(who, http.MethodPost, "/audit-reports?format="+format, ndjson, export), http.StatusOK)
			if !bytes.Equal(got.body, want.Bytes()) {
				t.Errorf("%s for %s:\n%s\nwant\n%s", format, who, got.body, want.Bytes())
			}
			if got.Header.Get("Content-Disposition") != "attachment" {
				t.Errorf("%s is shown as if it were a page of the gateway", format)
			}
		}
	}
}

func TestNoReportIsMadeOfWhatProvesNothing(t *testing.T) {
	d := newReporter(t)
	export := exported(t, "period.ndjson")
	flipped := bytes.Replace(export, []byte(`"entry":"C`), []byte(`"entry":"D`), 1)
	if bytes.Equal(flipped, export) {
		t.Fatal("no entry was changed")
	}
	const path = "/audit-reports?format=json"
	for name, try := range map[string]struct {
		path   string
		header headers
		body   []byte
		status int
	}{
		"changed":         {path, ndjson, flipped, http.StatusUnprocessableEntity},
		"cut off":         {path, ndjson, export[:len(export)/2], http.StatusUnprocessableEntity},
		"empty":           {path, ndjson, nil, http.StatusUnprocessableEntity},
		"of one patient":  {path, ndjson, exported(t, "patient.ndjson"), http.StatusUnprocessableEntity},
		"a selection":     {path, ndjson, exported(t, "selection.ndjson"), http.StatusUnprocessableEntity},
		"another form":    {"/audit-reports?format=pdf", ndjson, export, http.StatusBadRequest},
		"no form":         {"/audit-reports", ndjson, export, http.StatusBadRequest},
		"another content": {path, headers{"Content-Type": "application/json"}, export, http.StatusUnsupportedMediaType},
	} {
		t.Run(name, func(t *testing.T) {
			d.want(d.do("auditor", http.MethodPost, try.path, try.header, try.body), try.status)
			d.want(d.do("auditor", http.MethodPost, path, ndjson, export), http.StatusOK)
		})
	}
	for _, who := range []string{"alice", "newcomer", "clerk1", "doctor1", "officer1", "admin2", "node1"} {
		d.want(d.do(who, http.MethodPost, path, ndjson, export), http.StatusForbidden)
	}
	d.want(d.do("", http.MethodPost, path, ndjson, export), http.StatusUnauthorized)
}

func TestAnExportThatIsTooLongIsNotRead(t *testing.T) {
	export := exported(t, "period.ndjson")
	for length, status := range map[int64]int{int64(len(export)): http.StatusOK, int64(len(export)) - 1: http.StatusRequestEntityTooLarge} {
		d := newReporter(t, func(c *gateway.Config) { c.Limits.ExportBytes = length })
		d.want(d.do("auditor", http.MethodPost, "/audit-reports?format=csv", ndjson, export), status)
		// The length need not be told before.
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/audit-reports?format=csv", io.MultiReader(bytes.NewReader(export)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-ndjson")
		request.Header.Set("Authorization", "Bearer "+d.token("auditor"))
		d.want(d.send(request), status)
	}
}

func TestWithoutTheNodeThereAreNoTimeZonesAndNoReport(t *testing.T) {
	d := newReporter(t)
	d.token("auditor")
	d.node.change(func() { d.node.down = true })
	d.want(d.do("auditor", http.MethodPost, "/audit-reports?format=csv", ndjson, exported(t, "period.ndjson")), http.StatusServiceUnavailable)
	d.node.change(func() { d.node.down = false })
	d.want(d.do("auditor", http.MethodPost, "/audit-reports?format=csv", ndjson, exported(t, "period.ndjson")), http.StatusOK)
}
