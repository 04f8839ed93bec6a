import { cidText } from '#custody/cid.js'
import { idText } from '#custody/id.js'
import { encodePoint } from '#custody/point.js'
import { proveRequest } from '#custody/request.js'
import type { Client } from '../client.js'
import { PhrdError, Refused } from '../errors.js'
import { MsgRequestEmergencyResponseSchema, MsgRequestEmergencySchema } from '../generated/phrd/access/v1/tx_pb.js'
import type { Ref } from '../records/ref.js'
import { gasFor } from '../send.js'
import { boxGeneration, boxLock } from '../unlock/box.js'
import { type DraftUnlock, draftUnlock, keepDraft } from '../unlock/draft.js'
import { locksFor } from '../unlock/propose.js'
import { forgetSession } from '../unlock/session.js'

/** emergencyReasons are the codes of why a patient can't answer. */
export const emergencyReasons = ['unconscious', 'incapacitated', 'life_threat', 'unreachable'] as const
/** emergencyPurposes are the HL7 v3 ActReason codes of an emergency. */
export const emergencyPurposes = ['ETREAT', 'BTG'] as const
/** longestEmergency is how long an emergency lives at most, in seconds. */
export const longestEmergency = 48n * 3600n

/** EmergencyRequest asks in an emergency. */
export interface EmergencyRequest {
  /** Versions of one patient in one custody, 1 to 64. */
  readonly versions: readonly Ref[]
  readonly purpose: (typeof emergencyPurposes)[number]
  readonly reason: (typeof emergencyReasons)[number]
  /** Seconds until it ends by itself, at most longestEmergency. */
  readonly lifetime: bigint
}

/** requestEmergency asks to open versions of a patient who can't answer, and gives the emergency's id. It draws two sessions, one for each of the network's keys, and keeps their seeds in Secrets. The account is a clinician's. The error is of kind 'no box' where a version is not sealed for emergencies, or a Refused. */
export async function requestEmergency(client: Client, request: EmergencyRequest): Promise<string> {
  const versions = await locksFor(client, request.versions)
  const generation = await boxGeneration(client.gateways, client.network, versions)
  const of = { purpose: request.purpose, expiry: (await client.blockTime()) + request.lifetime }
  const locks = await draftUnlock(client, of, versions)
  const boxes = await draftUnlock(client, of, versions.map((v) => boxLock(generation, v)))
  for (const draft of [locks, boxes]) await keepDraft(client, draft)
  try {
    const { answer } = await client.send('direct', 2n * gasFor(versions.length), MsgRequestEmergencySchema, messageOf(client, request.reason, locks, boxes), MsgRequestEmergencyResponseSchema)
    if (answer.emergency !== locks.id || answer.boxUnlock !== boxes.id) throw new PhrdError('proposal', `the chain calls the emergency ${answer.emergency}, not ${locks.id}`)
  } catch (cause) {
    if (cause instanceof Refused) for (const { id } of [locks, boxes]) await forgetSession(client.secrets, id)
    throw cause
  }
  return locks.id
}

function messageOf(client: Client, reason: string, { proposal: l, session }: DraftUnlock, { proposal: b, session: inner }: DraftUnlock) {
  return {
    requester: client.signer.address, purpose: l.purpose, reason, expiresAt: l.expiry, records: l.versions.map((v) => idText(v.record)), versions: l.versions.map((v) => v.version),
    requestKey: cidText(session.keyCID), b: encodePoint(l.B), proof: proveRequest(l, session.b), m: l.versions.map((v) => encodePoint(v.M)),
    boxRequestKey: cidText(inner.keyCID), boxB: encodePoint(b.B), boxProof: proveRequest(b, inner.b), boxM: b.versions.map((v) => encodePoint(v.M)),
  }
}
