import { equals } from '@bufbuild/protobuf'
import { type Bytes, equal } from '#custody/encoding.js'
import type { Envelope } from '#custody/envelope.js'
import * as hybrid from '#custody/hybrid.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { type Gateway, largestSmallBlock } from '../gateway/gateway.js'
import { elsewhere } from '../gateway/gateways.js'
import type { Connection } from '../gateway/query.js'
import { UnlockSchema, UnlockStatus } from '../generated/phrd/access/v1/unlock_pb.js'
import { type Member, MemberSchema, type Principal, PrincipalSchema, Role } from '../generated/phrd/consortium/v1/member_pb.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'
import { KeySchema } from '../generated/phrd/custody/v1/key_pb.js'
import { VersionSchema } from '../generated/phrd/records/v1/record_pb.js'
import { arrived } from '../poll.js'
import { type Ref, refText } from '../records/ref.js'
import { type CheckedUnlock, checkUnlock, unlockAt, unlockReason, versionBlockPath } from './checked.js'
import { openEnvelope } from './locked.js'
import { longestLifetime } from './propose.js'
import { chooseWitnesses, meet } from './witnesses.js'

/** ownReading stands in an approval in place of a hospital's name where the patient asks. */
export const ownReading = 'own reading'
// Opens no records.
const guardianPurpose = 'GUARDIAN'

/** Check is one thing that was looked at before an approval, for a page to show. */
export interface Check {
  readonly name: CheckName
  readonly passed: boolean
  /** What is wrong; empty where it passed. */
  readonly why: string
}

/** CheckName names what is checked, in the order in which it is. */
export type CheckName =
  | 'two hospitals show the same' | 'neither is the requester’s' | 'the id is the hash of what is shown' | 'the network is this one' | 'the purpose opens records'
  | 'the lifetime is at most 14 days' | 'the requester is that member of staff now' | 'each version has the owner’s lock' | 'the request key is the one named'
  | 'each envelope is the one named'

/** Review is an unlock as its owner sees it before approving, read at one height from the nodes of two hospitals. */
export interface Review {
  readonly id: string
  /** The address of who will read. */
  readonly requester: string
  /** The name of the requester's hospital, or ownReading. */
  readonly hospital: string
  readonly purpose: string
  readonly versions: readonly Ref[]
  /** When the unlock ends by itself, in unix seconds. */
  readonly until: bigint
  readonly endorsedBy: readonly string[]
  readonly status: UnlockStatus
  readonly height: bigint
  /** The hospitals that it was read from. */
  readonly witnesses: readonly string[]
  /** Every check, all of them passed but the one that neither witness is the requester's hospital, which is so where no two others answer. */
  readonly checks: readonly Check[]
  /** What approve works with. */
  readonly seen: Seen
}

/** Seen is the checked unlock with what its approval needs. */
export interface Seen {
  readonly unlock: CheckedUnlock
  readonly doors: readonly Gateway[]
  readonly requestKey: Bytes
  /** In the proposal's order. */
  readonly envelopes: readonly Envelope[]
}

interface View {
  readonly unlock: CheckedUnlock
  readonly requester: Principal
  readonly member: Member | undefined
  readonly network: Uint8Array
}

/** review reads an unlock at one height from the nodes of two hospitals, neither of them the requester's where two others answer, and checks all that can be checked without the owner's keys. It fails on the first check that does not pass. */
export async function review(client: Client, id: string): Promise<Review> {
  const { unlock: first } = await arrived(() => unlockAt(client.gateways, id))
  if (first.box || first.emergency !== '') throw new PhrdError('proposal', 'hospitals approve an emergency, and not the owner')
  const { doors, independent } = await chooseWitnesses(client, first.hospital)
  const height = await meet(client, doors)
  const views: View[] = []
  for (const door of doors) views.push(await look(door.at(height), client.network, id))
  const [view, other] = views
  if (view === undefined || other === undefined) throw new PhrdError('unreachable', 'no two hospitals answer')
  const passed: CheckName[] = []
  const pass = (name: CheckName, why: string, kind: 'disagree' | 'proposal' | 'block' = 'proposal') => {
    if (why !== '') throw new PhrdError(kind, `${name}: ${why}`)
    passed.push(name)
  }
  const differs = difference(view, other)
  pass('two hospitals show the same', differs === '' ? '' : `${doors.map((d) => d.name).join(' and ')} show another ${differs}`, 'disagree')
  pass('the id is the hash of what is shown', '') // checkUnlock has refused anything else
  rules(client, view).forEach(([name, why]) => pass(name, why))
  standing(client, view.unlock)
  const seen = { unlock: view.unlock, doors, ...(await blocks(client, id, view.unlock, pass)) }
  const checks = [...passed.map((name) => ({ name, passed: true, why: '' })), {
    name: 'neither is the requester’s' as const, passed: independent, why: independent ? '' : 'no two other hospitals answer',
  }]
  return describe(id, view, height, doors, checks, seen)
}

function describe(id: string, view: View, height: bigint, doors: readonly Gateway[], checks: readonly Check[], seen: Seen): Review {
  const { unlock, status, versions } = view.unlock
  return {
    id, requester: unlock.requester, hospital: unlock.hospital === 0n ? ownReading : (view.member?.name ?? ''), purpose: unlock.purpose, versions,
    until: unlock.expiresAt, endorsedBy: unlock.endorsements.map((e) => e.officer), status, height, witnesses: doors.map((d) => d.name), checks, seen,
  }
}

async function look(connection: Connection, net: Bytes, id: string): Promise<View> {
  const unlock = await checkUnlock(connection, net, id)
  const { principal: requester } = await connection.query(Consortium.method.principal, { address: unlock.unlock.requester })
  const number = unlock.unlock.hospital
  const { member } = number === 0n ? { member: undefined } : await connection.query(Consortium.method.member, { number })
  const { networkId: network } = await connection.query(Consortium.method.params, {})
  if (requester === undefined) throw new PhrdError('answer', 'no requester is shown')
  return { unlock, requester, member, network }
}

// The first thing in which two views differ, empty where there is none.
function difference(a: View, b: View): string {
  if (a.unlock.status !== b.unlock.status || !equals(UnlockSchema, a.unlock.unlock, b.unlock.unlock)) return 'unlock'
  if (!equals(PrincipalSchema, a.requester, b.requester)) return 'requester'
  const isSameMember = a.member === undefined || b.member === undefined ? a.member === b.member : equals(MemberSchema, a.member, b.member)
  if (!isSameMember) return 'hospital'
  if (!equals(KeySchema, a.unlock.generation.key, b.unlock.generation.key)) return 'key of the network'
  if (!equal(a.network, b.network)) return 'network'
  const other = a.unlock.versions.find((v, i) => {
    const shown = b.unlock.versions[i]?.stored
    return shown === undefined || !equals(VersionSchema, v.stored, shown)
  })
  return other === undefined ? '' : `version ${refText(other)}`
}

// What an owner insists on beyond the hash. An empty text says that it is so.
function rules(client: Client, v: View): [CheckName, string][] {
  const u = v.unlock.unlock
  const lifetime = u.expiresAt - u.proposedAt
  const open = v.unlock.versions.find((version) => version.lock !== 1n)
  return [
    ['the network is this one', equal(v.network, client.network) ? '' : 'it is of another network'],
    ['the purpose opens records', u.purpose === guardianPurpose ? 'it is for guardians' : ''],
    ['the lifetime is at most 14 days', lifetime > 0n && lifetime <= longestLifetime ? '' : `it is ${lifetime} seconds`],
    ['the requester is that member of staff now', u.hospital === 0n ? ownReader(client, v) : reader(v)],
    ['each version has the owner’s lock', open === undefined ? '' : `version ${refText(open)} has not`],
  ]
}

function ownReader(client: Client, v: View): string {
  const u = v.unlock.unlock
  const isOwn = v.requester.patient !== '' && v.requester.patient === u.patient && u.requester === client.signer.address
  return isOwn && v.requester.address === u.requester && v.requester.active ? '' : 'it is no reading of one’s own'
}

function reader(v: View): string {
  const u = v.unlock.unlock
  const ownsIt = u.patient === '' && u.custodian === u.hospital
  const mayAsk = v.requester.role === Role.CLINICIAN || (v.requester.role === Role.OFFICER && ownsIt)
  if (!mayAsk || v.requester.hospital !== u.hospital) return 'the requester is no clinician of that hospital'
  if (v.requester.address !== u.requester || !v.requester.active) return 'the requester may not act now'
  const isNamed = v.member !== undefined && v.member.number === u.hospital && v.member.name !== ownReading && v.member.name !== ''
  return isNamed ? '' : 'the requester’s hospital has no name of its own'
}

// standing passes where an approval is due, or was given by this account and waits for its capsule.
function standing(client: Client, { unlock, status }: CheckedUnlock): void {
  switch (status) {
    case UnlockStatus.ENDORSED:
      return
    case UnlockStatus.PROPOSED:
      throw new PhrdError('not approved', `it waits for endorsements, ${unlock.endorsements.length} of ${unlock.endorsementsNeeded}`)
    case UnlockStatus.APPROVED:
    case UnlockStatus.RELEASED:
      if (unlock.approval?.consent !== 0n) throw new PhrdError('consented', 'a consent stood in for the approval')
      if (unlock.approval.by !== client.signer.address) throw new PhrdError('proposal', 'it was approved by another account')
      return
    default:
      throw new PhrdError('ended', `unlock ${unlock.id} has ended`)
  }
}

// The request key and the envelopes, each checked against its CID and the envelopes against their locks.
async function blocks(
  client: Client, id: string, u: CheckedUnlock, pass: (name: CheckName, why: string) => void,
): Promise<{ requestKey: Bytes; envelopes: Envelope[] }> {
  const requestKey = await client.gateways.smallBlock(u.proposal.requestKey, unlockReason(id))
  const envelopes: Envelope[] = []
  try {
    hybrid.parsePublicKey(requestKey)
    pass('the request key is the one named', '')
    for (const v of u.versions) envelopes.push(openEnvelope(v, await envelopeBlock(client, id, v)))
    pass('each envelope is the one named', '')
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('proposal', cause.message, cause) : cause
  }
  return { requestKey, envelopes }
}

async function envelopeBlock(client: Client, id: string, v: CheckedUnlock['versions'][number]): Promise<Bytes> {
  try {
    return await client.gateways.smallBlock(v.envelope, unlockReason(id))
  } catch (cause) {
    if (!isKind(cause, 'not found')) throw cause
    return client.gateways.try((gateway) => gateway.block(versionBlockPath(v, v.envelope, ''), v.envelope, largestSmallBlock), elsewhere)
  }
}
