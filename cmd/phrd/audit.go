package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
)

func auditCommand() *cobra.Command {
	return group("audit", "the log that nobody can change: who did what", auditLogCommand(), auditWatchCommand(), auditShowCommand(), auditHeadCommand(), auditExportCommand(), auditVerifyCommand(), auditConvertCommand(), auditReportCommand())
}

// ownLog is what an account may see of the log without being an auditor: what is about itself, or was made by its
// hospital.
func ownLog(ctx context.Context, c *phr.Client) (phr.LogFilter, error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return phr.LogFilter{}, err
	}
	switch {
	case who.Role == "auditor":
		return phr.LogFilter{}, nil
	case who.Patient != "":
		return phr.LogFilter{Patient: who.Patient}, nil
	case who.Hospital != 0:
		return phr.LogFilter{Hospital: who.Hospital}, nil
	}
	return phr.LogFilter{Actor: who.Address}, nil
}

var entryHeader = []string{"NO.", "TIME (UTC)", "WHAT", "WHO", "HOSPITAL", "ABOUT", "PURPOSE", "OUTCOME"}

func entryRows(entries []*auditv1.Entry) [][]string {
	rows := make([][]string, len(entries))
	for i, e := range entries {
		hospital := "-"
		if e.Hospital != 0 {
			hospital = strconv.FormatUint(e.Hospital, 10)
		}
		rows[i] = []string{
			strconv.FormatUint(e.Sequence, 10), timeText(e.Time), e.Kind, actorText(e), hospital, aboutText(e), orDash(e.Purpose), outcomeText(e),
		}
	}
	return rows
}

func actorText(e *auditv1.Entry) string {
	if e.Actor == "" {
		return e.Role
	}
	// The end of an address tells accounts apart as well as its beginning does not.
	return e.Role + " …" + e.Actor[max(0, len(e.Actor)-8):]
}

func aboutText(e *auditv1.Entry) string {
	var parts []string
	for _, s := range e.Subjects {
		text := s.Record
		if s.Version != 0 {
			text += "/" + strconv.FormatUint(s.Version, 10)
		}
		if s.Length != 0 {
			text += fmt.Sprintf(" (%s from byte %d)", byteText(s.Length), s.Offset)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 && e.Target != "" {
		parts = append(parts, e.Target)
	}
	if len(parts) == 0 && e.Patient != "" {
		parts = append(parts, "patient "+e.Patient)
	}
	return orDash(strings.Join(parts, " "))
}

func outcomeText(e *auditv1.Entry) string {
	if e.Outcome == auditv1.Outcome_OUTCOME_REFUSED {
		return "refused: " + e.Reason
	}
	return "ok"
}

// logOptions are the filters of `audit log`.
type logOptions struct {
	phr.LogFilter
	from, to string
	limit    int
}

// readLog lists entries, newest first, at most limit many.
func readLog(ctx context.Context, c *phr.Client, filter phr.LogFilter, limit int) ([]*auditv1.Entry, error) {
	entries := []*auditv1.Entry{}
	for e, err := range c.Log(ctx, filter) {
		if err != nil {
			return nil, err
		}
		if entries = append(entries, e); len(entries) == limit {
			break
		}
	}
	return entries, nil
}

func auditLogCommand() *cobra.Command {
	var l logOptions
	var concerns []uint
	cmd := &cobra.Command{
		Use: "log", Short: "list entries of the log, newest first",
		Long: "List entries of the log, newest first. A patient sees what is about the patient, staff what their hospital did,\n" +
			"an auditor everything, or what concerns the auditor's hospitals. Every filter that is given must match.",
		Example: "  phrd audit log --limit 20\n  phrd audit log --record 7ABC… --json\n  phrd audit log --kind opened --from-time 2026-01-01\n" +
			"  phrd audit log --kind proposed,denied --purpose HRESCH",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := l.parse(); err != nil {
				return err
			}
			for _, hospital := range concerns {
				l.Concerns = append(l.Concerns, uint64(hospital))
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				filter, err := l.own(ctx, u.client)
				if err != nil {
					return err
				}
				entries, err := readLog(ctx, u.client, filter, l.limit)
				if err != nil {
					return err
				}
				return o.print(protosJSON(entries), entryHeader, entryRows(entries))
			})
		},
	}
	userFlags(cmd)
	l.filterFlags(cmd)
	cmd.Flags().StringSliceVar(&l.Kinds, "kind", nil, kindUsage+"; several are any of them")
	cmd.Flags().StringVar(&l.Purpose, "purpose", "", "entries with this purpose, a code of HL7 ActReason: TREAT, ETREAT, HPAYMT, HRESCH and so on")
	cmd.Flags().UintSliceVar(&concerns, "concerns", nil, "entries that concern these hospitals, whoever made them")
	cmd.Flags().IntVar(&l.limit, "limit", 50, "how many entries")
	return cmd
}

// own is the filter, and where it names nobody what the account may see.
func (l *logOptions) own(ctx context.Context, c *phr.Client) (phr.LogFilter, error) {
	filter := l.LogFilter
	if filter.Patient == "" && filter.Actor == "" && filter.Hospital == 0 {
		own, err := ownLog(ctx, c)
		if err != nil {
			return filter, err
		}
		filter.Patient, filter.Hospital, filter.Actor = own.Patient, own.Hospital, own.Actor
	}
	return filter, nil
}

const kindUsage = "entries of this kind: stored, proposed, endorsed, approved, released, opened and so on"

func (l *logOptions) filterFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.Patient, "patient", "", "entries about this patient")
	flags.StringVar(&l.Record, "record", "", "entries about this record")
	flags.StringVar(&l.Actor, "actor", "", "entries of this account's address")
	flags.Uint64Var(&l.Hospital, "hospital", 0, "entries of this hospital's accounts")
	flags.StringVar(&l.Unlock, "unlock", "", "entries under this unlock, its whole id")
	flags.StringVar(&l.from, "from-time", "", "entries from this time on: 2026-01-31 or 2026-01-31T08:00:00Z")
	flags.StringVar(&l.to, "to-time", "", "entries before this time")
}

// parse checks the filters.
func (l *logOptions) parse() error {
	if l.limit < 1 {
		return usage("--limit must be more than 0")
	}
	if l.Record != "" {
		ref, err := parseRef(l.Record)
		if err != nil {
			return err
		}
		l.Record = ref.Record.String()
	}
	var err error
	if l.From, err = parseTime(l.from); err != nil {
		return err
	}
	l.To, err = parseTime(l.to)
	return err
}

func parseTime(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Unix() > 0 {
			return t.Unix(), nil
		}
	}
	return 0, usage("%q is no time: want 2026-01-31 or 2026-01-31T08:00:00Z", text)
}

func auditShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NUMBER", Short: "show one entry of the log", Args: exactArgs("the entry's number"),
		Example: "  phrd audit show 42",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("an entry", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				e, err := u.client.Entry(ctx, number)
				if err != nil {
					return err
				}
				rows := [][]string{
					{"entry", strconv.FormatUint(e.Sequence, 10)}, {"block", strconv.FormatInt(e.Height, 10)}, {"time", timeText(e.Time)}, {"kind", e.Kind},
					{"actor", orDash(e.Actor)}, {"role", e.Role}, {"hospital", strconv.FormatUint(e.Hospital, 10)}, {"patient", orDash(e.Patient)},
					{"about", aboutText(e)}, {"target", orDash(e.Target)}, {"unlock", orDash(e.Unlock)}, {"purpose", orDash(e.Purpose)},
					{"outcome", outcomeText(e)}, {"count", strconv.FormatUint(e.Count, 10)},
				}
				return o.print(protoJSON(e), nil, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func auditHeadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "head", Short: "show how long the log is, and the hash that stands for all of it", Args: exactArgs(),
		Long:    "Show the number of entries and the Merkle root over all of them (RFC 9162). Two hospitals that show the same root\nfor the same number hold the same log.",
		Example: "  phrd audit head --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				size, root, err := u.client.LogHead(ctx)
				if err != nil {
					return err
				}
				head := map[string]any{"size": json.Number(strconv.FormatUint(size, 10)), "root": hex.EncodeToString(root)}
				return o.print(head, nil, [][]string{{"entries", strconv.FormatUint(size, 10)}, {"root", hex.EncodeToString(root)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
