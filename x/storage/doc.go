// Package storage holds what the chain knows about ciphertext: which objects the
// network keeps, which storage nodes shall hold a copy, and which said that they
// do. It knows no names, types or owners of data.
//
// Copies are spread over failure domains by weighted rendezvous hashing: a domain
// is one site of one member, a node's weight is its capacity, and an object's
// nodes follow from its CID alone, so that a node that joins or leaves moves no
// more than its share. All of it is integer arithmetic, the same on every machine.
//
// A node that is silent for too long is lost. What it held, and what nodes hold that are
// to be emptied, is placed again, some objects at the end of each block, and what an
// object does not need once it is whole is forgotten. Silence is measured by a clock that
// goes with the heartbeats of all nodes, so that a network that stood still has lost
// nobody, see [Clock].
//
// The state is kept by the package keeper.
package storage
