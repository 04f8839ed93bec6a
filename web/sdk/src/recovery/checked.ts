import { parseCIDText, parseRawCID } from '#custody/cid.js'
import { verifyEncapsulation } from '#custody/encap.js'
import { type Bytes, equal } from '#custody/encoding.js'
import { guardianContext } from '#custody/guardians.js'
import { parseIDText } from '#custody/id.js'
import { parseEncapsulation, parsePoint, type Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import { type Proposal, proposalHash, unlockID, verifyRequest } from '#custody/request.js'
import { hex, unhex } from '#custody/wallet.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import type { Guardians } from '../generated/phrd/access/v1/guardian_pb.js'
import { Query } from '../generated/phrd/access/v1/query_pb.js'
import { RecoveryWay } from '../generated/phrd/access/v1/recovery_pb.js'
import { KeyKind } from '../generated/phrd/custody/v1/key_pb.js'
import { labelOf } from '../guardians/name.js'
import { placeOf } from '../guardians/share.js'
import { type Generation, generationOf } from '../unlock/locked.js'
import { parseAddress } from '../wallet/address.js'
import { isOpenRecovery, recoveryAt, type SeenRecovery } from './list.js'

// Opens no records: it asks for the network's half of a guardian slot.
const purpose = 'GUARDIAN'

/** CheckedSlot is a guardian slot whose proof holds. */
export interface CheckedSlot {
  readonly guardians: Guardians
  readonly commitments: readonly Point[]
  readonly ctx: Bytes
  readonly U: Point
  readonly generation: Generation
}

/** CheckedRecovery is a recovery by guardians whose unlock was recomputed from the fields that it shows. */
export interface CheckedRecovery {
  readonly slot: CheckedSlot
  readonly proposal: Proposal
  /** The unlock, 32 bytes. */
  readonly id: Bytes
}

/** checkSlot checks the proof of a guardian slot over one connection. */
export async function checkSlot(connection: Connection, net: Bytes, guardians: Guardians): Promise<CheckedSlot> {
  try {
    const { place, commitments } = placeOf(net, guardians)
    const generation = await generationOf(connection, net, guardians.generation, KeyKind.GUARDIANS)
    const [U, UBar, A0] = [parseEncapsulation(guardians.u), parsePoint(guardians.uBar), commitments[0]]
    if (A0 === undefined) throw new Refusal('a guardian slot without commitments')
    verifyEncapsulation(labelOf(place, generation.gen, U, UBar, A0, guardians.owner), generation.gen, { U, UBar }, guardians.proof)
    return { guardians, commitments, ctx: guardianContext(place, generation.gen), U, generation }
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('proposal', `the guardians’ slot: ${cause.message}`, cause) : cause
  }
}

/** RecoveryRequest is what the hash of a recovery covers beside the slot. */
export interface RecoveryRequest {
  readonly account: string
  readonly expiry: bigint
  readonly requestKey: Bytes
  readonly B: Point
  readonly M: Point
}

/** recoveryProposal is the request for the network's half of a guardian slot in the form that its hash covers. */
export function recoveryProposal(net: Bytes, slot: CheckedSlot, r: RecoveryRequest): Proposal {
  return {
    net, requester: parseAddress(r.account), hospital: 0n, purpose, policyVersion: 0n, expiry: r.expiry, requestKey: r.requestKey, B: r.B,
    versions: [{ record: parseIDText(slot.guardians.vault), version: slot.guardians.revision, ctx: slot.ctx, U: slot.U, M: r.M, c: new Uint8Array() }],
  }
}

/** checkRecovery reads a recovery and, where guardians approve it and it is open, them, over one connection, and recomputes its unlock from them. checked is undefined where hospitals approve it, and of one that has ended. */
export async function checkRecovery(connection: Connection, net: Bytes, number: bigint): Promise<SeenRecovery & { readonly checked: CheckedRecovery | undefined }> {
  const seen = await recoveryAt(connection, number)
  if (seen.recovery.way !== RecoveryWay.GUARDIANS || !isOpenRecovery(seen.status)) return { ...seen, checked: undefined }
  const { guardians } = await connection.query(Query.method.guardians, { patient: seen.recovery.patient })
  if (guardians === undefined) throw new PhrdError('answer', 'no guardians are shown')
  const slot = await checkSlot(connection, net, guardians)
  const r = seen.recovery
  try {
    const proposal = recoveryProposal(net, slot, {
      account: r.account, expiry: r.expiresAt, requestKey: parseRawCID(parseCIDText(r.requestKey)), B: parseEncapsulation(r.b), M: parsePoint(r.m),
    })
    const id = unlockID(proposalHash(proposal))
    if (!equal(id, unhex(r.unlock))) throw new PhrdError('proposal', `what is shown hashes to ${hex(id)}, not ${r.unlock}`)
    verifyRequest(proposal, r.proof)
    return { ...seen, checked: { slot, proposal, id } }
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('proposal', `recovery ${number}: ${cause.message}`, cause) : cause
  }
}

/** recoveryReason says to a gateway why the account may have a block of a recovery. */
export function recoveryReason(number: bigint): string {
  return `recovery=${number}`
}
