package report

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // a machine without time zones makes the same report
)

// ErrRules says that thresholds are none, or a time zone is unknown.
var ErrRules = errors.New("rules are malformed")

// Rules are the thresholds of a report.
type Rules struct {
	// MassMinimum and MassFactor: a reader's day is unusual when it has at least MassMinimum patients, MassFactor times the median of
	// the reader's other days, and MassFactor times the median of the days of others with the role in the hospital. A median of none counts as one.
	MassMinimum, MassFactor int
	// DayFrom and DayTo are hours of the day, DayTo not included; reads at others are after hours.
	DayFrom, DayTo int
	// Zones are IANA time zones by hospital; those that have none are in UTC.
	Zones map[uint64]string
}

// DefaultRules are thresholds to begin with.
func DefaultRules() Rules { return Rules{MassMinimum: 20, MassFactor: 5, DayFrom: 6, DayTo: 22} }

// locations loads the zones. The error is ErrRules.
func (r Rules) locations() (map[uint64]*time.Location, error) {
	if r.MassMinimum < 1 || r.MassFactor < 1 || r.DayFrom < 0 || r.DayTo > 24 || r.DayFrom >= r.DayTo {
		return nil, fmt.Errorf("mass reading from %d patients and %d times the median, day from %d to %d: %w", r.MassMinimum, r.MassFactor, r.DayFrom, r.DayTo, ErrRules)
	}
	all := map[uint64]*time.Location{}
	for hospital, name := range r.Zones {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "" || name == "Local" {
			return nil, fmt.Errorf("hospital %d: time zone %q: %w", hospital, name, ErrRules)
		}
		all[hospital] = zone
	}
	return all, nil
}
