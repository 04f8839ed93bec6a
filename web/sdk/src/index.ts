/**
 * The TypeScript SDK of phrd: what a patient's, a clinician's or a clerk's program does with records, through the gateway
 * of any member hospital. Its files follow the story:
 *
 * - parseInvitation, openAccount: a person gets an account (invitation.ts)
 * - preparePatient, registerPatient: the patient gets a number, a vault and a recovery code (vault/prepare.ts)
 * - invite: a clerk lets a person in (hospital/invite.ts)
 * - store: a clerk seals a file, uploads it and registers it (records/store.ts); begin, carryOn: also across the end of the program (records/begun.ts)
 * - propose: a clinician asks for versions (unlock/propose.ts)
 * - review, approve: the patient checks it at two hospitals and approves it (unlock/review.ts, unlock/approve.ts)
 * - endorse: an officer of the hospital that keeps the record supports it (unlock/endorse.ts)
 * - openUnlock: the clinician joins both halves of the key and reads (unlock/open.ts)
 * - unlockOwn: the patient reads (unlock/own.ts)
 * - log: who did what (records/log.ts)
 * - relock: other keys, after a theft or for a consent that has ended (records/relock.ts)
 * - erase: versions go for good, and hospitals attest it (records/erase.ts)
 * - archiveOwn: all of one's own records in an archive (archive/own.ts)
 * - exportLog: an auditor's proof of it for somebody who trusts no hospital (audit/export.ts)
 * - notices: what happens, as it happens (notices.ts)
 * - reviewGrant, grantConsent: who may ask without asking each time (consents/)
 * - publishVault, consentFor, useConsent: a clinician uses what a patient consented to (vault/staff.ts, consents/use.ts)
 * - agree, sealEmergency: what holds when the patient can't answer (emergency/agree.ts)
 * - requestEmergency, approveEmergency, reviewEmergency: what clinicians and officers do then (emergency/)
 * - erase, approveErasure, certificate: versions that are to be no more (records/erase.ts)
 * - prepareVault, writeVault: another key, another wallet, guardians (vault/write.ts)
 * - depositPepper, collectPepper, admitPepper: another device for the wallet; preparePasskey: a passkey that opens the vault (vault/)
 * - proposeRecovery, reviewRecovery, approveRecovery, approveRecoveryForHospital, finishRecovery: a wallet that is lost (recovery/)
 * - staff, members, proposals, health: a hospital and its network (hospital/)
 *
 * A gateway is a door, not a judge: what it hands out is checked here. Plaintext and keys never leave the program.
 */
export { type Archived, archiveOwn, type Archiving } from './archive/own.js'
export { type Claim, exportLog } from './audit/export.js'
export { auditReport, type AuditReport, auditReportFile, type Finding } from './audit/report.js'
export { Client, type Config } from './client.js'
export { type Chunks, onThisThread } from './content/chunks.js'
export type { OpenedFile } from './content/file.js'
export type { Content, Draft } from './content/seal.js'
export { browserLanes, type Lane, WorkerChunks } from './content/workers.js'
export { classWord, consentAt, consents, covers, grantedConsents, type SeenConsent } from './consents/list.js'
export { type Grant, grantConsent, type GrantReview, longestConsent, reviewGrant, withdrawConsent } from './consents/grant.js'
export { consentsUnsealed, relocksDue, sealConsented } from './consents/seal.js'
export { consentFor, useConsent } from './consents/use.js'
export { agree, type Agreed, agreed, type Agreement, boxesDue, disagree, sealEmergency, type Unseen } from './emergency/agree.js'
export { approveEmergency, endEmergency, reviewEmergency } from './emergency/decide.js'
export { emergencies, emergencyAt, type EmergencyFilter } from './emergency/list.js'
export { emergencyPurposes, emergencyReasons, type EmergencyRequest, longestEmergency, requestEmergency } from './emergency/request.js'
export { isKind, type Kind, PhrdError, Refused } from './errors.js'
export { type Door, type Fetch, platformTransport, type Transport } from './gateway/door.js'
export type { Principal } from './gateway/gateway.js'
export { Problem } from './gateway/problem.js'
export type { Connection } from './gateway/query.js'
export { guarded, guardiansOf, leastDelay } from './guardians/list.js'
export { type GuardianWish, setGuardians } from './guardians/name.js'
export { checkGuardian } from './guardians/share.js'
export { readinessOf, type Readiness, storeHealth } from './hospital/health.js'
export { invite, type Invited } from './hospital/invite.js'
export { memberDoors, members } from './hospital/members.js'
export { allServedPages, servedPages, type ServedPages } from './hospital/pages.js'
export { type Decision, newestProposals, type Proposal, type Vote, vote, votesOn } from './hospital/proposals.js'
export { registerStaff, revokeStaff, staff, staffRoles } from './hospital/staff.js'
export { hasAccount, type Invitation, invitationText, joinConfig, openAccount, parseInvitation } from './invitation.js'
export { cosmJSConverters, cosmJSTypes } from './message/cosmjs.js'
export type { SignDocument } from './message/document.js'
export { type Notice, type NoticeOptions, notices } from './notices.js'
export { collect } from './pages.js'
export { begin, type Begun, begunFiles, carryOn, giveUp, type NewFile } from './records/begun.js'
export { copies, type Copies, type CopyCount, copyCount, type Places, places } from './records/copies.js'
export { approveErasure, certificate, erase, erasureRequests, mostErased } from './records/erase.js'
export { askForAll, dueRelocks, forgetAll, type RelocksDue, wanted } from './records/due.js'
export { records, recordsKept, versions } from './records/list.js'
export { log, type LogFilter } from './records/log.js'
export type { Previous } from './records/previous.js'
export { parseRef, type Ref, refText } from './records/ref.js'
export { relock, type Relocking } from './records/relock.js'
export { reseal, type ResealOptions } from './records/reseal.js'
export { ownSealings, type Sealing, sealingsOf } from './records/sealings.js'
export { type NewVersion, type Stage, store, type Stored, type Storing } from './records/store.js'
export type { Place } from './records/terms.js'
export { approveRecovery, approveRecoveryForHospital } from './recovery/approve.js'
export { finishRecovery, prepareEmpty, prepareRecovered, type ReadyVault, readyVault } from './recovery/finish.js'
export { handOverOf, monthStart, setHandOver } from './recovery/handover.js'
export { cancelRecovery, isOpenRecovery, recoveries, type RecoveryFilter, recoveryAt, type SeenRecovery } from './recovery/list.js'
export { proposeRecovery } from './recovery/propose.js'
export { type RecoveryReview, reviewRecovery } from './recovery/review.js'
export { MemorySecrets, type Secrets } from './secrets.js'
export { gasBase, gasFor, type Mode, type Receipt } from './send.js'
export { approve, approveForHospital, deny, unfinished, withdraw } from './unlock/approve.js'
export { endorse } from './unlock/endorse.js'
export { unlocks, type UnlockFilter } from './unlock/inbox.js'
export { openAll, type OpenOptions, openUnlock } from './unlock/open.js'
export { closeOwn, ownUnlock, unlockOwn } from './unlock/own.js'
export { holdsSession } from './unlock/session.js'
export { longestLifetime, propose, type Request } from './unlock/propose.js'
export { type Check, type CheckName, ownReading, type Review, review } from './unlock/review.js'
export type { VaultFile, VaultGuardians, VaultSlot } from './vault/file.js'
export { openVault, openVaultByCode, openVaultByPasskey, openVaultByWallet, type Vault } from './vault/open.js'
export { fetchVault } from './vault/fetch.js'
export { preparePasskey } from './vault/passkey.js'
export { type Admission, admitPepper, collectPepper, collectPepperByPasskey, collectPepperInPerson, deletePepper, depositPepper, hasPepper, type KeptPepper, keptPepper, passkeyQuestion, withCode } from './vault/pepper.js'
export { publishVault, rotateVault, type StaffVault, staffVault } from './vault/staff.js'
export { defaultSite, type PreparedVault, preparePatient, registerPatient } from './vault/prepare.js'
export { type NextVault, prepareVault, type VaultChange, writeVault } from './vault/write.js'
export { addressOf } from './wallet/address.js'
export { answered, type Keplr, keplrSigner } from './wallet/keplr.js'
export { LocalSigner, newWords } from './wallet/local.js'
export type { Signer } from './wallet/signer.js'
export { Refusal } from '#custody/refusal.js'
