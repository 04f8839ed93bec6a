// Package consortium holds what the chain knows about the hospitals that run it,
// their people and their rules, and what of it needs no store.
//
// A member is an institution with one validator, one vote and at least one storage
// node. It enters with a Declaration that every key in it has signed. Accounts are
// staff that a member's admin registered, the members' own servers and storage
// nodes, and patients that opened theirs with an invitation; one account has one
// role. What the members decide they decide by proposals, one vote each, and what
// was accepted is carried out by the consortium's own account, which nobody has a
// key for.
//
// There is no token and no stake: active members validate with equal power.
package consortium
