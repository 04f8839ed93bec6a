package records

// Reasons for which versions and erasures are refused. A refusal is written to the log; the
// codes never change their meaning.
const (
	// ReasonWrongRole says that the signer is not a clerk.
	ReasonWrongRole = "wrong_role"
	// ReasonInactive says that the signer or the signer's hospital may not write now.
	ReasonInactive = "inactive"
	// ReasonWrongCustodian says that the custodian is not the signer's hospital.
	ReasonWrongCustodian = "wrong_custodian"
	// ReasonUnknownOwner says that no such patient is registered.
	ReasonUnknownOwner = "unknown_owner"
	// ReasonLockNotAllowed says that the owner signed no policy for a lock by the network alone.
	ReasonLockNotAllowed = "lock_not_allowed"
	// ReasonStaleGeneration says that the version is not locked to the newest generation of the network's key.
	ReasonStaleGeneration = "stale_generation"
	// ReasonVersionOutOfOrder says that the version is not one more than the record has.
	ReasonVersionOutOfOrder = "version_out_of_order"
	// ReasonTooManyVersions says that the record has as many versions as it may.
	ReasonTooManyVersions = "too_many_versions"
	// ReasonOwnerDiffers says that the version names another owner than its record has.
	ReasonOwnerDiffers = "owner_differs"
	// ReasonClassDiffers says that the version names another class than its record has.
	ReasonClassDiffers = "class_differs"
	// ReasonStaleVaultKey says that the envelope is not sealed to the owner's current vault key.
	ReasonStaleVaultKey = "stale_vault_key"
	// ReasonTooLarge says that the version is larger than the network takes.
	ReasonTooLarge = "too_large"
	// ReasonRepeatedPoint says that U was used before.
	ReasonRepeatedPoint = "repeated_point"
	// ReasonRepeatedCID says that the object or the envelope was named before.
	ReasonRepeatedCID = "repeated_cid"
	// ReasonBadProof says that the encapsulation proof does not hold for this version and signer.
	ReasonBadProof = "bad_proof"
	// ReasonUnknownVersion says that a version does not exist.
	ReasonUnknownVersion = "unknown_version"
	// ReasonNotOwner says that the signer does not own the versions.
	ReasonNotOwner = "not_owner"
	// ReasonErased says that a version is erased already.
	ReasonErased = "erased"
	// ReasonAskedAlready says that the erasure of a version waits for an officer of the custodian already.
	ReasonAskedAlready = "asked_already"
	// ReasonNotAsked says that no erasure waits under this number.
	ReasonNotAsked = "not_asked"
	// ReasonWrongHospital says that the signer is not of the custodian hospital.
	ReasonWrongHospital = "wrong_hospital"
	// ReasonSamePerson says that who asked may not approve.
	ReasonSamePerson = "same_person"
	// ReasonLockDiffers says that the version shares leaves with one that has another lock.
	ReasonLockDiffers = "lock_differs"
	// ReasonLockReplaced says that a version has another lock than the message names.
	ReasonLockReplaced = "lock_replaced"
	// ReasonNoRelock says that no such lock waits for its confirmation.
	ReasonNoRelock = "no_relock"
	// ReasonNotCopied says that too few hospitals hold the new envelope yet.
	ReasonNotCopied = "not_copied"
	// ReasonHospitalInactive says that the hospital that took the blocks in may not write now.
	ReasonHospitalInactive = "hospital_inactive"
	// ReasonStaleRevision says that the revision is not one more than the vault has.
	ReasonStaleRevision = "stale_revision"
	// ReasonNotFree says that the account that is to take a wallet's place is no patient's that was invited and is nobody's yet.
	ReasonNotFree = "not_free"
	// ReasonForeignRecipient says that the envelope is sealed to a key that is neither the owner's of today nor that of somebody to whom the owner
	// consented.
	ReasonForeignRecipient = "foreign_recipient"
	// ReasonNotAgreed says that there is an emergency box for a patient who did not agree to any.
	ReasonNotAgreed = "not_agreed"
	// ReasonRefusedByGateway is the reason of a read that a gateway refused.
	ReasonRefusedByGateway = "refused_by_gateway"
)
