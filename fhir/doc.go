// Package fhir writes entries of the log as AuditEvents of HL7 FHIR R4, for the tools of hospitals that read those.
//
// An event follows the Basic Audit Log Patterns of IHE (BALP) and names a profile of them where it has all that the profile asks
// for: creations, reads, updates and deletions of one version that were carried out. Everything else is a plain AuditEvent, with the
// kind of the entry as a subtype of [KindSystem].
//
// The log holds numbers and addresses and no names, so people, hospitals and records are logical references, by identifiers of the
// systems below, which stand for the whole network whose chain id is part of the value. Machines have no address of the internet in
// the log: the network address of an agent is the name of the hospital's place in the network.
//
// The extension [LogEntryURL] says where in the log the entry is, and which export proves it. The event itself proves nothing: it
// was made from an export that somebody verified, and can be made from it again, byte for byte.
package fhir
