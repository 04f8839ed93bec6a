import { equal, u64 } from '#custody/encoding.js'
import type { Envelope } from '#custody/envelope.js'
import { recipientKind } from '#custody/kinds.js'
import type { Client } from '../client.js'
import { PhrdError, Refused } from '../errors.js'
import { type Consent, ConsentStatus } from '../generated/phrd/access/v1/consent_pb.js'
import { MsgUseConsentResponseSchema, MsgUseConsentSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { type Unlock, UnlockStatus } from '../generated/phrd/access/v1/unlock_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import type { Record } from '../generated/phrd/records/v1/record_pb.js'
import { gasFor, type Receipt } from '../send.js'
import { checkUnlock, unlockAt, unlockReason } from '../unlock/checked.js'
import { openEnvelope } from '../unlock/locked.js'
import { staffHolder } from '../vault/staff.js'
import { covers, grantedConsents } from './list.js'

/** useConsent approves an endorsed unlock of one's own by a consent, from the next block on. The error is a Refused with the reason why it does not. */
export async function useConsent(client: Client, unlock: string, consent: bigint): Promise<Receipt> {
  const { unlock: of } = await unlockAt(client.gateways, unlock)
  const message = { requester: client.signer.address, unlock, consent }
  return (await client.send('amino', gasFor(of.versions.length), MsgUseConsentSchema, message, MsgUseConsentResponseSchema)).receipt
}

/** useCovering approves an unlock that waits for its owner alone by a consent that covers it, and leaves any other as it is. The error is of kind 'not approved' where the chain refuses the consent. */
export async function useCovering(client: Client, id: string): Promise<void> {
  const consent = await consentFor(client, id)
  if (consent === undefined) return
  try {
    await useConsent(client, id, consent.number)
  } catch (cause) {
    if (cause instanceof Refused) throw new PhrdError('not approved', `consent ${consent.number} does not stand in for the owner: ${cause.reason}`, cause)
    throw cause
  }
}

/** consentFor is a live consent that covers an unlock of one's own that waits for its patient alone, and for which all its versions are sealed; undefined where there is none. */
export async function consentFor(client: Client, id: string): Promise<Consent | undefined> {
  const { unlock, status } = await unlockAt(client.gateways, id)
  const isWaiting = status === UnlockStatus.ENDORSED && unlock.requester === client.signer.address && unlock.hospital !== 0n && unlock.patient !== ''
  if (!isWaiting) return undefined
  const live = await fitting(client, unlock)
  if (live.length === 0) return undefined
  const u = await checkUnlock(client.gateways, client.network, id)
  const envelopes: Envelope[] = []
  for (const v of u.versions) envelopes.push(openEnvelope(v, await client.gateways.smallBlock(v.envelope, unlockReason(id))))
  for (const consent of live) if (await isSealedFor(client, envelopes, consent)) return consent
  return undefined
}

// Consents to the clinician that cover all records of an unlock, its purpose and its time.
async function fitting(client: Client, unlock: Unlock): Promise<Consent[]> {
  const live = (await grantedConsents(client, ConsentStatus.LIVE)).map(({ consent }) => consent)
    .filter((c) => c.patient === unlock.patient && c.purpose === unlock.purpose && c.until >= unlock.expiresAt)
  if (live.length === 0) return []
  const records: Record[] = []
  for (const id of new Set(unlock.versions.map((v) => v.record))) {
    const { record } = await client.gateways.query(Records.method.record, { id })
    if (record === undefined) throw new PhrdError('answer', `no record ${id} is shown`)
    records.push(record)
  }
  return live.filter((consent) => records.every((record) => covers(consent, record)))
}

// Of a clinician's own vault this device must have the key; the hospital's server has all of the hospital's.
async function isSealedFor(client: Client, envelopes: readonly Envelope[], consent: Consent): Promise<boolean> {
  const staff = staffHolder(client)
  const isHospitals = consent.staff === ''
  const to = isHospitals ? { kind: BigInt(recipientKind.hospital), id: u64(consent.hospital) } : staff
  for (const { own } of envelopes) {
    const theirs = own.filter((half) => half.kind === to.kind && equal(half.id, to.id))
    const open = isHospitals ? theirs : (await Promise.all(theirs.map((half) => staff.seed(half.epoch)))).filter((seed) => seed !== undefined)
    if (open.length === 0) return false
  }
  return true
}
