package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/report"
	"github.com/phrd/phrd/wallet"
)

// signatureEnd is how the name of a detached signature ends.
const signatureEnd = ".sig"

func auditReportCommand() *cobra.Command {
	return group("report", "reports of a time: unusual access, emergencies without review, refusals", auditReportMakeCommand(), auditReportVerifyCommand())
}

// reportForms are what a report can be written as.
var reportForms = map[string]func(*report.Report, io.Writer) error{"html": (*report.Report).HTML, "csv": (*report.Report).CSV, "json": (*report.Report).JSON}

// reportOptions are the flags of `audit report make`.
type reportOptions struct {
	rules  report.Rules
	zones  map[string]string
	format string
	sign   bool
	force  bool
}

// zonesOf reads where the hospitals' first sites are from the genesis, and what the flags say over it.
func (r *reportOptions) zonesOf(genesis string) error {
	r.rules.Zones = map[uint64]string{}
	if genesis != "" {
		file, err := os.ReadFile(genesis)
		if err == nil {
			err = sitesOf(file, r.rules.Zones)
		}
		if err != nil {
			return err
		}
	}
	for number, zone := range r.zones {
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return usage("--zone %s=%s: want HOSPITAL=ZONE, such as 3=Europe/Berlin", number, zone)
		}
		r.rules.Zones[n] = zone
	}
	return nil
}

// sitesOf adds the time zone of each hospital's first site in a genesis file.
func sitesOf(genesis []byte, zones map[uint64]string) error {
	var g struct {
		AppState struct {
			Consortium struct {
				Sites []struct {
					Member uint64 `json:"member,string"`
					Zone   string `json:"time_zone"`
				} `json:"sites"`
			} `json:"consortium"`
		} `json:"app_state"`
	}
	if err := json.Unmarshal(genesis, &g); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	for _, s := range g.AppState.Consortium.Sites {
		if zones[s.Member] == "" {
			zones[s.Member] = s.Zone
		}
	}
	return nil
}

// makeReport computes the report of an export.
func makeReport(path string, trust logproof.Trust, rules report.Rules) (*report.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	made, err := report.Make(f, trust, rules)
	if err != nil && !errors.Is(err, report.ErrRules) && !errors.Is(err, report.ErrIncomplete) {
		return nil, fmt.Errorf("%s proves nothing: %w", path, err)
	}
	return made, err
}

// signingKey is the key of the account that a command acts for, without a network.
func signingKey(cmd *cobra.Command) (*wallet.Key, error) {
	options, err := userOptionsOf(cmd)
	if err != nil {
		return nil, err
	}
	store, err := openKeys(options)
	if err != nil {
		return nil, err
	}
	name, err := chooseAccount(store, options.From)
	if err != nil {
		return nil, err
	}
	return store.Account(name)
}

// write writes the report, and the signature beside it.
func (r *reportOptions) write(path string, made *report.Report, key *wallet.Key) error {
	if err := writeWhole(path, r.force, time.Time{}, func(w io.Writer) error { return reportForms[r.format](made, w) }); err != nil {
		return err
	}
	if key == nil {
		return nil
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	signed, err := json.MarshalIndent(report.Sign(report.StatementOf(made, file), key), "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path+signatureEnd, r.force, time.Time{}, func(w io.Writer) error { _, err := w.Write(append(signed, '\n')); return err })
}

func auditReportMakeCommand() *cobra.Command {
	var v verifyOptions
	r := reportOptions{rules: report.DefaultRules()}
	cmd := &cobra.Command{
		Use: "make EXPORT FILE", Short: "make the report of a verified export", Args: exactArgs("a file of `phrd audit export`", "the file to write"),
		Long: "Verify an export of a time (`phrd audit export --from-time … --to-time …`) and write what officers and auditors should look at: days on\n" +
			"which somebody read of unusually many patients, reads after hours, emergencies that nobody has reviewed, and refusals, as one page\n" +
			"that prints, or as a table. Neither a server nor a network is asked. The same export and flags give the same report. --sign writes\n" +
			"FILE.sig beside it, by the account's key. Time zones are those of the hospitals' sites in the genesis, or of --zone.",
		Example: "  phrd audit report make january.ndjson january.html --genesis genesis.json --sign --from auditor\n" +
			"  phrd audit report make january.ndjson january.csv --format csv --genesis genesis.json --zone 3=Europe/Berlin",
		RunE: func(cmd *cobra.Command, args []string) error {
			if reportForms[r.format] == nil {
				return usage("--format %q: want html, csv or json", r.format)
			}
			if err := r.zonesOf(v.genesis); err != nil {
				return err
			}
			trust, err := v.trusted()
			if err != nil {
				return err
			}
			var key *wallet.Key
			if r.sign {
				if key, err = signingKey(cmd); err != nil {
					return err
				}
			}
			made, err := makeReport(args[0], trust, r.rules)
			if errors.Is(err, report.ErrRules) {
				return usage("%v", err)
			}
			if err == nil {
				err = r.write(args[1], made, key)
			}
			if err != nil {
				return err
			}
			return newOutput(cmd).print(reportSummary(args[1], made), nil, [][]string{
				{"written", args[1]}, {"entries", strconv.FormatUint(made.Proof.Entries, 10)}, {"mass reading", strconv.Itoa(len(made.Mass))},
				{"after hours", strconv.Itoa(len(made.AfterHours))}, {"unreviewed", strconv.Itoa(len(made.Unreviewed))}, {"refusals", strconv.Itoa(len(made.Refusals))},
			})
		},
	}
	userFlags(cmd)
	v.flags(cmd)
	r.flags(cmd)
	return cmd
}

func (r *reportOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&r.format, "format", "html", "html, csv or json")
	flags.BoolVar(&r.sign, "sign", false, "write a signature beside the report, by the account's key")
	flags.BoolVar(&r.force, "force", false, "replace a file")
	flags.IntVar(&r.rules.MassMinimum, "mass-patients", r.rules.MassMinimum, "how many patients of a day are mass reading at least")
	flags.IntVar(&r.rules.MassFactor, "mass-factor", r.rules.MassFactor, "how many times the medians of the reader and of others")
	flags.IntVar(&r.rules.DayFrom, "day-from", r.rules.DayFrom, "first hour of the day")
	flags.IntVar(&r.rules.DayTo, "day-to", r.rules.DayTo, "hour from which on it is after hours")
	flags.StringToStringVar(&r.zones, "zone", nil, "time zone of a hospital, as HOSPITAL=ZONE")
}

func reportSummary(path string, r *report.Report) map[string]any {
	return map[string]any{
		"path": path, "entries": r.Proof.Entries, "mass_reading": len(r.Mass), "after_hours": len(r.AfterHours), "unreviewed": len(r.Unreviewed), "refusals": len(r.Refusals),
		"export_sha256": logproof.Hex(r.Export[:]),
	}
}

func auditReportVerifyCommand() *cobra.Command {
	var by, export string
	cmd := &cobra.Command{
		Use: "verify REPORT", Short: "verify who signed a report", Args: exactArgs("a report"),
		Long: "Verify the signature FILE.sig beside a report: that the account of --by signed this file, and of which export it says that it was made.\n" +
			"With --export it is compared with that file. Make the report again from the export to see that it is what the log says.",
		Example: "  phrd audit report verify january.html --by phrd1… --export january.ndjson",
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" {
				return usage("name the signer that you trust: --by ADDRESS")
			}
			signed, err := verifyReport(args[0], by, export)
			if err != nil {
				return err
			}
			return newOutput(cmd).print(signed, nil, [][]string{
				{"verified", args[0]}, {"signed by", signed.Signer}, {"chain", signed.ChainID}, {"period", timeText(signed.From) + " until " + timeText(signed.Until)},
				{"export", "sha256 " + hex.EncodeToString(signed.Export)}, {"block", fmt.Sprintf("%d, %x", signed.Height, []byte(signed.Hash))},
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "address of the account that must have signed")
	cmd.Flags().StringVar(&export, "export", "", "the export of which the report must be made")
	return cmd
}

func verifyReport(path, by, export string) (report.Signed, error) {
	files, err := readAll([]string{path, path + signatureEnd})
	if err != nil {
		return report.Signed{}, err
	}
	signed, err := report.ReadSigned(files[1])
	if err == nil {
		err = signed.Verify(files[0])
	}
	if err == nil && signed.Signer != strings.TrimSpace(by) {
		err = fmt.Errorf("signed by %s, not by %s: %w", signed.Signer, by, report.ErrSignature)
	}
	if err == nil && export != "" {
		err = isMadeOf(signed, export)
	}
	return signed, err
}

// isMadeOf compares an export with the one that a report is said to be made of.
func isMadeOf(signed report.Signed, path string) error {
	sum, err := fileSum(path)
	if err == nil && hex.EncodeToString(sum) != hex.EncodeToString(signed.Export) {
		err = fmt.Errorf("%s has the SHA-256 %x, the report is made of %x: %w", path, sum, []byte(signed.Export), report.ErrSignature)
	}
	return err
}
