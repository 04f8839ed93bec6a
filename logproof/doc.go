// Package logproof reads and verifies exports of the log: files that show an outsider what
// the log says, and that it says neither anything else nor more.
//
// It knows no node, no network and no program of the chain. Whoever has an export, the
// network's genesis file and this package, or another program written from
// docs/audit-export.md, needs to trust nobody who handed it over:
//
//   - [Block]: hospitals that hold more than two thirds of the votes signed the block, by the
//     keys of the genesis file and of what those hospitals have changed since;
//   - [State]: the end of the log, or of a patient's chain, is in the state that the block
//     commits to;
//   - the entries are those that the end commits to: all of a stretch ([Range]), all about a
//     patient, or single ones, which is a selection and proves nothing of what it leaves out.
//
// [Verify] reads a file from its beginning to its end in memory that does not grow with it,
// and [Writer] writes one.
package logproof
