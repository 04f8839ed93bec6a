import { cidText } from '#custody/cid.js'
import { encodePoint } from '#custody/point.js'
import { proveRequest } from '#custody/request.js'
import { idText } from '#custody/id.js'
import type { Client } from '../client.js'
import { PhrdError, Refused } from '../errors.js'
import { MsgProposeUnlockResponseSchema, MsgProposeUnlockSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { arrived } from '../poll.js'
import { compareRefs, type Ref, refText } from '../records/ref.js'
import { gasFor } from '../send.js'
import { draftUnlock, keepDraft } from './draft.js'
import { generationOf, type LockedVersion, lockOf } from './locked.js'
import { forgetSession } from './session.js'

/** longestLifetime is that of an unlock, in seconds. */
export const longestLifetime = 14n * 24n * 3600n

/** Request asks for versions of one owner in one custody. */
export interface Request {
  /** 1 to 64. */
  readonly versions: readonly Ref[]
  /** An HL7 v3 ActReason code, like TREAT. */
  readonly purpose: string
  /** Seconds until the unlock ends by itself, at most longestLifetime. */
  readonly lifetime: bigint
}

/** propose asks for versions and gives the unlock's id. It draws the session that receives both halves of their keys, and keeps its seed in Secrets until the unlock ends. */
export async function propose(client: Client, request: Request): Promise<string> {
  const versions = await locksFor(client, request.versions)
  const expiry = (await client.blockTime()) + request.lifetime
  const draft = await draftUnlock(client, { purpose: request.purpose, expiry }, versions)
  const { id, proposal, session } = draft
  await keepDraft(client, draft)
  try {
    const { answer } = await client.send('direct', gasFor(versions.length), MsgProposeUnlockSchema, {
      requester: client.signer.address, purpose: proposal.purpose, expiresAt: proposal.expiry, requestKey: cidText(session.keyCID), b: encodePoint(proposal.B),
      proof: proveRequest(proposal, session.b), records: proposal.versions.map((v) => idText(v.record)), versions: proposal.versions.map((v) => v.version),
      m: proposal.versions.map((v) => encodePoint(v.M)),
    }, MsgProposeUnlockResponseSchema)
    if (answer.unlock !== id) throw new PhrdError('proposal', `the chain calls the unlock ${answer.unlock}, not ${id}`)
  } catch (cause) {
    if (cause instanceof Refused) await forgetSession(client.secrets, id)
    throw cause
  }
  return id
}

/** locksFor reads the locks of versions and brings them into a proposal's order. */
export async function locksFor(client: Client, refs: readonly Ref[]): Promise<LockedVersion[]> {
  const sorted = [...refs].sort(compareRefs).filter((ref, i, all) => i === 0 || compareRefs(all[i - 1] ?? ref, ref) !== 0)
  const versions: LockedVersion[] = []
  for (const ref of sorted) {
    const { version } = await arrived(() => client.gateways.query(Records.method.version, { record: idText(ref.record), version: ref.version }))
    if (version?.header === undefined) throw new PhrdError('answer', `no version ${refText(ref)} is shown`)
    const locked = lockOf(client.network, await generationOf(client.gateways, client.network, version.header.generation), version)
    if (compareRefs(locked, ref) !== 0) throw new PhrdError('proposal', `the gateway shows ${refText(locked)} in the place of ${refText(ref)}`)
    versions.push(locked)
  }
  return versions
}
