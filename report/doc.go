// Package report makes reports for officers and auditors of a verified export of the log: unusual access, emergencies that nobody has
// reviewed, and refusals.
//
// A report is computed from the export alone, by rules whose thresholds stand in it, and without a clock: the same export, rules and
// time zones give the same report, byte for byte. It points to what a person should look at, and accuses nobody.
package report
