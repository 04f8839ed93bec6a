package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
)

// exportedLog is what `audit export` says, and `audit verify`.
type exportedLog struct {
	Path     string        `json:"path"`
	Kind     logproof.Kind `json:"kind"`
	Complete bool          `json:"complete"`
	Entries  uint64        `json:"entries"`
	Size     uint64        `json:"log_size,omitempty"`
	Root     string        `json:"log_root,omitempty"`
	Until    string        `json:"until,omitempty"` // RFC 3339, of a period
	ChainID  string        `json:"chain_id"`
	Height   int64         `json:"height"`
	Hash     string        `json:"block_hash"`
	Time     string        `json:"block_time"`
	Signed   int64         `json:"signed_votes"`
	Votes    int64         `json:"votes"`
}

func reportJSON(path string, r *logproof.Report) exportedLog {
	e := exportedLog{
		Path: path, Kind: r.Head.Kind, Complete: r.Complete, Entries: r.Entries, Size: r.Size, Root: hex.EncodeToString(r.Root), ChainID: r.ChainID,
		Height: r.Height, Hash: hex.EncodeToString(r.Hash), Time: rfcTime(r.Time), Signed: r.Signed, Votes: r.Votes,
	}
	if r.Until != 0 {
		e.Until = rfcTime(time.Unix(r.Until, 0))
	}
	return e
}

// exportLog writes an export to a file, and verifies it as it lies on the disk, but for the genesis, which others hold.
func exportLog(ctx context.Context, c *phr.Client, path string, force bool, export phr.Export) (exportedLog, error) {
	err := writeWhole(path, force, time.Time{}, func(w io.Writer) error { return c.ExportLog(ctx, w, export) })
	if err != nil {
		return exportedLog{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return exportedLog{}, err
	}
	defer f.Close()
	genesis, err := c.Genesis(ctx)
	if err != nil {
		return exportedLog{}, err
	}
	trust, err := logproof.ReadGenesis(genesis)
	if err != nil {
		return exportedLog{}, err
	}
	report, err := logproof.Verify(f, trust, nil)
	if err != nil {
		return exportedLog{}, fmt.Errorf("%s does not prove what it should: %w", path, err)
	}
	return reportJSON(path, &report), nil
}

// readAll reads files.
func readAll(paths []string) ([][]byte, error) {
	var all [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// exportHead is what a filter of the log is as an export: all about a patient, all of a time, or a selection.
func exportHead(f phr.LogFilter) logproof.Head {
	h := logproof.Head{
		Kind: logproof.Selection, Patient: f.Patient, From: f.From, To: f.To, Record: f.Record, Actor: f.Actor, Hospital: f.Hospital, What: f.Kind, Unlock: f.Unlock,
	}
	switch {
	case f.Record != "" || f.Actor != "" || f.Hospital != 0 || f.Kind != "" || f.Unlock != "":
	case f.Patient == "":
		h.Kind = logproof.Period
	case f.From == 0 && f.To == 0:
		h.Kind = logproof.Patient
	}
	return h
}

func auditExportCommand() *cobra.Command {
	var l logOptions
	var block int64
	var force bool
	var witnesses []string
	cmd := &cobra.Command{
		Use: "export FILE", Short: "write entries of the log to a file that proves them to anybody", Args: exactArgs("a file"),
		Long: "Write entries of the log to one file that anybody can verify without a hospital and without a network, with `phrd audit verify`\n" +
			"or phrd-verify: that nothing in it was altered, that nothing was left out, and that more than two thirds of the hospitals signed it.\n\n" +
			"Without filters, or with times alone, it is every entry of that time; with --patient alone every entry about the patient. Both are\n" +
			"proven to be complete. With other filters it is a selection: each entry is proven, and that there are no others is not.\n" +
			"A patient exports what is about the patient, staff a selection of what their hospital did, an auditor of the whole log everything,\n" +
			"an auditor of some hospitals a selection of what concerns them.",
		Example: "  phrd audit export log.ndjson --from auditor\n  phrd audit export january.ndjson --from-time 2026-01-01 --to-time 2026-02-01\n" +
			"  phrd audit export who-looked.ndjson            (a patient: all that is about the patient)",
		RunE: func(cmd *cobra.Command, args []string) error {
			l.limit = 1
			if err := l.parse(); err != nil {
				return err
			}
			signed, err := readAll(witnesses)
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				filter, err := l.own(ctx, u.client)
				if err != nil {
					return err
				}
				done, err := exportLog(ctx, u.client, args[0], force, phr.Export{Head: exportHead(filter), Block: block, Witnesses: signed})
				if err != nil {
					return err
				}
				what := fmt.Sprintf("%d entries, complete", done.Entries)
				if !done.Complete {
					what = fmt.Sprintf("%d entries, a selection", done.Entries)
				}
				return o.print(done, nil, [][]string{
					{"exported", what}, {"block", strconv.FormatInt(done.Height, 10) + " of " + done.Time + ", " + done.Hash},
					{"signed", fmt.Sprintf("with %d of %d votes", done.Signed, done.Votes)}, {"file", done.Path},
				})
			})
		},
	}
	userFlags(cmd)
	l.filterFlags(cmd)
	cmd.Flags().StringVar(&l.Kind, "kind", "", kindUsage)
	cmd.Flags().Int64Var(&block, "block", 0, "height of one more block to put in, whose hash the file will be verified by")
	cmd.Flags().StringArrayVar(&witnesses, "witness", nil, "checkpoint that a witness has signed, to put in; can be repeated")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file")
	return cmd
}
