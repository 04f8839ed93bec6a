import { openCapsule } from '#custody/capsule.js'
import { parseCIDText, parseRawCID } from '#custody/cid.js'
import { type Combined, combine, type Committee } from '#custody/combine.js'
import { salt, unwrap } from '#custody/commit.js'
import type { Bytes } from '#custody/encoding.js'
import { parseLock } from '#custody/kinds.js'
import { parsePoint, type Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import type { Session } from '#custody/session.js'
import type { Release, Share } from '#custody/share.js'
import { hex } from '#custody/wallet.js'
import { type Chunks, onThisThread } from '../content/chunks.js'
import { OpenedFile, type Source } from '../content/file.js'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { largestBlock } from '../gateway/gateway.js'
import { elsewhere } from '../gateway/gateways.js'
import type { Connection } from '../gateway/query.js'
import { UnlockStatus } from '../generated/phrd/access/v1/unlock_pb.js'
import type { Key, Share as GivenShare } from '../generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../generated/phrd/custody/v1/query_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { poll } from '../poll.js'
import { compareRefs, type Ref, refText } from '../records/ref.js'
import { type CheckedUnlock, checkUnlock, unlockAt, unlockReason, versionBlockPath } from './checked.js'
import { type LockedVersion, openEnvelope } from './locked.js'
import { forgetSession, sessionOf } from './session.js'

/** OpenOptions say how long to wait, and who works. */
export interface OpenOptions {
  /** Ends the waiting for shares and for the owner's capsule. */
  readonly signal: AbortSignal
  readonly chunks?: Chunks
}

/** Opened is an unlock of this program with both halves of the keys of its versions. */
interface Opened {
  readonly unlock: CheckedUnlock
  readonly K: readonly Point[]
  readonly halves: readonly Bytes[]
}

/** openUnlock waits for the release of an unlock that this program proposed, checks every share, joins them to the network's half, takes the owner's from the capsule, and opens the version. The unlock's id was recomputed from what the gateway shows. */
export async function openUnlock(client: Client, id: string, ref: Ref, options: OpenOptions): Promise<OpenedFile> {
  const opened = await keysOf(client, id, options.signal)
  const place = opened.unlock.versions.findIndex((v) => compareRefs(v, ref) === 0)
  if (place < 0) throw new PhrdError('ref', `unlock ${id} does not name version ${refText(ref)}`)
  return openVersion(client, opened, place, options.chunks ?? onThisThread)
}

/** openAll does so for every version of the unlock, one after another. */
export async function* openAll(client: Client, id: string, options: OpenOptions): AsyncGenerator<{ ref: Ref; file: OpenedFile }, undefined> {
  const opened = await keysOf(client, id, options.signal)
  for (const [place, ref] of opened.unlock.versions.entries()) yield { ref, file: await openVersion(client, opened, place, options.chunks ?? onThisThread) }
}

async function keysOf(client: Client, id: string, signal: AbortSignal): Promise<Opened> {
  const session = await sessionOf(client.secrets, id)
  await released(client, id, signal)
  // A gateway that shows wrong shares, holders or locks is passed over for another one.
  const onward = (cause: unknown) => elsewhere(cause) || isKind(cause, 'proposal') || cause instanceof Refusal
  const { unlock, K } = await client.gateways.try(async (gateway) => {
    const checked = await checkUnlock(gateway, client.network, id)
    return { unlock: checked, ...(await networkHalves(gateway, client.network, session, checked)) }
  }, onward)
  return { unlock, K, halves: await ownerHalves(client, session, unlock, signal) }
}

async function released(client: Client, id: string, signal: AbortSignal): Promise<void> {
  const isReleased = async () => {
    const { status } = await unlockAt(client.gateways, id)
    switch (status) {
      case UnlockStatus.RELEASED:
        return true
      case UnlockStatus.APPROVED:
        return undefined
      case UnlockStatus.PROPOSED:
      case UnlockStatus.ENDORSED:
        throw new PhrdError('not approved', `unlock ${id} waits for signatures`)
      default:
        await forgetSession(client.secrets, id)
        throw new PhrdError('ended', `unlock ${id} has ended`)
    }
  }
  await waiting(signal, `unlock ${id}: not enough hospitals have given their shares`, isReleased)
}

// networkHalves joins the holders' shares to K of every version.
async function networkHalves(connection: Connection, net: Bytes, session: Session, u: CheckedUnlock): Promise<Combined> {
  if (!u.proposal.B.equals(session.B)) throw new PhrdError('session', `unlock ${u.unlock.id} was proposed by another session`)
  return combineRelease(connection, session, { net, unlock: u.id, gen: u.generation.gen, M: u.proposal.versions.map((v) => v.M) }, u.generation.key)
}

/** combineRelease joins the holders' shares of a key, every one of which it checks, to the key's half of every point of a release. */
export async function combineRelease(connection: Connection, session: Session, release: Release, key: Key): Promise<Combined> {
  const { shares: given } = await connection.query(Custody.method.shares, { unlock: hex(release.unlock) })
  const shares = given.flatMap(shareOf)
  const committees: Committee[] = []
  for (const epoch of new Set(shares.map((s) => s.epoch))) committees.push(await committeeOf(connection, key, epoch))
  return combine(session.b, release, committees, shares)
}

// What is no share cannot count and is left out.
function shareOf(given: GivenShare): Share[] {
  try {
    return [{ epoch: given.shareEpoch, index: given.index, D: given.points.map(parsePoint), proof: given.proof }]
  } catch (cause) {
    if (cause instanceof Refusal) return []
    throw cause
  }
}

async function committeeOf(connection: Connection, key: Key, epoch: bigint): Promise<Committee> {
  const { holders } = await connection.query(Custody.method.holders, { kind: key.kind, generation: key.generation, shareEpoch: epoch })
  // The chain keeps the threshold of the active epoch; that of an earlier one follows from its committee.
  const threshold = epoch === key.shareEpoch ? key.threshold : (2n * BigInt(holders.length)) / 3n + 1n
  return { epoch, threshold, holders: new Map(holders.map((h) => [h.index, parsePoint(h.publicShare)])) }
}

// ownerHalves takes p of each version from the capsule, which the owner hands in right after the approval.
async function ownerHalves(client: Client, session: Session, u: CheckedUnlock, signal: AbortSignal): Promise<Bytes[]> {
  const approval = u.unlock.approval
  if (approval === undefined) throw new PhrdError('not approved', `unlock ${u.unlock.id} shows no approval`)
  if (approval.consent !== 0n || u.unlock.emergency !== '') throw new PhrdError('consented', 'what a consent or an emergency opened is not read here')
  const cid = parseRawCID(parseCIDText(approval.capsule))
  const capsule = await waiting(signal, "the owner's capsule is not there yet", async () => {
    try {
      return await client.gateways.smallBlock(cid, unlockReason(u.unlock.id))
    } catch (cause) {
      if (isKind(cause, 'not found')) return undefined
      throw cause
    }
  })
  return openCapsule(client.network, u.id, session.keySeed, u.versions, capsule)
}

/** DataKey opens the ciphertext of a version. */
export interface DataKey {
  readonly version: LockedVersion
  readonly manifest: Bytes
  readonly dek: Bytes
}

/** dataKeys are the data keys of all versions of an unlock that this program proposed, in its order: to lock them anew. It waits as openUnlock does. */
export async function dataKeys(client: Client, id: string, signal: AbortSignal): Promise<DataKey[]> {
  const opened = await keysOf(client, id, signal)
  const keys: DataKey[] = []
  for (const [place, v] of opened.unlock.versions.entries()) keys.push(await dataKey(client, opened, place, sourceOf(client, v, id)))
  return keys
}

async function openVersion(client: Client, opened: Opened, place: number, chunks: Chunks): Promise<OpenedFile> {
  const v = opened.unlock.versions[place]
  if (v === undefined) throw new PhrdError('proposal', 'an unlock lacks a version')
  const source = sourceOf(client, v, opened.unlock.unlock.id)
  const { manifest, dek } = await dataKey(client, opened, place, source)
  return OpenedFile.open({ object: v.object, manifest, padded: v.stored.size }, dek, source, chunks)
}

function sourceOf(client: Client, v: LockedVersion, unlock: string): Source {
  return (cid, signal) => client.gateways.try((gateway) => gateway.block(versionBlockPath(v, cid, unlock), cid, largestBlock, signal), elsewhere)
}

async function dataKey(client: Client, { unlock, K, halves }: Opened, place: number, source: Source): Promise<DataKey> {
  const [version, k, p] = [unlock.versions[place], K[place], halves[place]]
  if (version === undefined || k === undefined || p === undefined) throw new PhrdError('proposal', 'an unlock lacks the halves of a version')
  const e = await envelopeOf(client, version, source)
  const T = salt({ ctx: version.ctx, U: e.U, UBar: e.UBar, pc: e.pc, dc: e.dc, manifest: e.manifest, object: version.object })
  const dek = await unwrap(parseLock(version.lock), p, k, T, { c: e.c, wrap: e.wrap, dc: version.dc, record: version.record, version: version.version })
  return { version, manifest: Uint8Array.from(e.manifest), dek }
}

// Its owner may have replaced the envelope since the version was read, under the same lock.
async function envelopeOf(client: Client, v: LockedVersion, source: (cid: Uint8Array) => Promise<Bytes>): ReturnType<typeof openEnvelopeAt> {
  try {
    return await openEnvelopeAt(v, v.envelope, source)
  } catch (cause) {
    if (!isKind(cause, 'not found')) throw cause
    const { version } = await client.gateways.query(Records.method.version, { record: v.stored.record, version: v.version })
    if (version === undefined || version.envelope === v.stored.envelope) throw cause
    return openEnvelopeAt(v, parseRawCID(parseCIDText(version.envelope)), source)
  }
}

async function openEnvelopeAt(v: LockedVersion, cid: Uint8Array, source: (cid: Uint8Array) => Promise<Bytes>) {
  return openEnvelope(v, await source(cid))
}

async function waiting<T>(signal: AbortSignal, what: string, ask: () => Promise<T | undefined>): Promise<T> {
  try {
    return await poll(signal, ask)
  } catch (cause) {
    throw signal.aborted ? new PhrdError('not released', what, cause) : cause
  }
}
