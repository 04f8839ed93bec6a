import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import type { EmergencyTerms } from '../generated/phrd/access/v1/emergency_pb.js'
import { Query as Access } from '../generated/phrd/access/v1/query_pb.js'
import {
  MsgDisableEmergencyResponseSchema, MsgDisableEmergencySchema, MsgEnableEmergencyResponseSchema, MsgEnableEmergencySchema,
} from '../generated/phrd/access/v1/tx_pb.js'
import { type Key, KeyKind } from '../generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../generated/phrd/custody/v1/query_pb.js'
import { boxTerms } from '../records/box.js'
import type { Ref } from '../records/ref.js'
import { reseal, type ResealOptions } from '../records/reseal.js'
import { sealingsOf } from '../records/sealings.js'
import { gasBase, gasFor, type Receipt } from '../send.js'
import type { Vault } from '../vault/open.js'

const [fewestApprovals, mostApprovals] = [2, 8]
const [shortestDelay, longestDelay] = [10, 86_400]
// How many unlocks the end of an agreement ends at once.
const mostEnded = 64

/** Agreement is how a patient agrees to be opened when the patient can't answer. */
export interface Agreement {
  /** How many hospitals other than the one that asks must approve, 2 to 8. */
  readonly approvals: number
  /** Seconds between the last approval and the release, 10 to 86400, in which the patient can stop it. */
  readonly delay: number
}

/** Unseen says who together could open without any entry in the log what a patient agreed to: so many hospitals that break the rules together, one of them with an emergency vault. */
export interface Unseen {
  /** How many hospitals' shares of the emergency key and of the records key it takes. */
  readonly emergency: bigint
  readonly records: bigint
  /** The hospitals whose emergency vaults open the inner layer, by number. */
  readonly vaults: readonly bigint[]
}

/** Agreed is what a patient agreed to, and what it means. */
export interface Agreed {
  /** The terms in force, or the last that were; undefined where the patient never agreed. */
  readonly terms: EmergencyTerms | undefined
  readonly inForce: boolean
  /** Undefined where no terms are in force, and as long as the hospitals have no emergency key: then nothing is sealed, and nothing opens. */
  readonly unseen: Unseen | undefined
  /** How many hospitals would have to break the rules together, were the patient to agree now; undefined as long as the hospitals have no emergency key. */
  readonly wouldTake: bigint | undefined
}

/** agreed reads what a patient agreed to. */
export async function agreed(client: Client, patient: string): Promise<Agreed> {
  const { terms, vaults } = await client.gateways.query(Access.method.emergencyTerms, { patient })
  const [emergency, records] = [await newestKey(client, KeyKind.EMERGENCY), await newestKey(client, KeyKind.RECORDS)]
  const inForce = terms !== undefined && terms.enabledAt !== 0n && terms.disabledAt === 0n
  if (emergency === undefined || records === undefined) return { terms, inForce, unseen: undefined, wouldTake: undefined }
  const unseen = { emergency: emergency.threshold, records: records.threshold, vaults: vaults.map((v) => v.hospital) }
  const wouldTake = emergency.threshold > records.threshold ? emergency.threshold : records.threshold
  return { terms, inForce, unseen: vaults.length === 0 ? undefined : unseen, wouldTake }
}

async function newestKey(client: Client, kind: KeyKind): Promise<Key | undefined> {
  try {
    return (await client.gateways.query(Custody.method.key, { kind, generation: 0n })).key
  } catch (cause) {
    if (isKind(cause, 'not found')) return undefined
    throw cause
  }
}

/** agree agrees, in place of what was agreed before, that clinicians may open the patient's records in an emergency. Versions that are there already get their boxes by sealEmergency. */
export async function agree(client: Client, a: Agreement): Promise<Receipt> {
  const isBetween = (n: number, least: number, most: number) => Number.isInteger(n) && n >= least && n <= most
  if (!isBetween(a.approvals, fewestApprovals, mostApprovals)) throw new PhrdError('emergency', `approvals are ${fewestApprovals} to ${mostApprovals}`)
  if (!isBetween(a.delay, shortestDelay, longestDelay)) throw new PhrdError('emergency', `the delay is ${shortestDelay} to ${longestDelay} seconds`)
  const message = { owner: client.signer.address, approvals: a.approvals, delay: BigInt(a.delay) }
  return (await client.send('amino', gasBase, MsgEnableEmergencySchema, message, MsgEnableEmergencyResponseSchema)).receipt
}

/** disagree takes the agreement back. From the next block on the network refuses; the boxes go with sealEmergency, and only then can nobody open them any more. */
export async function disagree(client: Client): Promise<Receipt> {
  const message = { owner: client.signer.address }
  return (await client.send('amino', gasFor(mostEnded), MsgDisableEmergencySchema, message, MsgDisableEmergencyResponseSchema)).receipt
}

/** sealEmergency gives versions that are there already the emergency boxes that the patient agreed to, under the newest emergency key, and takes out those that the patient agrees to no more. It gives how many it sealed anew, and leaves the others as they are, so that it can be called again at any time. */
export async function sealEmergency(client: Client, vault: Vault, options: Pick<ResealOptions, 'tell'> = {}): Promise<number> {
  const due = await boxesDue(client, vault)
  await reseal(client, vault, due, { ...options, boxes: true })
  return due.length
}

/** boxesDue lists the versions that the vault opens and whose emergency boxes are not as the patient agreed: without the one that they should have, or with one that they should not. */
export async function boxesDue(client: Client, vault: Vault): Promise<Ref[]> {
  const patient = await client.patient()
  const wanted = (await boxTerms(client, patient))?.generation.key.generation ?? 0n
  return (await sealingsOf(client, vault)).filter((s) => s.boxGeneration !== wanted).map((s) => s.ref)
}
