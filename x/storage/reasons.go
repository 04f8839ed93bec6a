package storage

// Reasons for which a confirmation, a report, a dispute or a placement is refused. A refusal is written to
// the log; the codes never change their meaning.
const (
	// ReasonWrongRole says that the signer is not the account of a storage node.
	ReasonWrongRole = "wrong_role"
	// ReasonInactive says that the node's member may not act now.
	ReasonInactive = "inactive"
	// ReasonUnknownObject says that the network keeps no such object.
	ReasonUnknownObject = "unknown_object"
	// ReasonNotAssigned says that the node is not to hold the object.
	ReasonNotAssigned = "not_assigned"
	// ReasonNotHeld says that the node does not hold the object, as far as the chain knows.
	ReasonNotHeld = "not_held"
	// ReasonUnknownChallenge says that the epoch is neither the open one nor the one before, or that the node was not asked that.
	ReasonUnknownChallenge = "unknown_challenge"
	// ReasonNoDigest says that the node gave no digest that could be disputed.
	ReasonNoDigest = "no_digest"
	// ReasonOwnProof says that a node disputes what it said itself.
	ReasonOwnProof = "own_proof"
	// ReasonDisputedBefore says that the node has disputed this digest before.
	ReasonDisputedBefore = "disputed_before"
	// ReasonObjectChanged says that what is kept beside the object has changed since the node was asked.
	ReasonObjectChanged = "object_changed"
	// ReasonOverQuota says that the member would bring in more than it may. It is for those who place.
	ReasonOverQuota = "over_quota"
	// ReasonNoRoom says that no storage node has room. It is for those who place.
	ReasonNoRoom = "no_room"
	// ReasonUnknownErasure says that nothing was erased under this number.
	ReasonUnknownErasure = "unknown_erasure"
	// ReasonNotAsked says that the node is not among those that are to attest.
	ReasonNotAsked = "not_asked"
)
