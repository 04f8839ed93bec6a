package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// CSV writes all findings and counts as one table (RFC 4180). A cell that a spreadsheet would take for a formula begins with an
// apostrophe.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	for _, row := range r.rows() {
		for i := range row {
			row[i] = plain(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// plain keeps a spreadsheet from computing a cell.
func plain(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n|", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (r *Report) rows() [][]string {
	rows := [][]string{{"finding", "day", "account", "role", "hospital", "patient", "kind", "reason", "entry", "count", "own_median", "peer_median"}}
	for _, m := range r.Mass {
		rows = append(rows, []string{"mass_reading", m.Day, m.Actor, m.Role, number(m.Hospital), "", "opened", "", "", strconv.Itoa(m.Patients), Half(m.OwnTwice), Half(m.PeerTwice)})
	}
	for _, a := range r.AfterHours {
		rows = append(rows, []string{"after_hours", a.Day + " " + a.At, a.Actor, a.Role, number(a.Hospital), "", "opened", "", number(a.First), strconv.Itoa(a.Reads), "", ""})
	}
	for _, e := range r.Unreviewed {
		rows = append(rows, []string{"emergency_unreviewed", time.Unix(e.Time, 0).UTC().Format(time.DateOnly), "", "", "", e.Patient, "emergency_due", "", number(e.Sequence), "1", "", ""})
	}
	for _, c := range r.Refusals {
		rows = append(rows, []string{"refused", "", "", "", number(c.Hospital), "", c.Kind, c.Reason, "", strconv.Itoa(c.Entries), "", ""})
	}
	for _, c := range r.Kinds {
		rows = append(rows, []string{"entries", "", "", "", "", "", c.Kind, "", "", strconv.Itoa(c.Entries), "", ""})
	}
	for _, d := range r.Days {
		rows = append(rows, []string{"reads", d.Day, "", "", "", "", "opened", "", "", strconv.Itoa(d.Reads), "", ""})
	}
	return rows
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// Half is half of a whole number as text.
func Half(twice int) string {
	if twice%2 == 0 {
		return strconv.Itoa(twice / 2)
	}
	return strconv.Itoa(twice/2) + ".5"
}
