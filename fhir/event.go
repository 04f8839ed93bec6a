package fhir

// Base begins the names of everything that is not defined by HL7, DICOM or IHE.
const Base = "https://github.com/phrd/phrd/fhir/"

const (
	// LogEntryURL names the extension of an event: network, height and index of the entry, and the export that proves it.
	LogEntryURL = Base + "StructureDefinition/log-entry"
	// BytesURL names the extension of an entity: the first ciphertext byte that was touched, and how many were.
	BytesURL = Base + "StructureDefinition/bytes"
	// KindSystem has the kinds of entries as codes.
	KindSystem = Base + "CodeSystem/entry-kind"
	// RoleSystem has the roles of those who act as codes.
	RoleSystem = Base + "CodeSystem/role"
)

// Systems of identifiers. A value begins with the chain id and a slash.
const (
	networkSystem  = Base + "identifier/network"
	hospitalSystem = Base + "identifier/hospital"
	accountSystem  = Base + "identifier/account"
	patientSystem  = Base + "identifier/patient"
	recordSystem   = Base + "identifier/record"
	unlockSystem   = Base + "identifier/unlock"
	targetSystem   = Base + "identifier/target"
)

// Systems of codes that others define.
const (
	dcmSystem           = "http://dicom.nema.org/resources/ontology/DCM"
	lifecycleSystem     = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
	eventTypeSystem     = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	interactionSystem   = "http://hl7.org/fhir/restful-interaction"
	participationSystem = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	participantSystem   = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
	reasonSystem        = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	entityTypeSystem    = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	objectRoleSystem    = "http://terminology.hl7.org/CodeSystem/object-role"
	sourceTypeSystem    = "http://terminology.hl7.org/CodeSystem/security-source-type"
	balp                = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
)

// AuditEvent is the resource of that name, with the elements that an entry can fill.
type AuditEvent struct {
	ResourceType   string            `json:"resourceType"`
	ID             string            `json:"id"`
	Meta           *Meta             `json:"meta,omitempty"`
	Extension      []Extension       `json:"extension"`
	Type           Coding            `json:"type"`
	Subtype        []Coding          `json:"subtype"`
	Action         string            `json:"action"`
	Recorded       string            `json:"recorded"`
	Outcome        string            `json:"outcome"`
	OutcomeDesc    string            `json:"outcomeDesc,omitempty"`
	PurposeOfEvent []CodeableConcept `json:"purposeOfEvent,omitempty"`
	Agent          []Agent           `json:"agent"`
	Source         Source            `json:"source"`
	Entity         []Entity          `json:"entity,omitempty"`
}

// Meta names the profiles that a resource follows.
type Meta struct {
	Profile []string `json:"profile"`
}

// Extension is one value, or further extensions.
type Extension struct {
	Extension []Extension `json:"extension,omitempty"`
	URL       string      `json:"url"`
	String    string      `json:"valueString,omitempty"`
	Code      string      `json:"valueCode,omitempty"`
	Instant   string      `json:"valueInstant,omitempty"`
}

// Coding is a code of a system.
type Coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

// CodeableConcept is a concept by its codes.
type CodeableConcept struct {
	Coding []Coding `json:"coding"`
}

// Identifier is a value of a system.
type Identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// Reference points to a thing by what it is called.
type Reference struct {
	Type       string      `json:"type,omitempty"`
	Identifier *Identifier `json:"identifier,omitempty"`
	Display    string      `json:"display,omitempty"`
}

// Agent is who took part.
type Agent struct {
	Type         *CodeableConcept  `json:"type,omitempty"`
	Role         []CodeableConcept `json:"role,omitempty"`
	Who          *Reference        `json:"who,omitempty"`
	Requestor    bool              `json:"requestor"`
	Network      *Network          `json:"network,omitempty"`
	PurposeOfUse []CodeableConcept `json:"purposeOfUse,omitempty"`
}

// Network is where an agent's machine is.
type Network struct {
	Address string `json:"address"`
	Type    string `json:"type"`
}

// Source is who recorded the event.
type Source struct {
	Site     string    `json:"site"`
	Observer Reference `json:"observer"`
	Type     []Coding  `json:"type"`
}

// Entity is what an event is about.
type Entity struct {
	Extension []Extension `json:"extension,omitempty"`
	What      *Reference  `json:"what,omitempty"`
	Type      Coding      `json:"type"`
	Role      *Coding     `json:"role,omitempty"`
}
