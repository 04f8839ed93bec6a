package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/phr"
)

func recordCommand() *cobra.Command {
	return group("record", "records: store, list, show, open and erase them",
		recordStoreCommand(), recordListCommand(), recordShowCommand(), recordHistoryCommand(), recordOpenCommand(),
		recordEraseCommand(), recordApproveErasureCommand())
}

// recordClasses are the classes of records.
var recordClasses = []string{"imaging", "document", "recording", "result", "other"}

func classText(c recordsv1.Class) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "CLASS_"))
}

func parseClass(text string) (recordsv1.Class, error) {
	for _, word := range recordClasses {
		if word == text {
			return recordsv1.Class(recordsv1.Class_value["CLASS_"+strings.ToUpper(word)]), nil
		}
	}
	return 0, usage("class %q: want one of %s", text, strings.Join(recordClasses, ", "))
}

// ownerText says whose a record is.
func ownerText(patient string, custodian uint64) string {
	if patient == "" {
		return fmt.Sprintf("hospital %d", custodian)
	}
	return patient
}

func recordListCommand() *cobra.Command {
	var patient string
	var hospital uint64
	cmd := &cobra.Command{
		Use: "list", Short: "list the records of a patient, or those that a hospital keeps",
		Long:    "List records: a patient's own; for staff, those that their hospital keeps.",
		Example: "  phrd record list\n  phrd record list --hospital 1",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if patient != "" && hospital != 0 {
				return usage("--patient and --hospital exclude each other")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				found, err := listRecords(ctx, u.client, patient, hospital)
				if err != nil {
					return err
				}
				rows := make([][]string, len(found))
				for i, r := range found {
					rows[i] = []string{r.Id, classText(r.Class), versionsText(r), ownerText(r.Patient, r.Custodian), strconv.FormatUint(r.Custodian, 10), timeText(r.Since)}
				}
				return o.print(protosJSON(found), []string{"RECORD", "CLASS", "VERSIONS", "OWNER", "KEPT BY", "SINCE (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&patient, "patient", "", "number of the patient")
	cmd.Flags().Uint64Var(&hospital, "hospital", 0, "number of the hospital")
	return cmd
}

// versionsText says how many versions a record has.
func versionsText(r *recordsv1.Record) string {
	if r.Erased == 0 {
		return strconv.FormatUint(r.Versions, 10)
	}
	return fmt.Sprintf("%d, %d erased", r.Versions, r.Erased)
}

func listRecords(ctx context.Context, c *phr.Client, patient string, hospital uint64) ([]*recordsv1.Record, error) {
	if patient == "" && hospital == 0 {
		who, err := c.Principal(ctx)
		if err != nil {
			return nil, err
		}
		patient, hospital = who.Patient, who.Hospital
	}
	if patient != "" {
		return collect(c.Records(ctx, patient))
	}
	return collect(c.RecordsOf(ctx, hospital))
}

// collect is the list of a sequence that may break off with an error.
func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// recordView is what `record show` says.
type recordView struct {
	Record  json.RawMessage `json:"record"`
	Version json.RawMessage `json:"version"`
	Copies  *copiesView     `json:"copies,omitempty"`
}

// copiesView is how many copies there are.
type copiesView struct {
	Held    uint32 `json:"held"`
	Target  uint32 `json:"target"`
	Minimum uint32 `json:"minimum"`
}

func viewCopies(c phr.Copies) *copiesView { return &copiesView{c.Held, c.Target, c.Minimum} }

func recordShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show RECORD[/VERSION]", Short: "show a record and one of its versions, the newest if none is named", Args: exactArgs("a record"),
		Example: "  phrd record show 3ZQK…/2",
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return showRecord(ctx, u.client, o, ref) })
		},
	}
	userFlags(cmd)
	return cmd
}

func showRecord(ctx context.Context, c *phr.Client, o *output, ref phr.Ref) error {
	r, err := c.Record(ctx, ref.Record)
	if err != nil {
		return err
	}
	v, err := c.Version(ctx, ref)
	if err != nil {
		return err
	}
	view := recordView{Record: protoJSON(r), Version: protoJSON(v)}
	rows := [][]string{
		{"record", r.Id}, {"class", classText(r.Class)}, {"owner", ownerText(r.Patient, r.Custodian)}, {"kept by", fmt.Sprintf("hospital %d", r.Custodian)},
		{"version", fmt.Sprintf("%d of %d", v.Version, r.Versions)}, {"size", byteText(v.Size) + " of ciphertext, padded"}, {"stored", timeText(v.StoredAt) + " by " + v.StoredBy},
		{"object", v.Object}, {"envelope", v.Envelope},
	}
	if v.Tombstone != nil {
		rows = append(rows, []string{"erased", erasedText(v.Tombstone)})
		return o.print(view, nil, rows)
	}
	copies, err := c.Copies(ctx, phr.Ref{Record: ref.Record, Version: v.Version})
	if err == nil {
		view.Copies = viewCopies(copies)
		rows = append(rows, []string{"copies", fmt.Sprintf("%d of %d", copies.Held, copies.Target)})
	} else {
		o.note("copies: %v", err)
	}
	return o.print(view, nil, rows)
}

func parseRef(text string) (phr.Ref, error) {
	ref, err := phr.ParseRef(text)
	if err != nil {
		return ref, usage("%v; want RECORD or RECORD/VERSION", err)
	}
	return ref, nil
}

// parseRefs reads several of them.
func parseRefs(texts []string) ([]phr.Ref, error) {
	refs := make([]phr.Ref, len(texts))
	for i, text := range texts {
		var err error
		if refs[i], err = parseRef(text); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// parseVersions reads references that each name a version.
func parseVersions(texts []string) ([]phr.Ref, error) {
	refs, err := parseRefs(texts)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if ref.Version == 0 {
			return nil, usage("%q: name the version too, like %s/1", texts[i], ref.Record)
		}
	}
	return refs, nil
}

// historyView is what `record history` says.
type historyView struct {
	Versions []json.RawMessage `json:"versions"`
	Log      []json.RawMessage `json:"log"`
}

func recordHistoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "history RECORD", Short: "list the versions of a record, and who did what with it", Args: exactArgs("a record"),
		Example: "  phrd record history 3ZQK…",
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return showHistory(ctx, u.client, o, ref) })
		},
	}
	userFlags(cmd)
	return cmd
}

func showHistory(ctx context.Context, c *phr.Client, o *output, ref phr.Ref) error {
	versions, err := collect(c.History(ctx, ref.Record))
	if err != nil {
		return err
	}
	filter, err := ownLog(ctx, c)
	if err != nil {
		return err
	}
	filter.Record = ref.Record.String()
	entries, err := collect(c.Log(ctx, filter))
	if err != nil {
		return err
	}
	if o.json {
		return o.value(historyView{protosJSON(versions), protosJSON(entries)})
	}
	rows := make([][]string, len(versions))
	for i, v := range versions {
		rows[i] = []string{strconv.FormatUint(v.Version, 10), timeText(v.StoredAt), byteText(v.Size), v.StoredBy}
		if v.Tombstone != nil {
			rows[i] = append(rows[i], timeText(v.Tombstone.At))
		}
	}
	if err := o.print(nil, []string{"VERSION", "STORED (UTC)", "SIZE", "BY", "ERASED (UTC)"}, rows); err != nil {
		return err
	}
	if err := o.line(""); err != nil {
		return err
	}
	return o.print(nil, entryHeader, entryRows(entries))
}
