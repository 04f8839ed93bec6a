package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/fhir"
	"github.com/phrd/phrd/logproof"
)

// provenExport is an export on the disk that was verified, and the SHA-256 of its file.
type provenExport struct {
	path   string
	trust  logproof.Trust
	report logproof.Report
	sum    [sha256.Size]byte
}

// prove verifies an export before anything is made of it.
func prove(path string, trust logproof.Trust) (*provenExport, error) {
	p := &provenExport{path: path, trust: trust}
	var err error
	p.report, p.sum, err = p.read(nil)
	return p, err
}

func (p *provenExport) read(visit func(*auditv1.Entry) error) (report logproof.Report, sum [sha256.Size]byte, err error) {
	f, err := os.Open(p.path)
	if err != nil {
		return report, sum, err
	}
	defer f.Close()
	whole := sha256.New()
	if report, err = logproof.Verify(io.TeeReader(f, whole), p.trust, visit); err != nil {
		return report, sum, fmt.Errorf("%s proves nothing: %w", p.path, err)
	}
	return report, [sha256.Size]byte(whole.Sum(nil)), nil
}

// each visits the entries. The file is read and verified once more, so that one that changed meanwhile is noticed.
func (p *provenExport) each(visit func(*auditv1.Entry) error) error {
	_, sum, err := p.read(visit)
	if err == nil && sum != p.sum {
		err = fmt.Errorf("%s changed while it was read", p.path)
	}
	return err
}

// forms are what an export can be converted to.
var forms = map[string]func(io.Writer, *provenExport) fhir.Writer{
	"fhir-bundle": func(w io.Writer, p *provenExport) fhir.Writer {
		return fhir.NewBundle(w, fhir.NewConverter(&p.report, p.sum), &p.report)
	},
	"fhir-ndjson": func(w io.Writer, p *provenExport) fhir.Writer {
		return fhir.NewLines(w, fhir.NewConverter(&p.report, p.sum))
	},
}

func convertTo(w io.Writer, p *provenExport, form string) error {
	out := forms[form](w, p)
	if err := p.each(out.Write); err != nil {
		return err
	}
	return out.Close()
}

func auditConvertCommand() *cobra.Command {
	var v verifyOptions
	var form string
	var force bool
	cmd := &cobra.Command{
		Use: "convert EXPORT FILE", Short: "write a verified export of the log as FHIR", Args: exactArgs("a file of `phrd audit export`", "the file to write"),
		Long: "Verify a file of `phrd audit export` as `phrd audit verify` does, and write its entries in another form: fhir-ndjson, an AuditEvent of\n" +
			"FHIR R4 on each line, or fhir-bundle, one Bundle of them. Neither a server nor a network is asked. Each event names the export that\n" +
			"proves it, its place in the log, and follows IHE's Basic Audit Log Patterns. Nothing is written of an export that proves nothing.",
		Example: "  phrd audit convert january.ndjson january.json --format fhir-bundle --genesis genesis.json\n" +
			"  phrd audit convert january.ndjson events.ndjson --format fhir-ndjson --genesis genesis.json --hash 5f1c…",
		RunE: func(cmd *cobra.Command, args []string) error {
			if forms[form] == nil {
				return usage("--format %q: want fhir-ndjson or fhir-bundle", form)
			}
			trust, err := v.trusted()
			if err != nil {
				return err
			}
			p, err := prove(args[0], trust)
			if err != nil {
				return err
			}
			if err := writeWhole(args[1], force, time.Time{}, func(w io.Writer) error { return convertTo(w, p, form) }); err != nil {
				return unknownKind(err)
			}
			done := map[string]any{"path": args[1], "format": form, "entries": p.report.Entries, "complete": p.report.Complete, "export_sha256": fmt.Sprintf("%x", p.sum)}
			return newOutput(cmd).print(done, nil, [][]string{
				{"written", args[1] + ", " + strings.ToLower(form)}, {"entries", strconv.FormatUint(p.report.Entries, 10)}, {"export", fmt.Sprintf("%s, sha256 %x", args[0], p.sum)},
			})
		},
	}
	v.flags(cmd)
	cmd.Flags().StringVar(&form, "format", "fhir-ndjson", "fhir-ndjson or fhir-bundle")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file")
	return cmd
}

// unknownKind says what to do about an entry of a newer network.
func unknownKind(err error) error {
	if errors.Is(err, fhir.ErrUnknownKind) {
		return fmt.Errorf("%w: a newer phrd knows it", err)
	}
	return err
}

// fileSum is the SHA-256 of a file.
func fileSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole := sha256.New()
	_, err = io.Copy(whole, f)
	return whole.Sum(nil), err
}
