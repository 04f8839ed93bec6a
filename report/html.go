package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var page string

//go:embed report.css
var style string

// HTML writes the report as one page that needs nothing else, has no script, and allows none.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"half": Half, "time": utc, "hex": func(b []byte) string { return fmt.Sprintf("%x", b) }}).Parse(page)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(style))
	return t.Execute(w, map[string]any{
		"R": r, "Style": template.CSS(style), "Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", //nolint:gosec // our own style
		"Export": fmt.Sprintf("%x", r.Export), "From": from(r.Proof.Head.From), "Days": r.dayChart(), "Kinds": r.kindChart(), "Findings": len(r.Mass) + len(r.AfterHours) + len(r.Unreviewed),
	})
}

func utc(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05") }

func from(unix int64) string {
	if unix == 0 {
		return "the beginning of the log"
	}
	return utc(unix)
}
