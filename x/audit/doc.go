// Package audit holds the types and rules of the network's one log: entries that
// are appended by the handlers of the other modules and never changed or removed.
// It is the lowest module of the chain, so an entry carries plain values only and
// is never looked up again to be understood.
//
// Two structures make the log tamper-evident to somebody who trusts neither the
// node that answers nor this program.
//
// # The log's tree
//
// All entries in the order of their sequences are the leaves of one Merkle tree as
// RFC 9162, section 2.1, defines it, with SHA-256. The data of a leaf is the entry
// as a protobuf message phrd.audit.v1.Entry in its canonical form: fields in the
// order of their numbers, fields of the zero value left out, subjects one after the
// other in their order. Entry of sequence n is leaf n−1:
//
//	leaf hash = SHA-256(0x00 ‖ entry)
//	node hash = SHA-256(0x01 ‖ left ‖ right)
//	root of 0 = SHA-256("")
//
// State keeps the entries and the [Frontier] of the tree, from which the root of
// every size follows. The app hash of each block covers both.
//
// # The chain of a patient
//
// The entries that name a patient are linked in their order, so that a patient who
// was given all of theirs sees that none is missing, without the rest of the log:
//
//	head_0 = absent
//	head_k = H32("phrd/v1/audit/subject", head_{k−1}, sequence, leaf hash)
//
// H32 is that of docs/custody.md, appendix A: the first 32 bytes of the SHA-512 over
// the tag and each field, each preceded by its length in eight bytes, big-endian.
// The absent head is a field of length zero, the sequence eight bytes, big-endian,
// the leaf hash the one above of the k-th entry that names the patient. State keeps
// of each patient count, head and last sequence, the [SubjectHead].
//
// State is kept by the package keeper; what it can't answer fast, everything but an
// entry by its sequence, is answered by an [Index] that each node builds for itself.
package audit
