import type { Bytes } from '#custody/encoding.js'
import { salt, unwrap } from '#custody/commit.js'
import { parseLock } from '#custody/kinds.js'
import type { Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import { type Chunks, onThisThread } from '../content/chunks.js'
import { OpenedFile, type Source } from '../content/file.js'
import type { Client } from '../client.js'
import { useCovering } from '../consents/use.js'
import { isKind, PhrdError } from '../errors.js'
import { elsewhere } from '../gateway/gateways.js'
import { compareRefs, type Ref, refText } from '../records/ref.js'
import { type CheckedUnlock, checkUnlock } from './checked.js'
import { envelopeOf, versionSource } from './envelope.js'
import { ownerHalves } from './halves.js'
import type { LockedVersion } from './locked.js'
import { networkHalves, released } from './release.js'
import { sessionOf } from './session.js'

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

/** openUnlock opens a version of an unlock that this program proposed: where that waits for its owner alone and a consent covers it, it approves it by the consent; then it waits for the release, checks every share, joins them to the network's half, takes the owner's from the capsule, from what was sealed for who was granted a consent, or in an emergency from a hospital that approved, and opens the version. The unlock's id was recomputed from what the gateway shows. */
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
  await useCovering(client, id)
  await released(client, id, signal)
  // A gateway that shows wrong shares, holders or locks is passed over for another one.
  const onward = (cause: unknown) => elsewhere(cause) || isKind(cause, 'proposal') || cause instanceof Refusal
  const { unlock, K } = await client.gateways.try(async (gateway) => {
    const checked = await checkUnlock(gateway, client.network, id)
    return { unlock: checked, ...(await networkHalves(gateway, client.network, session, checked)) }
  }, onward)
  return { unlock, K, halves: await ownerHalves(client, session, unlock, signal) }
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
  for (const [place, v] of opened.unlock.versions.entries()) keys.push(await dataKey(client, opened, place, versionSource(client, v, id)))
  return keys
}

async function openVersion(client: Client, opened: Opened, place: number, chunks: Chunks): Promise<OpenedFile> {
  const v = opened.unlock.versions[place]
  if (v === undefined) throw new PhrdError('proposal', 'an unlock lacks a version')
  const source = versionSource(client, v, opened.unlock.unlock.id)
  const { manifest, dek } = await dataKey(client, opened, place, source)
  return OpenedFile.open({ object: v.object, manifest, padded: v.stored.size }, dek, source, chunks)
}

async function dataKey(client: Client, { unlock, K, halves }: Opened, place: number, source: Source): Promise<DataKey> {
  const [version, k, p] = [unlock.versions[place], K[place], halves[place]]
  if (version === undefined || k === undefined || p === undefined) throw new PhrdError('proposal', 'an unlock lacks the halves of a version')
  const e = await envelopeOf(client, version, source)
  const T = salt({ ctx: version.ctx, U: e.U, UBar: e.UBar, pc: e.pc, dc: e.dc, manifest: e.manifest, object: version.object })
  const dek = await unwrap(parseLock(version.lock), p, k, T, { c: e.c, wrap: e.wrap, dc: version.dc, record: version.record, version: version.version })
  return { version, manifest: Uint8Array.from(e.manifest), dek }
}
