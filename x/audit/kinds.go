package audit

import (
	"maps"
	"slices"
)

// Kinds of entries: what happened, as a past-tense word. A refused operation has
// the kind of what was asked for, and the outcome and reason beside it.
const (
	// KindStored says that a version was stored.
	KindStored = "stored"
	// KindReplicated says that a storage node confirmed its copy of an object; the count is the copies held.
	KindReplicated = "replicated"
	// KindCopyLost says that a storage node no longer has its copy; the count is the copies held.
	KindCopyLost = "copy_lost"
	// KindCopyReassigned says that further storage nodes are to keep an object that lost copies, or had too few; the count is how many.
	KindCopyReassigned = "copy_reassigned"
	// KindNodeLost says that a storage node was silent for too long: what it holds is placed elsewhere; the target is its number.
	KindNodeLost = "node_lost"
	// KindNodeReturned says that a lost storage node is back; the target is its number.
	KindNodeReturned = "node_returned"
	// KindProofMissed says that a storage node gave no proof for a copy, which does not count any more; the target is the node's number, the count is the copies held.
	KindProofMissed = "proof_missed"
	// KindProofDisputed says that a storage node disputed another one's proof for a copy that it holds too; the target is the other's number.
	KindProofDisputed = "proof_disputed"
	// KindProofFailed says that most other holders disputed a storage node's proof for a copy, which does not count any more; the target is the node's number, the count is the copies held.
	KindProofFailed = "proof_failed"

	// KindErasureAsked says that an owner asked to erase versions, and that an officer of the custodian is to approve it; the target is the request's number.
	KindErasureAsked = "erasure_asked"
	// KindErased says that versions were erased: from then on they are refused, and to be deleted.
	KindErased = "erased"
	// KindErasureAttested says that a storage node has deleted an erased object; the count is for how many days its backups may still hold it.
	KindErasureAttested = "erasure_attested"

	// KindResealed says that versions got envelopes that are sealed to other vault keys.
	KindResealed = "resealed"
	// KindRelocked says that another lock of versions waits for its confirmation.
	KindRelocked = "relocked"
	// KindRelockConfirmed says that another lock of versions took the place of the one before.
	KindRelockConfirmed = "relock_confirmed"
	// KindRelockExpired says that another lock of a version was not confirmed in time, and was given up.
	KindRelockExpired = "relock_expired"

	// KindProposed says that an unlock was proposed.
	KindProposed = "proposed"
	// KindEndorsed says that an officer endorsed an unlock.
	KindEndorsed = "endorsed"
	// KindApproved says that the owner approved an unlock.
	KindApproved = "approved"
	// KindDenied says that an officer or the owner denied an unlock.
	KindDenied = "denied"
	// KindWithdrawn says that an unlock was withdrawn or closed; where the chain did so because a version was erased, the target is that version, and where a consent was withdrawn, its number.
	KindWithdrawn = "withdrawn"
	// KindExpired says that the time of an unlock ran out.
	KindExpired = "expired"
	// KindShareGiven says that a holder gave its share for an unlock.
	KindShareGiven = "share_given"
	// KindReleased says that the network's half was released for an unlock.
	KindReleased = "released"
	// KindOpened says that a gateway served ciphertext to a reader; the count is the bytes.
	KindOpened = "opened"

	// KindConsentGranted says that a patient consented for a time; the target is the consent's number, as for all of these.
	KindConsentGranted = "consent_granted"
	// KindConsentUsed says that a consent stood in for the approval of an unlock.
	KindConsentUsed = "consent_used"
	// KindConsentWithdrawn says that a patient withdrew a consent.
	KindConsentWithdrawn = "consent_withdrawn"
	// KindConsentEnded says that the time of a consent ran out.
	KindConsentEnded = "consent_ended"

	// KindEmergencyEnabled says that a patient agreed to be opened in emergencies; the target are hospitals needed and seconds of delay, such as "2/600".
	KindEmergencyEnabled = "emergency_enabled"
	// KindEmergencyDisabled says that a patient took that back.
	KindEmergencyDisabled = "emergency_disabled"
	// KindEmergencyRequested says that a clinician asked in an emergency; the target is the code of the reason.
	KindEmergencyRequested = "emergency_requested"
	// KindEmergencyApproved says that an officer of another hospital approved an emergency.
	KindEmergencyApproved = "emergency_approved"
	// KindEmergencyDue says that enough approved and the patient's delay is over; the holders are asked for their shares.
	KindEmergencyDue = "emergency_due"
	// KindEmergencyReviewed says that an officer looked at the use of an emergency; the target is the finding.
	KindEmergencyReviewed = "emergency_reviewed"
	// KindGuardiansSet says that a patient named guardians of the vault as it is.
	KindGuardiansSet = "guardians_set"
	// KindGuardiansEnded says that a vault was written anew, which those who were named before do not guard; the target is its revision.
	KindGuardiansEnded = "guardians_ended"
	// KindRecoveryProposed says that an account asked to take the place of a patient's wallet; the target is the recovery's number, as for all of these.
	KindRecoveryProposed = "recovery_proposed"
	// KindRecoveryApproved says that a guardian or an officer approved a recovery; the count is how many did.
	KindRecoveryApproved = "recovery_approved"
	// KindRecoveryDue says that the delay of a recovery is over, and the holders are asked for their shares.
	KindRecoveryDue = "recovery_due"
	// KindRecoveryReleased says that the network's half was released for a recovery.
	KindRecoveryReleased = "recovery_released"
	// KindRecoveryCancelled says that a recovery was cancelled, by the chain where the vault was written anew meanwhile.
	KindRecoveryCancelled = "recovery_cancelled"
	// KindRecoveryExpired says that the time of a recovery ran out.
	KindRecoveryExpired = "recovery_expired"
	// KindWalletRecovered says that the account of a recovery took the place of the patient's wallet.
	KindWalletRecovered = "wallet_recovered"
	// KindHandOverSet says when a wallet that somebody else has for the patient ends; the target is that time.
	KindHandOverSet = "hand_over_set"
	// KindWalletClosed says that this time has come, and the wallet signs nothing any more; the target is its account.
	KindWalletClosed = "wallet_closed"

	// KindRoundStarted says that an attempt to make a key or to renew its shares began; the target is kind, generation and share epoch, the count the attempt, as for all of these.
	KindRoundStarted = "round_started"
	// KindRoundFailed says that an attempt ended without a result, for a reason; what was in force stays.
	KindRoundFailed = "round_failed"
	// KindRoundKeyPublished says that a hospital gave the key that is to receive its sub-shares.
	KindRoundKeyPublished = "round_key_published"
	// KindDealt says that a hospital dealt sub-shares to the others.
	KindDealt = "dealt"
	// KindDealsChecked says that a hospital could open all that was dealt to it.
	KindDealsChecked = "deals_checked"
	// KindDealsDisputed says that a hospital complained about what was dealt to it.
	KindDealsDisputed = "deals_disputed"
	// KindDealJustified says that a dealer answered complaints with the sub-shares in clear.
	KindDealJustified = "deal_justified"
	// KindDealerExcluded says that a dealer left a complaint without an answer, and counts no more; its number stands behind the share epoch.
	KindDealerExcluded = "dealer_excluded"
	// KindShareConfirmed says that a hospital proved that it holds its share.
	KindShareConfirmed = "share_confirmed"
	// KindKeyMade says that a key which nobody ever knew is in force.
	KindKeyMade = "key_made"
	// KindSharesRenewed says that new shares of a key are in force, and the old ones of no use.
	KindSharesRenewed = "shares_renewed"

	// KindPatientRegistered says that an account became a patient with a number and a vault.
	KindPatientRegistered = "patient_registered"
	// KindVaultRotated says that a patient's vault got another key; the target is its epoch.
	KindVaultRotated = "vault_rotated"
	// KindVaultWritten says that a patient's vault was written anew under the same key; the target is its revision.
	KindVaultWritten = "vault_written"
	// KindWalletChanged says that a patient has another account; the target is that account.
	KindWalletChanged = "wallet_changed"
	// KindInvitationCreated says that somebody was invited to open an account.
	KindInvitationCreated = "invitation_created"
	// KindInvitationRevoked says that an unused invitation was ended.
	KindInvitationRevoked = "invitation_revoked"
	// KindAccountOpened says that an invited person's account was created.
	KindAccountOpened = "account_opened"

	// KindStaffRegistered says that an account was given a role in a hospital.
	KindStaffRegistered = "staff_registered"
	// KindStaffRevoked says that an account lost its role.
	KindStaffRevoked = "staff_revoked"
	// KindStaffUpdated says that the wards of an account changed.
	KindStaffUpdated = "staff_updated"
	// KindStaffVaultPublished says that a clinician made the key of a vault known.
	KindStaffVaultPublished = "staff_vault_published"
	// KindAuditorAppointed says that the members appointed an auditor, or anew.
	KindAuditorAppointed = "auditor_appointed"
	// KindAuditorDismissed says that the members ended the role of an auditor whom they had appointed.
	KindAuditorDismissed = "auditor_dismissed"
	// KindRoleEnded says that the time of an auditor's role was over; the target is the hospital's number, 0 for the members, and the account.
	KindRoleEnded = "role_ended"
	// KindSiteAdded says that a hospital got a further site.
	KindSiteAdded = "site_added"
	// KindSiteUpdated says that a site's name or time zone changed; the target is its number.
	KindSiteUpdated = "site_updated"
	// KindSiteRemoved says that a hospital gave up a site; the target is its number.
	KindSiteRemoved = "site_removed"
	// KindStorageNodeRegistered says that a hospital got a further storage node.
	KindStorageNodeRegistered = "storage_node_registered"
	// KindStorageNodeUpdated says that a storage node's address or capacity changed; the target is its number.
	KindStorageNodeUpdated = "storage_node_updated"
	// KindStorageNodeRetired says that a storage node gets no new objects.
	KindStorageNodeRetired = "storage_node_retired"

	// KindMemberAdmitted says that a hospital became a member.
	KindMemberAdmitted = "member_admitted"
	// KindMemberUpdated says that a member changed its addresses.
	KindMemberUpdated = "member_updated"
	// KindMemberKeysRotated says that a member replaced keys of its own server or its admin's.
	KindMemberKeysRotated = "member_keys_rotated"
	// KindMemberVaultRotated says that a hospital's vault got another key; the target is its epoch.
	KindMemberVaultRotated = "member_vault_rotated"
	// KindEmergencyVaultRotated says that a hospital's emergency vault got its first or another key; the target is its epoch.
	KindEmergencyVaultRotated = "emergency_vault_rotated"
	// KindMemberSuspended says that a member was taken out of the validator set.
	KindMemberSuspended = "member_suspended"
	// KindMemberReinstated says that a suspension ended.
	KindMemberReinstated = "member_reinstated"
	// KindMemberLeaving says that a member asked to leave; the count is the copies on its nodes, which others are to hold.
	KindMemberLeaving = "member_leaving"
	// KindMemberLeft says that a member that asked to leave has left: others hold what it held.
	KindMemberLeft = "member_left"
	// KindMemberRemoved says that a member was removed for good, whatever it held.
	KindMemberRemoved = "member_removed"
	// KindAdminReplaced says that a member's admins were replaced by a new one.
	KindAdminReplaced = "admin_replaced"
	// KindDoubleSignSeen says that evidence of a validator's double signing was met.
	KindDoubleSignSeen = "double_sign_seen"

	// KindLoggedIn says that an account logged in at a gateway; the target is the gateway's hospital, as for all of these, and the count how often it did within a short time.
	KindLoggedIn = "logged_in"
	// KindLoginFailed says that somebody did not get in as an account, for a reason; as an account that nobody knows, where the actor is the gateway's own node.
	KindLoginFailed = "login_failed"
	// KindLoggedOut says that an account ended a session.
	KindLoggedOut = "logged_out"
	// KindSessionEnded says that a session ended that its account did not end: it was not used or too old, or the account's role ended.
	KindSessionEnded = "session_ended"
	// KindWebhookAdded says that an admin had the gateway tell an application what concerns the hospital.
	KindWebhookAdded = "webhook_added"
	// KindWebhookRemoved says that an admin ended that.
	KindWebhookRemoved = "webhook_removed"
	// KindLogRead says that somebody of the staff read the log, or somebody was not let; what was read stands behind the hospital's number, and the count is how many entries were shown.
	KindLogRead = "log_read"

	// KindPepperDeposited says that a patient left the pepper of a wallet's slot with a gateway; the target is the gateway's hospital, as for all of these.
	KindPepperDeposited = "pepper_deposited"
	// KindPepperCollected says that a device of the patient was given the pepper; how it showed that it may have it stands behind the hospital's number.
	KindPepperCollected = "pepper_collected"
	// KindPepperRefused says that an account that owns the vault was not given the pepper, for a reason.
	KindPepperRefused = "pepper_refused"
	// KindPepperAdmitted says that somebody of the staff admitted one collection by a patient whose papers they saw.
	KindPepperAdmitted = "pepper_admitted"
	// KindPepperDeleted says that a patient had the pepper deleted, which closes the slot for whoever does not keep the pepper.
	KindPepperDeleted = "pepper_deleted"

	// KindProposalSubmitted says that the members were asked to decide.
	KindProposalSubmitted = "proposal_submitted"
	// KindProposalVoted says that a hospital cast its vote.
	KindProposalVoted = "proposal_voted"
	// KindProposalWithdrawn says that an open proposal was taken back.
	KindProposalWithdrawn = "proposal_withdrawn"
	// KindProposalExecuted says that an accepted proposal was carried out.
	KindProposalExecuted = "proposal_executed"
	// KindProposalFailed says that an accepted proposal could not be carried out.
	KindProposalFailed = "proposal_failed"
	// KindProposalRejected says that a proposal can't be accepted any more.
	KindProposalRejected = "proposal_rejected"
	// KindParamsChanged says that the members changed the bounds of a module; the target is its name.
	KindParamsChanged = "params_changed"
)

// RoleChain is the role of an entry that no account made: the chain itself acted.
const RoleChain = "chain"

// Kinds lists all kinds by name.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// isKind says whether the text is a kind of entry.
func isKind(text string) bool { return kinds[text] }

var kinds = map[string]bool{
	KindStored: true, KindReplicated: true, KindCopyLost: true, KindCopyReassigned: true, KindNodeLost: true, KindNodeReturned: true,
	KindProofMissed: true, KindProofDisputed: true, KindProofFailed: true,
	KindErasureAsked: true, KindErased: true, KindErasureAttested: true,
	KindResealed: true, KindRelocked: true, KindRelockConfirmed: true, KindRelockExpired: true,
	KindProposed: true, KindEndorsed: true, KindApproved: true, KindDenied: true, KindWithdrawn: true,
	KindExpired: true, KindShareGiven: true, KindReleased: true, KindOpened: true,
	KindRoundStarted: true, KindRoundFailed: true, KindRoundKeyPublished: true, KindDealt: true, KindDealsChecked: true, KindDealsDisputed: true,
	KindDealJustified: true, KindDealerExcluded: true, KindShareConfirmed: true, KindKeyMade: true, KindSharesRenewed: true,
	KindPatientRegistered: true, KindVaultRotated: true, KindVaultWritten: true, KindWalletChanged: true, KindInvitationCreated: true, KindInvitationRevoked: true, KindAccountOpened: true,
	KindConsentGranted: true, KindConsentUsed: true, KindConsentWithdrawn: true, KindConsentEnded: true,
	KindEmergencyEnabled: true, KindEmergencyDisabled: true, KindEmergencyRequested: true, KindEmergencyApproved: true, KindEmergencyDue: true,
	KindEmergencyReviewed: true, KindEmergencyVaultRotated: true,
	KindGuardiansSet: true, KindGuardiansEnded: true, KindRecoveryProposed: true, KindRecoveryApproved: true, KindRecoveryDue: true, KindRecoveryReleased: true,
	KindRecoveryCancelled: true, KindRecoveryExpired: true, KindWalletRecovered: true,
	KindHandOverSet: true, KindWalletClosed: true,
	KindStaffUpdated: true, KindStaffVaultPublished: true,
	KindStaffRegistered: true, KindStaffRevoked: true, KindAuditorAppointed: true, KindAuditorDismissed: true, KindRoleEnded: true,
	KindSiteAdded: true, KindSiteUpdated: true, KindSiteRemoved: true,
	KindStorageNodeRegistered: true, KindStorageNodeRetired: true,
	KindMemberAdmitted: true, KindMemberUpdated: true, KindMemberKeysRotated: true, KindMemberVaultRotated: true, KindMemberSuspended: true, KindMemberReinstated: true,
	KindMemberLeaving: true, KindMemberLeft: true, KindMemberRemoved: true, KindStorageNodeUpdated: true,
	KindAdminReplaced: true, KindDoubleSignSeen: true,
	KindLoggedIn: true, KindLoginFailed: true, KindLoggedOut: true, KindLogRead: true,
	KindPepperDeposited: true, KindPepperCollected: true, KindPepperRefused: true, KindPepperAdmitted: true, KindPepperDeleted: true,
	KindSessionEnded: true, KindWebhookAdded: true, KindWebhookRemoved: true,
	KindProposalSubmitted: true, KindProposalVoted: true, KindProposalWithdrawn: true, KindProposalExecuted: true,
	KindProposalFailed: true, KindProposalRejected: true, KindParamsChanged: true,
}
