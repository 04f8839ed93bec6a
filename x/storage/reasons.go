package storage

// Reasons for which a confirmation, a report or a placement is refused. A refusal is written to
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
	// ReasonNotHeld says that the node never said that it holds the object.
	ReasonNotHeld = "not_held"
	// ReasonOverQuota says that the member would bring in more than it may. It is for those who place.
	ReasonOverQuota = "over_quota"
	// ReasonNoRoom says that no storage node has room. It is for those who place.
	ReasonNoRoom = "no_room"
)
