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
	// ReasonStaleRevision says that guardians are named for another revision than the vault has.
	ReasonStaleRevision = "stale_revision"
	// ReasonGuardiansNamed says that guardians of this revision of the vault were named already.
	ReasonGuardiansNamed = "guardians_named"
	// ReasonUnknownGuardian says that a guardian is no patient of the network.
	ReasonUnknownGuardian = "unknown_guardian"
	// ReasonDelayTooShort says that the delay is shorter than the network allows.
	ReasonDelayTooShort = "delay_too_short"
	// ReasonNoGuardianKey says that the members have made no key for guardians' slots.
	ReasonNoGuardianKey = "no_guardian_key"
	// ReasonStaleGeneration says that the slot is not of the newest generation of that key.
	ReasonStaleGeneration = "stale_generation"
	// ReasonUnknownPatient says that there is no patient of that number.
	ReasonUnknownPatient = "unknown_patient"
	// ReasonAccountUsed says that the account has proposed a recovery before; each proposes one.
	ReasonAccountUsed = "account_used"
	// ReasonRecoveryOpen says that a recovery of this patient is open.
	ReasonRecoveryOpen = "recovery_open"
	// ReasonWrongWay says that a patient with guardians is recovered by them, and by hospitals one without them, or whose wallet is somebody else's.
	ReasonWrongWay = "wrong_way"
	// ReasonTooLate says that the recovery would end before its delay is over.
	ReasonTooLate = "too_late"
	// ReasonNotGuardian says that the signer is no guardian of the patient.
	ReasonNotGuardian = "not_guardian"
	// ReasonRepeatedApproval says that the guardian, or an officer of the hospital, has approved already.
	ReasonRepeatedApproval = "repeated_approval"
	// ReasonNotApproved says that approvals are missing.
	ReasonNotApproved = "not_approved"
	// ReasonDelayed says that the delay of the recovery is not over.
	ReasonDelayed = "delayed"
	// ReasonNotReleased says that the holders' shares are missing.
	ReasonNotReleased = "not_released"
	// ReasonFinished says that the recovery was finished.
	ReasonFinished = "finished"
	// ReasonCancelled says that the recovery was cancelled.
	ReasonCancelled = "cancelled"
	// ReasonPatientDiffers says that the approval shows another patient.
	ReasonPatientDiffers = "patient_differs"
	// ReasonAccountDiffers says that the approval shows another account.
	ReasonAccountDiffers = "account_differs"
	// ReasonTooEarly says that the time is over.
	ReasonTooEarly = "too_early"
	// ReasonLaterHandOver says that a hand-over can be set earlier, and not later.
	ReasonLaterHandOver = "later_hand_over"
	// ReasonRepresentative says that who represents the patient can't keep the patient from taking the account back.
	ReasonRepresentative = "representative"
	// ReasonUnlockDiffers says that the approval shows the hash of another proposal.
	ReasonUnlockDiffers = "unlock_differs"

	// ReasonHospitalDiffers says that the approval shows another hospital than the requester's.
	ReasonHospitalDiffers = "hospital_differs"
	// ReasonPurposeDiffers says that the approval shows another purpose.
	ReasonPurposeDiffers = "purpose_differs"
	// ReasonRecordsDiffer says that the approval shows other versions or another order.
	ReasonRecordsDiffer = "records_differ"
	// ReasonUntilDiffers says that the approval shows another expiry, or another end of acting for the patient.
	ReasonUntilDiffers = "until_differs"
)
