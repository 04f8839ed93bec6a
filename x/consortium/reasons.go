package consortium

// Reasons for which a vote or the opening of an account is refused, or a proposal
// failed. They are written to the log; the codes never change their meaning.
const (
	// ReasonWrongRole says that the signer's role does not allow it.
	ReasonWrongRole = "wrong_role"
	// ReasonInactive says that the signer or the signer's hospital may not write now.
	ReasonInactive = "inactive"
	// ReasonClosed says that the proposal takes no votes any more.
	ReasonClosed = "closed"
	// ReasonAlreadyVoted says that the hospital has cast its vote.
	ReasonAlreadyVoted = "already_voted"
	// ReasonUnknownInvitation says that there is no such invitation.
	ReasonUnknownInvitation = "unknown_invitation"
	// ReasonInvitationUsed says that an account was opened with the invitation.
	ReasonInvitationUsed = "invitation_used"
	// ReasonInvitationRevoked says that the invitation was revoked.
	ReasonInvitationRevoked = "invitation_revoked"
	// ReasonInvitationExpired says that the invitation's time ran out.
	ReasonInvitationExpired = "invitation_expired"
	// ReasonInviterInactive says that the hospital that invited may not write now.
	ReasonInviterInactive = "inviter_inactive"
	// ReasonBadSignature says that the invitation's key did not sign for this address.
	ReasonBadSignature = "bad_signature"
	// ReasonKnownAccount says that the address has a role already.
	ReasonKnownAccount = "known_account"
	// ReasonLastValidator says that the last active member is never suspended.
	ReasonLastValidator = "last_validator"
	// ReasonOutOfGas says that carrying a proposal out took more than a proposal has.
	ReasonOutOfGas = "out_of_gas"
	// ReasonPanic says that a handler broke off while a proposal was carried out.
	ReasonPanic = "panic"
	// ReasonNoHandler says that nothing carries out a message of a proposal.
	ReasonNoHandler = "no_handler"
)
