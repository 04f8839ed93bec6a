package phr

import (
	"context"
	"iter"
	"strconv"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
)

// Kinds of entries that say why somebody looked.
const (
	kindOpened    = "opened"
	kindProposed  = "proposed"
	kindApproved  = "approved"
	kindConsent   = "consent_used"
	kindEmergency = "emergency_requested"
)

// lookGap is how long after another a read of the same version still belongs to the same look: a gateway reports in batches.
const lookGap = 10 * time.Minute

// Look is that somebody read a version, or was refused to: one or several entries of the log.
type Look struct {
	// First and Last are the sequences of the oldest and the newest entry, From and Until their times, unix seconds.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	From  int64  `json:"from"`
	Until int64  `json:"until"`
	// Actor is the account, empty for nobody known; Role and Hospital are what it was then, HospitalName what the hospital is called now.
	Actor        string `json:"actor"`
	Role         string `json:"role"`
	Hospital     uint64 `json:"hospital"`
	HospitalName string `json:"hospital_name"`
	// Patient is whom the record is about; Record and Version say what was read, and Bytes how much of it, as it is stored.
	Patient string `json:"patient"`
	Record  string `json:"record"`
	Version uint64 `json:"version"`
	Bytes   uint64 `json:"bytes"`
	// Refused is the reason of a refusal, and Refusals how often it was refused.
	Refused  string `json:"refused,omitempty"`
	Refusals uint64 `json:"refusals,omitempty"`
	// Unlock is what allowed it, and Grounds why; without one, what was read is unreadable but for whoever has a key of the record.
	Unlock string `json:"unlock,omitempty"`
	Grounds
}

// Grounds are why an unlock was asked for, and who allowed it.
type Grounds struct {
	// Purpose is the code of HL7 v3 ActReason that was given.
	Purpose string `json:"purpose,omitempty"`
	// Consent is the number of the consent that allowed it; 0 for none. Emergency says that it was an emergency, for that reason.
	// Approved says that the owner approved.
	Consent   uint64 `json:"consent,omitempty"`
	Emergency string `json:"emergency,omitempty"`
	Approved  bool   `json:"approved,omitempty"`
}

// WhoLooked lists who read what is about a patient, newest first, with the reasons as the log has them. Reads of a version by one
// account that follow each other are one look. The account must be the patient's or an auditor's; the error is ErrForbidden else.
func (c *Client) WhoLooked(ctx context.Context, patient string) iter.Seq2[Look, error] {
	return func(yield func(Look, error) bool) {
		l := &looks{client: c, patient: patient, names: map[uint64]string{}, grounds: map[string]Grounds{}}
		var last *Look
		for e, err := range c.Log(ctx, LogFilter{Patient: patient, Kind: kindOpened}) {
			if err != nil {
				yield(Look{}, err)
				return
			}
			look := lookOf(e)
			if last != nil && last.goesOn(&look) {
				continue
			}
			if last != nil && !l.yield(ctx, last, yield) {
				return
			}
			last = &look
		}
		if last != nil {
			l.yield(ctx, last, yield)
		}
	}
}

// lookOf is an entry as a look.
func lookOf(e *auditv1.Entry) Look {
	look := Look{
		First: e.GetSequence(), Last: e.GetSequence(), From: e.GetTime(), Until: e.GetTime(), Actor: e.GetActor(), Role: e.GetRole(), Hospital: e.GetHospital(),
		Patient: e.GetPatient(), Unlock: e.GetUnlock(),
	}
	if len(e.GetSubjects()) > 0 {
		look.Record, look.Version = e.GetSubjects()[0].GetRecord(), e.GetSubjects()[0].GetVersion()
	}
	if e.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
		look.Refused, look.Refusals = e.GetReason(), e.GetCount()
	} else {
		look.Bytes = e.GetCount()
	}
	return look
}

// goesOn takes an older entry in where it is of the same look.
func (l *Look) goesOn(older *Look) bool {
	same := l.Actor == older.Actor && l.Role == older.Role && l.Hospital == older.Hospital && l.Record == older.Record && l.Version == older.Version &&
		l.Unlock == older.Unlock && l.Refused == older.Refused
	if !same || l.From-older.From > int64(lookGap/time.Second) {
		return false
	}
	l.First, l.From, l.Bytes, l.Refusals = older.First, older.From, l.Bytes+older.Bytes, l.Refusals+older.Refusals
	return true
}

// looks finds out names and reasons, each once.
type looks struct {
	client  *Client
	patient string
	names   map[uint64]string
	grounds map[string]Grounds
}

func (l *looks) yield(ctx context.Context, look *Look, yield func(Look, error) bool) bool {
	var err error
	if look.HospitalName, err = l.name(ctx, look.Hospital); err == nil {
		look.Grounds, err = l.why(ctx, look.Unlock)
	}
	if err != nil {
		yield(Look{}, err)
		return false
	}
	return yield(*look, nil)
}

func (l *looks) name(ctx context.Context, number uint64) (string, error) {
	name, known := l.names[number]
	if known || number == 0 {
		return name, nil
	}
	m, err := l.client.Member(ctx, number)
	if err != nil {
		return "", err
	}
	l.names[number] = m.GetName()
	return m.GetName(), nil
}

// why reads in the log what an unlock was for, and who allowed it.
func (l *looks) why(ctx context.Context, unlock string) (Grounds, error) {
	g, known := l.grounds[unlock]
	if known || unlock == "" {
		return g, nil
	}
	filter := LogFilter{Patient: l.patient, Unlock: unlock, Kinds: []string{kindProposed, kindApproved, kindConsent, kindEmergency}}
	for e, err := range l.client.Log(ctx, filter) {
		if err != nil {
			return g, err
		}
		if e.GetOutcome() == auditv1.Outcome_OUTCOME_OK {
			g.add(e)
		}
	}
	l.grounds[unlock] = g
	return g, nil
}

func (g *Grounds) add(e *auditv1.Entry) {
	if e.GetPurpose() != "" {
		g.Purpose = e.GetPurpose()
	}
	switch e.GetKind() {
	case kindApproved:
		g.Approved = true
	case kindConsent:
		// What the chain wrote is a number.
		g.Consent, _ = strconv.ParseUint(e.GetTarget(), 10, 64)
	case kindEmergency:
		g.Emergency = e.GetTarget()
	}
}
