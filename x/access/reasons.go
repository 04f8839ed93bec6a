package access

// Reasons for which a signature is refused. A refusal is written to the log; the
// codes never change their meaning.
const (
	// ReasonWrongRole says that the signer's role may not do this.
	ReasonWrongRole = "wrong_role"
	// ReasonInactive says that the signer or the signer's hospital may not write now.
	ReasonInactive = "inactive"
	// ReasonUnknownVersion says that a version does not exist.
	ReasonUnknownVersion = "unknown_version"
	// ReasonErased says that a version was erased.
	ReasonErased = "erased"
	// ReasonRelocked says that a version got another lock since the unlock was proposed.
	ReasonRelocked = "relocked"
	// ReasonNotOwner says that the signer does not own the versions.
	ReasonNotOwner = "not_owner"
	// ReasonNotParty says that the signer is neither requester, owner nor an officer of the custodian.
	ReasonNotParty = "not_party"
	// ReasonWrongHospital says that the signer is not of the custodian hospital.
	ReasonWrongHospital = "wrong_hospital"
	// ReasonLockNotAllowed says that a version's lock is not allowed by a policy of its owner.
	ReasonLockNotAllowed = "lock_not_allowed"
	// ReasonLifetimeTooLong says that the expiry is later than the network allows.
	ReasonLifetimeTooLong = "lifetime_too_long"
	// ReasonRepeatedPoint says that B was used before.
	ReasonRepeatedPoint = "repeated_point"
	// ReasonRepeatedRequestKey says that the one-time key was used before.
	ReasonRepeatedRequestKey = "repeated_request_key"
	// ReasonTooManyOpen says that the requester has as many open unlocks of this owner as allowed.
	ReasonTooManyOpen = "too_many_open"
	// ReasonBadProof says that the proof does not hold for this proposal.
	ReasonBadProof = "bad_proof"
	// ReasonSamePerson says that requester, endorsers and approver are not distinct.
	ReasonSamePerson = "same_person"
	// ReasonRepeatedEndorsement says that the officer has endorsed already.
	ReasonRepeatedEndorsement = "repeated_endorsement"
	// ReasonRequesterInactive says that the requester is not active staff of that hospital any more.
	ReasonRequesterInactive = "requester_inactive"
	// ReasonCapsuleMissing says that the approval carries no owner's halves.
	ReasonCapsuleMissing = "capsule_missing"

	// ReasonNotEndorsed says that endorsements are missing.
	ReasonNotEndorsed = "not_endorsed"
	// ReasonAlreadyEndorsed says that no further endorsement is needed.
	ReasonAlreadyEndorsed = "already_endorsed"
	// ReasonAlreadyApproved says that the owner has approved already.
	ReasonAlreadyApproved = "already_approved"
	// ReasonDenied says that the unlock was denied.
	ReasonDenied = "denied"
	// ReasonWithdrawn says that the unlock was withdrawn or closed.
	ReasonWithdrawn = "withdrawn"
	// ReasonExpired says that the time ran out.
	ReasonExpired = "expired"

	// ReasonNoSuchClinician says that a consent names no active clinician of the hospital.
	ReasonNoSuchClinician = "no_such_clinician"
	// ReasonNoVault says that the clinician whom a consent names, or the hospital that is to approve an emergency, has no vault to seal to.
	ReasonNoVault = "no_vault"
	// ReasonUnknownRecord says that a consent names a record that does not exist or is another owner's.
	ReasonUnknownRecord = "unknown_record"
	// ReasonTooManyConsents says that the patient has as many live consents as can be.
	ReasonTooManyConsents = "too_many_consents"
	// ReasonNotRequester says that the signer did not propose the unlock.
	ReasonNotRequester = "not_requester"
	// ReasonConsentWithdrawn says that the patient has withdrawn the consent.
	ReasonConsentWithdrawn = "consent_withdrawn"
	// ReasonConsentEnded says that the consent's time ran out.
	ReasonConsentEnded = "consent_ended"
	// ReasonNotGranted says that the consent was granted to others.
	ReasonNotGranted = "not_granted"
	// ReasonOtherPurpose says that the consent is for another purpose.
	ReasonOtherPurpose = "other_purpose"
	// ReasonNotCovered says that the consent does not cover a version that the unlock names.
	ReasonNotCovered = "not_covered"
	// ReasonOutlivesConsent says that the unlock would end later than the consent.
	ReasonOutlivesConsent = "outlives_consent"
	// ReasonConsentUsedUp says that the consent has stood in as often as it may on this day.
	ReasonConsentUsedUp = "consent_used_up"

	// ReasonNotAgreed says that no agreement of the patient to emergencies is in force.
	ReasonNotAgreed = "not_agreed"
	// ReasonTooFewVaults says that fewer hospitals of those that may approve have an emergency vault than it takes.
	ReasonTooFewVaults = "too_few_vaults"
	// ReasonNoBox says that a version has no emergency box, or one under another key than the others.
	ReasonNoBox = "no_box"
	// ReasonEmergency says that it is part of an emergency, which is approved otherwise.
	ReasonEmergency = "emergency"
	// ReasonUnreviewed says that a former emergency of the requester has not ended, or was not reviewed.
	ReasonUnreviewed = "unreviewed"
	// ReasonNotEnded says that the emergency has not ended.
	ReasonNotEnded = "not_ended"
	// ReasonNotUsed says that nothing was released in the emergency.
	ReasonNotUsed = "not_used"
	// ReasonReviewed says that the emergency was reviewed already.
	ReasonReviewed = "reviewed"

	// ReasonHospitalDiffers says that the approval shows another hospital than the requester's.
	ReasonHospitalDiffers = "hospital_differs"
	// ReasonPurposeDiffers says that the approval shows another purpose.
	ReasonPurposeDiffers = "purpose_differs"
	// ReasonRecordsDiffer says that the approval shows other versions or another order.
	ReasonRecordsDiffer = "records_differ"
	// ReasonUntilDiffers says that the approval shows another expiry.
	ReasonUntilDiffers = "until_differs"
)
