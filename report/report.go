package report

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

// ErrIncomplete says that an export is not everything of a time, so that what it lacks can't be told from what did not happen.
var ErrIncomplete = errors.New("a report needs every entry of a time: export with --from-time and --to-time alone")

// Report is what the log of a time has to show.
type Report struct {
	// Proof is what the export proves, Export the SHA-256 of its file, Rules the thresholds.
	Proof  logproof.Report
	Export [sha256.Size]byte
	Rules  Rules
	// Mass are days on which somebody read of unusually many patients, AfterHours reads at unusual hours, by day and reader.
	Mass       []Mass
	AfterHours []AfterHours
	// Unreviewed are emergencies that opened, and whose use no officer has looked at.
	Unreviewed []Emergency
	// Refusals are counted by kind, reason and hospital, the most first.
	Refusals []Count
	// Kinds counts all entries, the most first; Days the reads that were carried out, by day in UTC from the first to the last.
	Kinds []Count
	Days  []Day
}

// Reader is an account, as it read.
type Reader struct {
	Actor, Role string
	Hospital    uint64
}

// Mass is a day on which a reader read of unusually many patients.
type Mass struct {
	Reader
	Day      string
	Patients int
	// OwnTwice and PeerTwice are the medians of the reader's other days and of the others' days, doubled to be whole numbers.
	OwnTwice, PeerTwice int
}

// AfterHours are a reader's reads of a day outside the hours.
type AfterHours struct {
	Reader
	Day   string
	Reads int
	// First is the sequence and At the local time of the first of them.
	First uint64
	At    string
}

// Emergency is one that opened.
type Emergency struct {
	Unlock, Patient string
	Sequence        uint64
	Time            int64
}

// Count is how often something is in the log.
type Count struct {
	Kind, Reason string
	Hospital     uint64
	Entries      int
}

// Day is how many reads a day has.
type Day struct {
	Day   string
	Reads int
}

// Builder takes the entries of an export in their order.
type Builder struct {
	rules Rules
	zones map[uint64]*time.Location

	patients  map[Reader]map[string]map[string]bool // by day
	after     map[Reader]map[string]*AfterHours     // by day
	due       map[string]Emergency
	reviewed  map[string]bool
	refusals  map[Count]int
	kinds     map[Count]int
	days      map[string]int
	firstDay  time.Time
	latestDay time.Time
}

// NewBuilder begins a report. The error is ErrRules.
func NewBuilder(rules Rules) (*Builder, error) {
	zones, err := rules.locations()
	if err != nil {
		return nil, err
	}
	return &Builder{
		rules: rules, zones: zones, patients: map[Reader]map[string]map[string]bool{}, after: map[Reader]map[string]*AfterHours{}, due: map[string]Emergency{},
		reviewed: map[string]bool{}, refusals: map[Count]int{}, kinds: map[Count]int{}, days: map[string]int{},
	}, nil
}

// Add takes the next entry.
func (b *Builder) Add(e *auditv1.Entry) {
	b.kinds[Count{Kind: e.GetKind()}]++
	if e.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
		b.refusals[Count{Kind: e.GetKind(), Reason: e.GetReason(), Hospital: e.GetHospital()}]++
		return
	}
	switch e.GetKind() {
	case "opened":
		b.read(e)
	case "emergency_due":
		b.due[e.GetUnlock()] = Emergency{Unlock: e.GetUnlock(), Patient: e.GetPatient(), Sequence: e.GetSequence(), Time: e.GetTime()}
	case "emergency_reviewed":
		b.reviewed[e.GetUnlock()] = true
	}
}

// read counts a read. Patients who read their own are not looked at further.
func (b *Builder) read(e *auditv1.Entry) {
	day := time.Unix(e.GetTime(), 0).UTC().Truncate(24 * time.Hour)
	if b.firstDay.IsZero() {
		b.firstDay = day
	}
	b.latestDay = day
	b.days[day.Format(time.DateOnly)]++
	if e.GetHospital() == 0 {
		return
	}
	who := Reader{Actor: e.GetActor(), Role: e.GetRole(), Hospital: e.GetHospital()}
	local := time.Unix(e.GetTime(), 0).In(b.zone(e.GetHospital()))
	if e.GetPatient() != "" {
		set(set(b.patients, who), local.Format(time.DateOnly))[e.GetPatient()] = true
	}
	if h := local.Hour(); h >= b.rules.DayFrom && h < b.rules.DayTo {
		return
	}
	byDay := set(b.after, who)
	found := byDay[local.Format(time.DateOnly)]
	if found == nil {
		found = &AfterHours{Reader: who, Day: local.Format(time.DateOnly), First: e.GetSequence(), At: local.Format("15:04 MST")}
		byDay[found.Day] = found
	}
	found.Reads++
}

func (b *Builder) zone(hospital uint64) *time.Location {
	if zone := b.zones[hospital]; zone != nil {
		return zone
	}
	return time.UTC
}

// set is the map under a key, which is made where there is none.
func set[K, L comparable, V any](of map[K]map[L]V, key K) map[L]V {
	if of[key] == nil {
		of[key] = map[L]V{}
	}
	return of[key]
}

// Report ends the report of an export, which was verified with that result and has that SHA-256. The error is ErrIncomplete.
func (b *Builder) Report(proof logproof.Report, export [sha256.Size]byte) (*Report, error) {
	if proof.Head.Kind != logproof.Period || !proof.Complete {
		return nil, fmt.Errorf("an export of kind %s: %w", proof.Head.Kind, ErrIncomplete)
	}
	r := &Report{Proof: proof, Export: export, Rules: b.rules, Mass: b.mass(), Refusals: counts(b.refusals), Kinds: counts(b.kinds)}
	for _, byDay := range b.after {
		for _, a := range byDay {
			r.AfterHours = append(r.AfterHours, *a)
		}
	}
	slices.SortFunc(r.AfterHours, func(x, y AfterHours) int { return cmp.Compare(x.First, y.First) })
	for unlock, e := range b.due {
		if !b.reviewed[unlock] {
			r.Unreviewed = append(r.Unreviewed, e)
		}
	}
	slices.SortFunc(r.Unreviewed, func(x, y Emergency) int { return cmp.Compare(x.Sequence, y.Sequence) })
	if !b.firstDay.IsZero() {
		for day := b.firstDay; !day.After(b.latestDay); day = day.AddDate(0, 0, 1) {
			text := day.Format(time.DateOnly)
			r.Days = append(r.Days, Day{Day: text, Reads: b.days[text]})
		}
	}
	return r, nil
}

func counts(of map[Count]int) []Count {
	var list []Count
	for c, n := range of {
		c.Entries = n
		list = append(list, c)
	}
	slices.SortFunc(list, func(x, y Count) int {
		return cmp.Or(cmp.Compare(y.Entries, x.Entries), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.Hospital, y.Hospital))
	})
	return list
}

// mass finds the unusual days.
func (b *Builder) mass() []Mass {
	var found []Mass
	peers := map[Reader]map[string][]int{} // days of each reader of a hospital and role
	for who, days := range b.patients {
		for _, patients := range days {
			group := set(peers, Reader{Role: who.Role, Hospital: who.Hospital})
			group[who.Actor] = append(group[who.Actor], len(patients))
		}
	}
	for who, days := range b.patients {
		theirs := twiceMedian(others(peers[Reader{Role: who.Role, Hospital: who.Hospital}], who.Actor))
		for _, day := range slices.Sorted(maps.Keys(days)) {
			n, own := len(days[day]), twiceMedian(otherDays(days, day))
			if n >= b.rules.MassMinimum && 2*n >= b.rules.MassFactor*own && 2*n >= b.rules.MassFactor*theirs {
				found = append(found, Mass{Reader: who, Day: day, Patients: n, OwnTwice: own, PeerTwice: theirs})
			}
		}
	}
	slices.SortFunc(found, func(x, y Mass) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Hospital, y.Hospital), cmp.Compare(x.Actor, y.Actor), cmp.Compare(x.Role, y.Role))
	})
	return found
}

// others are the days of everybody else.
func others(group map[string][]int, actor string) []int {
	var list []int
	for who, days := range group {
		if who != actor {
			list = append(list, days...)
		}
	}
	return list
}

func otherDays(days map[string]map[string]bool, but string) []int {
	var list []int
	for day, patients := range days {
		if day != but {
			list = append(list, len(patients))
		}
	}
	return list
}

// twiceMedian is the median doubled, so that it is a whole number; that of none is that of one.
func twiceMedian(values []int) int {
	if len(values) == 0 {
		return 2
	}
	slices.Sort(values)
	n := len(values)
	return values[(n-1)/2] + values[n/2]
}
