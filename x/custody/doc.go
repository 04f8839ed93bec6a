// Package custody holds what the chain knows about the network's keys: which key
// is in force, who holds its shares, which unlocks wait for shares, and the shares
// that were given and verified.
//
// A network key X = x·G belongs to a kind and a generation; x exists only as
// shares x_i at the members, t of which open. A Release asks the holders for the
// shares of one unlock; each answers with D_k = x_i·M_k and a proof that the chain
// checks against the holder's public share X_i. The chain never learns what a
// share opens, nor whom it is about.
//
// The formats are those of docs/custody.md, appendix A; the state is kept by the
// package keeper.
package custody
