// Package records holds what the chain knows about patients, records and their
// versions, and the rules about them that need no store.
//
// A patient is a wallet account bound to a random patient number and a vault. A
// record is one thing about one patient, or one hospital's own; it has versions
// 1, 2, …, each locked by itself and never changed. The chain keeps of a version
// its lock header and the CIDs of its ciphertext and envelope: nothing here tells
// what a record says or whom it is about by name.
//
// The formats are those of docs/custody.md, appendix A; the state is kept by the
// package keeper.
package records
