import { cidText, parseCIDText, parseRawCID } from '#custody/cid.js'
import { type Bytes, equal } from '#custody/encoding.js'
import { parseEncapsulation, parsePoint } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import { type Proposal, proposalHash, unlockID, verifyRequest } from '#custody/request.js'
import { hex, unhex } from '#custody/wallet.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { Query as Access } from '../generated/phrd/access/v1/query_pb.js'
import { type Unlock, UnlockStatus } from '../generated/phrd/access/v1/unlock_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { compareRefs, parseRef } from '../records/ref.js'
import { parseAddress } from '../wallet/address.js'
import { type AskedLock, boxGeneration, boxLock } from './box.js'
import { type Generation, generationOf, type LockedVersion, lockOf } from './locked.js'

/** CheckedUnlock is an unlock whose id was recomputed from the fields that it shows: they are what was proposed. */
export interface CheckedUnlock {
  readonly unlock: Unlock
  readonly status: UnlockStatus
  /** The id, 32 bytes. */
  readonly id: Bytes
  readonly proposal: Proposal
  /** In the proposal's order. */
  readonly versions: readonly LockedVersion[]
  /** Of the key whose half is released: the records key, or the emergency key where the unlock is about the boxes of an emergency. */
  readonly generation: Generation
}

/** unlockAt reads an unlock and where it stands. */
export async function unlockAt(connection: Connection, id: string): Promise<{ unlock: Unlock; status: UnlockStatus }> {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new PhrdError('not found', `${id}: an unlock's id is 64 lower-case hex digits`)
  const { unlock, status } = await connection.query(Access.method.unlock, { id })
  if (unlock === undefined) throw new PhrdError('answer', 'no unlock is shown')
  return { unlock, status }
}

/** isOpen tells whether an unlock can still change by a signature or a share. */
export function isOpen(status: UnlockStatus): boolean {
  return [UnlockStatus.PROPOSED, UnlockStatus.ENDORSED, UnlockStatus.APPROVED, UnlockStatus.RELEASED].includes(status)
}

/** checkUnlock reads an unlock, its versions' locks and the network's key over one connection, recomputes the hash from them, and checks the request proof. */
export async function checkUnlock(connection: Connection, net: Bytes, id: string): Promise<CheckedUnlock> {
  const { unlock, status } = await unlockAt(connection, id)
  try {
    const { generation: records, versions } = await locksOf(connection, net, unlock)
    const generation = unlock.box ? await boxGeneration(connection, net, versions) : records
    const proposal = rebuild(net, unlock, unlock.box ? versions.map((v) => boxLock(generation, v)) : versions)
    const hash = proposalHash(proposal)
    if (!equal(unlockID(hash), unhex(id))) throw new PhrdError('proposal', `what is shown hashes to unlock ${hex(unlockID(hash))}, not ${id}`)
    verifyRequest(proposal, unlock.proof)
    return { unlock, status, id: unlockID(hash), proposal, versions, generation }
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('proposal', `unlock ${id}: ${cause.message}`, cause) : cause
  }
}

async function locksOf(connection: Connection, net: Bytes, unlock: Unlock): Promise<{ generation: Generation; versions: LockedVersion[] }> {
  let generation: Generation | undefined
  const versions: LockedVersion[] = []
  for (const named of unlock.versions) {
    const { version } = await connection.query(Records.method.version, { record: named.record, version: named.version })
    const header = version?.header
    if (version === undefined || header === undefined) throw new PhrdError('answer', 'no version is shown')
    generation ??= await generationOf(connection, net, header.generation)
    const locked = lockOf(net, generation, version)
    const isNamed = compareRefs(locked, parseRef(`${named.record}/${named.version}`)) === 0
    if (!isNamed || header.patient !== unlock.patient || header.custodian !== unlock.custodian) {
      throw new PhrdError('proposal', 'another version, owner or custodian is shown than the unlock names')
    }
    versions.push(locked)
  }
  if (generation === undefined) throw new PhrdError('proposal', 'the unlock names no versions')
  return { generation, versions }
}

// The proposal in the form that its hash covers.
function rebuild(net: Bytes, unlock: Unlock, locks: readonly AskedLock[]): Proposal {
  if (unlock.expiresAt <= 0n) throw new PhrdError('proposal', 'the unlock has no expiry')
  return {
    net, requester: parseAddress(unlock.requester), hospital: unlock.hospital, purpose: unlock.purpose, policyVersion: unlock.policyVersion, expiry: unlock.expiresAt,
    requestKey: parseRawCID(parseCIDText(unlock.requestKey)), B: parseEncapsulation(unlock.b),
    versions: unlock.versions.flatMap((v, i) => {
      const locked = locks[i]
      return locked === undefined ? [] : [{ record: locked.record, version: locked.version, ctx: locked.ctx, U: locked.U, M: parsePoint(v.m), c: locked.c }]
    }),
  }
}

/** unlockReason says to a gateway why the account may have a block of an unlock. */
export function unlockReason(id: string): string {
  return `unlock=${id}`
}

/** versionBlockPath is where a gateway has a block of a version. */
export function versionBlockPath(v: { readonly stored: { readonly record: string; readonly version: bigint } }, cid: Uint8Array, unlock: string): string {
  return `/records/${v.stored.record}/versions/${v.stored.version}/blocks/${cidText(cid)}${unlock === '' ? '' : `?${unlockReason(unlock)}`}`
}
