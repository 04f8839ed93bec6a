package custody

// Reasons for which a share, or a message of a round, is refused. A refusal is written to the log; the codes
// never change their meaning.
const (
	// ReasonWrongRole says that the signer is not the node account of a member.
	ReasonWrongRole = "wrong_role"
	// ReasonInactive says that the signer's member may not give shares now.
	ReasonInactive = "inactive"
	// ReasonUnknownUnlock says that no release was requested for this unlock.
	ReasonUnknownUnlock = "unknown_unlock"
	// ReasonForeignHolder says that the share carries the index of another member.
	ReasonForeignHolder = "foreign_holder"
	// ReasonStaleEpoch says that the share is not of the epoch that is in force.
	ReasonStaleEpoch = "stale_epoch"
	// ReasonNotHolder says that the signer holds no confirmed share in this epoch.
	ReasonNotHolder = "not_holder"
	// ReasonRepeatedShare says that the holder gave its share of this epoch before.
	ReasonRepeatedShare = "repeated_share"
	// ReasonTooEarly says that the share came in the very block of the request.
	ReasonTooEarly = "too_early"
	// ReasonWrongCount says that the share does not cover the points of the release.
	ReasonWrongCount = "wrong_count"
	// ReasonBadProof says that the proof does not hold, or that a point is none. It counts against the holder.
	ReasonBadProof = "bad_proof"
	// ReasonReleaseClosed says that the share is right but came after the release was closed. It is kept, for
	// whoever saw it may combine it, and the unlock is marked.
	ReasonReleaseClosed = "release_closed"

	// ReasonWrongRound says that the message names no round of that key that runs.
	ReasonWrongRound = "wrong_round"
	// ReasonWrongPhase says that the round waits for something else.
	ReasonWrongPhase = "wrong_phase"
	// ReasonNotParty says that the signer is no dealer, receiver or holder of the round, whichever the message takes.
	ReasonNotParty = "not_party"
	// ReasonRepeated says that the signer gave the same before.
	ReasonRepeated = "repeated"
	// ReasonBadDeal says that commitments are no points, too few or too many, or of another secret than the dealer's share, or that a
	// receiver is none.
	ReasonBadDeal = "bad_deal"
	// ReasonBadAnswer says that nobody complained, or that the sub-share does not fit the commitments.
	ReasonBadAnswer = "bad_answer"

	// ReasonFewDeals says that too few deals stood for the attempt to give a key.
	ReasonFewDeals = "few_deals"
	// ReasonFewHolders says that too few receivers were left to open anything, or proved possession in time.
	ReasonFewHolders = "few_holders"
	// ReasonNoResult says that the deals sum to a key or a share that is none.
	ReasonNoResult = "no_result"

	// ReasonTooSoon says that the shares are too new to be renewed for one member alone.
	ReasonTooSoon = "too_soon"
)
