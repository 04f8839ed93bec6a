// Package lock is the pure half of phrd's custody: a labelled threshold KEM on ristretto255 with publicly verifiable shares, the
// mathematics of making and resharing the network's key, X-Wing hybrid encryption, and the encodings that all of them bind.
//
// A record's key has two halves. The owner's half is sealed to the owner's vault key (package seal); the network's half is K = r·X,
// where X = x·G is the network's public key and x exists only as shares x_i at the members. The version carries U = r·G. A requester
// who may open draws b and asks for M = b·U; each holder answers D_i = x_i·M with a proof; threshold many of them give
// K = b⁻¹·Σ λ_i·D_i, and nobody but the requester learns it.
//
// Every proof is one primitive, the batched DLEQ proof of RFC 9497 §2.2, with a label that binds everything it speaks for. Everything
// here follows docs/custody.md, appendix A, to the byte. What touches a secret takes a time that does not depend on it; what anybody may
// know (the check of a proof, the sum of shares, commitments) takes less time, which does. The package knows no SDK, no network and no
// clock, and takes randomness as an io.Reader.
package lock

import "errors"

var (
	// ErrPoint says that bytes are not a canonical ristretto255 point, or one that is not allowed there.
	ErrPoint = errors.New("not an allowed ristretto255 point")
	// ErrScalar says that bytes are not a canonical scalar, or one that is not allowed there.
	ErrScalar = errors.New("not an allowed scalar")
	// ErrProof says that a proof does not hold for its label and points.
	ErrProof = errors.New("proof does not hold")
	// ErrKey says that bytes are not a valid X-Wing key.
	ErrKey = errors.New("not a valid hybrid key")
	// ErrOpen says that a ciphertext does not open with this key and context.
	ErrOpen = errors.New("ciphertext does not open")
	// ErrCID says that a text or bytes are not a content identifier of the network's two forms.
	ErrCID = errors.New("not a content identifier of the network")
	// ErrID says that a text or bytes are not an id.
	ErrID = errors.New("not an id")
	// ErrField says that a field of an encoding is outside what appendix A allows.
	ErrField = errors.New("field is not allowed")
	// ErrShares says that the shares given do not reach the threshold.
	ErrShares = errors.New("not enough valid shares of one epoch")
	// ErrShare says that a secret share does not fit its commitments or its public share.
	ErrShare = errors.New("share does not fit")
	// ErrRound says that a round of key making has no result.
	ErrRound = errors.New("round has no result")
)
