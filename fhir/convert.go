package fhir

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/logproof"
)

// ErrUnknownKind says that an entry is of a kind that this program does not know: it is older than the network's rules.
var ErrUnknownKind = errors.New("kind of entry is not known here")

const (
	outcomeDone    = "0" // success
	outcomeRefused = "4" // minor failure: it may be asked again in another way
	networkURI     = "5" // type of a network address
	server         = "4" // type of source: application server
)

// Converter makes events of the entries of one export.
type Converter struct {
	chain string
	proof []Extension // what is the same in the extension of each event
}

// NewConverter makes events of the entries of an export, which was verified with that report and has that SHA-256.
func NewConverter(report *logproof.Report, export [sha256.Size]byte) *Converter {
	proof := []Extension{
		{URL: "export", String: hex.EncodeToString(export[:])},
		{URL: "proof", Code: string(report.Head.Kind)},
		{URL: "block", String: strconv.FormatInt(report.Height, 10)},
		{URL: "blockHash", String: hex.EncodeToString(report.Hash)},
	}
	if report.Size != 0 {
		proof = append(proof,
			Extension{URL: "logSize", String: strconv.FormatUint(report.Size, 10)},
			Extension{URL: "logRoot", String: hex.EncodeToString(report.Root)})
	}
	return &Converter{chain: report.ChainID, proof: proof}
}

// idTag begins what the id of an event is the hash of.
const idTag = "phrd/v1/fhir/event"

// id is the UUID (version 8, RFC 9562) of an entry of the network, the same in each export.
func (c *Converter) id(sequence uint64) string {
	h := lock.H32(idTag, []byte(c.chain), binary.BigEndian.AppendUint64(nil, sequence))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// Event is an entry as an AuditEvent. The error is ErrUnknownKind.
func (c *Converter) Event(e *auditv1.Entry) (*AuditEvent, error) {
	p, known := patterns[e.GetKind()]
	if !known {
		return nil, fmt.Errorf("entry %d: %q: %w", e.GetSequence(), e.GetKind(), ErrUnknownKind)
	}
	event := &AuditEvent{
		ResourceType: "AuditEvent", ID: c.id(e.GetSequence()), Extension: []Extension{c.place(e)},
		Type: p.kind, Action: p.action, Recorded: time.Unix(e.GetTime(), 0).UTC().Format(time.RFC3339), Outcome: outcomeDone,
		PurposeOfEvent: purposes(e), Agent: c.agents(p, e), Entity: c.entities(e),
		Source: Source{Site: c.chain, Observer: c.network(), Type: []Coding{{sourceTypeSystem, server, "Application Server"}}},
	}
	if p.sub.Code != "" {
		event.Subtype = append(event.Subtype, p.sub)
	}
	profile := p.profileOf(e)
	if profile != "" {
		event.Meta = &Meta{Profile: []string{balp + profile}}
	}
	if p.profile != "Delete" { // which allows one subtype alone
		event.Subtype = append(event.Subtype, Coding{System: KindSystem, Code: e.GetKind()})
	}
	if e.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
		event.Outcome, event.OutcomeDesc = outcomeRefused, "refused: "+e.GetReason()
	}
	return event, nil
}

// profileOf names the profile that the event of an entry follows: those of BALP are for what was carried out, by an account, on one
// thing.
func (p pattern) profileOf(e *auditv1.Entry) string {
	if p.profile == "" || e.GetOutcome() != auditv1.Outcome_OUTCOME_OK || e.GetActor() == "" || len(e.GetSubjects()) != 1 {
		return ""
	}
	if e.GetPatient() != "" {
		return "Patient" + p.profile
	}
	return p.profile
}

// place is where the entry is in the log, and what proves it.
func (c *Converter) place(e *auditv1.Entry) Extension {
	list := []Extension{
		{URL: "network", String: c.chain},
		{URL: "height", String: strconv.FormatInt(e.GetHeight(), 10)},
		{URL: "index", String: strconv.FormatUint(e.GetSequence(), 10)},
		{URL: "kind", Code: e.GetKind()},
	}
	if e.GetReason() != "" {
		list = append(list, Extension{URL: "reason", Code: e.GetReason()})
	}
	if e.GetCount() != 0 {
		list = append(list, Extension{URL: "count", String: strconv.FormatUint(e.GetCount(), 10)})
	}
	return Extension{URL: LogEntryURL, Extension: append(list, c.proof...)}
}

func (c *Converter) identified(kind, system, value string) *Reference {
	return &Reference{Type: kind, Identifier: &Identifier{System: system, Value: c.chain + "/" + value}}
}

func (c *Converter) network() Reference {
	return Reference{Type: "Device", Identifier: &Identifier{System: networkSystem, Value: c.chain}}
}

func purposes(e *auditv1.Entry) []CodeableConcept {
	if e.GetPurpose() == "" {
		return nil
	}
	return []CodeableConcept{{Coding: []Coding{{System: reasonSystem, Code: e.GetPurpose()}}}}
}

// agents are the actor, the machine that it used and the network: the first two are missing where the chain itself acted.
func (c *Converter) agents(p pattern, e *auditv1.Entry) []Agent {
	client, served := source, destination
	switch {
	case p.profile == "Delete":
		client, served = application, keeper
	case p.reads:
		client, served = destination, source
	}
	here := c.network()
	network := Agent{Type: concept(served), Who: &here, Network: &Network{Address: "phrd:" + c.chain, Type: networkURI}}
	if e.GetActor() == "" {
		network.Role = roles(e)
		return []Agent{network}
	}
	actor := Agent{Type: concept(p.part), Role: roles(e), Who: c.identified(actorType(e.GetRole()), accountSystem, e.GetActor()), Requestor: true, PurposeOfUse: purposes(e)}
	return []Agent{actor, c.machine(client, e), network}
}

// machine is what the actor used: a program of the hospital, or the patient's own.
func (c *Converter) machine(kind Coding, e *auditv1.Entry) Agent {
	a := Agent{Type: concept(kind), Who: &Reference{Type: "Device", Display: "program of the account"}}
	address := "phrd:" + c.chain + "/accounts/" + e.GetActor()
	if e.GetHospital() != 0 {
		number := strconv.FormatUint(e.GetHospital(), 10)
		a.Who, address = c.identified("Organization", hospitalSystem, number), "phrd:"+c.chain+"/hospitals/"+number
	}
	a.Network = &Network{Address: address, Type: networkURI}
	return a
}

// actorType is what a role's accounts stand for; an account without a role may be anybody's.
func actorType(role string) string {
	switch role {
	case "":
		return ""
	case "patient":
		return "Patient"
	case "node":
		return "Device"
	}
	return "Practitioner"
}

func concept(code Coding) *CodeableConcept { return &CodeableConcept{Coding: []Coding{code}} }

func roles(e *auditv1.Entry) []CodeableConcept {
	if e.GetRole() == "" {
		return nil
	}
	return []CodeableConcept{{Coding: []Coding{{System: RoleSystem, Code: e.GetRole()}}}}
}

// Types of an entity, and its roles.
var (
	person = Coding{entityTypeSystem, "1", "Person"}
	object = Coding{entityTypeSystem, "2", "System Object"}
	other  = Coding{entityTypeSystem, "4", "Other"}

	asPatient  = Coding{objectRoleSystem, "1", "Patient"}
	asData     = Coding{objectRoleSystem, "4", "Domain Resource"}
	asSecurity = Coding{objectRoleSystem, "13", "Security Resource"}
)

// entities are the patient, the versions, the unlock and the target of an entry.
func (c *Converter) entities(e *auditv1.Entry) []Entity {
	var list []Entity
	if e.GetPatient() != "" {
		list = append(list, Entity{What: c.identified("Patient", patientSystem, e.GetPatient()), Type: person, Role: &asPatient})
	}
	for _, s := range e.GetSubjects() {
		list = append(list, Entity{What: c.identified("DocumentReference", recordSystem, versionText(s)), Type: object, Role: &asData, Extension: bytesOf(s)})
	}
	if e.GetUnlock() != "" {
		list = append(list, Entity{What: c.identified("", unlockSystem, e.GetUnlock()), Type: other, Role: &asSecurity})
	}
	if e.GetTarget() != "" {
		list = append(list, Entity{What: c.identified("", targetSystem, e.GetKind()+"/"+e.GetTarget()), Type: other})
	}
	return list
}

// versionText is a record's id, and the version behind a slash; a record as a whole has none.
func versionText(s *auditv1.Subject) string {
	if s.GetVersion() == 0 {
		return s.GetRecord()
	}
	return s.GetRecord() + "/" + strconv.FormatUint(s.GetVersion(), 10)
}

func bytesOf(s *auditv1.Subject) []Extension {
	if s.GetLength() == 0 {
		return nil
	}
	return []Extension{{URL: BytesURL, Extension: []Extension{
		{URL: "offset", String: strconv.FormatUint(s.GetOffset(), 10)},
		{URL: "length", String: strconv.FormatUint(s.GetLength(), 10)},
	}}}
}
