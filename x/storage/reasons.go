package storage

// Reasons for which a confirmation or a report is refused. A refusal is written to
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
)
