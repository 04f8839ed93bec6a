package report

import (
	"encoding/json"
	"io"

	"github.com/phrd/phrd/logproof"
)

// finding is a row of the table with the names of its columns.
type finding map[string]string

// findings are what JSON writes.
type findings struct {
	From     int64             `json:"from"` // of the period, 0 for the beginning of the log; unix seconds
	Until    int64             `json:"until"`
	Entries  uint64            `json:"entries"`
	Export   logproof.Hex      `json:"export_sha256"`
	Rules    rulesBody         `json:"rules"`
	Zones    map[uint64]string `json:"zones"`
	Findings []finding         `json:"findings"`
}

type rulesBody struct {
	MassMinimum int `json:"mass_patients"`
	MassFactor  int `json:"mass_factor"`
	DayFrom     int `json:"day_from"`
	DayTo       int `json:"day_to"`
}

// JSON writes what the CSV has: the same rows, each an object of the columns that are filled, with the period, the thresholds and the
// time zones before them.
func (r *Report) JSON(w io.Writer) error {
	rows := r.rows()
	out := findings{
		From: r.Proof.Head.From, Until: r.Proof.Until, Entries: r.Proof.Entries, Export: r.Export[:], Zones: r.Rules.Zones, Findings: []finding{},
		Rules: rulesBody{MassMinimum: r.Rules.MassMinimum, MassFactor: r.Rules.MassFactor, DayFrom: r.Rules.DayFrom, DayTo: r.Rules.DayTo},
	}
	for _, row := range rows[1:] {
		f := finding{}
		for i, cell := range row {
			if cell != "" {
				f[rows[0][i]] = cell
			}
		}
		out.Findings = append(out.Findings, f)
	}
	return json.NewEncoder(w).Encode(out)
}
