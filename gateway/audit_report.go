package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	querytypes "cosmossdk.io/api/cosmos/base/query/v1beta1"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/logproof"
	auditreport "github.com/phrd/phrd/report"
)

// exportType is the media type of an export of the log.
const exportType = "application/x-ndjson"

// auditForm is what a report is answered as.
type auditForm struct {
	mediaType string
	write     func(*auditreport.Report, io.Writer) error
}

var auditForms = map[string]auditForm{
	"json": {"application/json", (*auditreport.Report).JSON},
	"csv":  {"text/csv; charset=utf-8; header=present", (*auditreport.Report).CSV},
	"html": {"text/html; charset=utf-8", (*auditreport.Report).HTML},
}

// serveAuditReport makes the report of an export that an auditor brings, by the rules of package report. The entries were read, and their
// reading written down, when the export was made: here none is read.
func (g *Gateway) serveAuditReport(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.isAuditor() {
		return refuse(http.StatusForbidden, "auditors have reports made")
	}
	form, ok := auditForms[r.URL.Query().Get("format")]
	if !ok {
		return refuse(http.StatusBadRequest, "format is json, csv or html")
	}
	if err := checkType(r, exportType); err != nil {
		return err
	}
	if r.ContentLength > g.config.Limits.ExportBytes {
		return g.tooLongExport()
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	trust, rules, err := g.reportBasis(r.Context())
	if err != nil {
		return err
	}
	made, err := auditreport.Make(http.MaxBytesReader(w, r.Body, g.config.Limits.ExportBytes), trust, rules)
	if err != nil {
		return g.reportFault(err)
	}
	// Nothing is answered of a report that can't be written whole.
	var body bytes.Buffer
	if err := form.write(made, &body); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	w.Header().Set("Content-Type", form.mediaType)
	w.Header().Set("Content-Disposition", "attachment")
	_, err = w.Write(body.Bytes())
	return err
}

// reportBasis is what an export is verified against, and the thresholds with the hospitals' time zones.
func (g *Gateway) reportBasis(ctx context.Context) (logproof.Trust, auditreport.Rules, error) {
	rules := auditreport.DefaultRules()
	genesis, err := os.ReadFile(g.config.GenesisFile)
	if err != nil {
		return logproof.Trust{}, rules, fmt.Errorf("genesis: %w", err)
	}
	trust, err := logproof.ReadGenesis(genesis)
	if err != nil {
		return trust, rules, fmt.Errorf("genesis: %w", err)
	}
	rules.Zones, err = g.zones(ctx)
	return trust, rules, err
}

// zones are the time zones of the hospitals' first sites.
func (g *Gateway) zones(ctx context.Context) (map[uint64]string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	zones := map[uint64]string{}
	err := pages(func(page *querytypes.PageRequest) ([]byte, error) {
		got, err := consortiumv1.NewQueryClient(g.config.Chain).Sites(ctx, &consortiumv1.QuerySitesRequest{Pagination: page})
		for _, s := range got.GetSites() {
			if zones[s.GetMember()] == "" && !s.GetRemoved() {
				zones[s.GetMember()] = s.GetTimeZone()
			}
		}
		return got.GetPagination().GetNextKey(), err
	})
	if err != nil {
		return nil, unavailable(err, "the node does not answer")
	}
	return zones, nil
}

func (g *Gateway) tooLongExport() error {
	return &fault{
		status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the export has more than %d bytes", g.config.Limits.ExportBytes),
		hint: "take a shorter time, or make the report with phrd audit report make",
	}
}

// reportFault tells why an export has no report.
func (g *Gateway) reportFault(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return g.tooLongExport()
	case errors.Is(err, auditreport.ErrRules):
		return fmt.Errorf("report: %w", err) // the chain's time zones and our thresholds are none
	case errors.Is(err, auditreport.ErrIncomplete), errors.Is(err, logproof.ErrFormat), errors.Is(err, logproof.ErrTrust), errors.Is(err, logproof.ErrBlock),
		errors.Is(err, logproof.ErrState), errors.Is(err, logproof.ErrEntry):
		return refuse(http.StatusUnprocessableEntity, "no report is made of it: %v", err)
	}
	return refuse(http.StatusRequestTimeout, "the body did not arrive whole")
}
