import { cidText } from '#custody/cid.js'
import { equal } from '#custody/encoding.js'
import { parseEnvelope } from '#custody/envelope.js'
import { idText } from '#custody/id.js'
import { encodePoint } from '#custody/point.js'
import { layout } from '#custody/object.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { type Chunks, onThisThread } from '../content/chunks.js'
import { OpenedFile } from '../content/file.js'
import { type Before, type Content, type Draft, type SealedObject, sealObject } from '../content/seal.js'
import { PhrdError } from '../errors.js'
import { Upload, type Uploading } from '../gateway/upload.js'
import { Lock, OwnerKind } from '../generated/phrd/records/v1/record_pb.js'
import { MsgStoreVersionsResponseSchema, MsgStoreVersionsSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { gasBase } from '../send.js'
import { gasBox } from './box.js'
import { type Locked, lockVersion } from './lock.js'
import { checkPrevious, earlierFor, type Previous } from './previous.js'
import type { Ref } from './ref.js'
import { type Place, type StoreTerms, termsFor } from './terms.js'

const gasStored = 150_000n
const gasGrantee = 20_000n
const gasConsents = 800_000n

/** Stage names a part of a longer work, for who shows its progress. */
export type Stage = 'upload' | 'read back'

/** Storing says who works while a file is stored, and who watches. */
export interface Storing {
  readonly chunks?: Chunks
  /** progress is told how many of the ciphertext's bytes are done. */
  readonly progress?: (stage: Stage, done: bigint, total: bigint) => void
  /** Ends the work at once, unless the version is being registered. */
  readonly signal?: AbortSignal
}

/** NewVersion is a file that becomes a version of a record. */
export interface NewVersion extends Storing {
  readonly place: Place
  readonly draft: Draft
  readonly content: Content
  /** An earlier version of the record: leaves whose plaintext returns are not sent and not stored again. */
  readonly previous?: Previous
}

/** Stored is a version that was registered. */
export interface Stored extends Ref {
  /** How many bytes of the version's ciphertext are an earlier one's, and were not sent. */
  readonly reused: number
}

/** store seals a file, uploads it to the clerk's hospital, reads back and opens what was stored, and registers it. Copies at other hospitals follow. Memory is constant whatever the size. The error is of kind 'previous' where the earlier version that is given is none whose leaves may be used. */
export async function store(client: Client, v: NewVersion): Promise<Stored> {
  const terms = await termsFor(client, v.place)
  if (v.previous !== undefined) await checkPrevious(client, v.previous, terms)
  const upload = await Upload.begin(await client.gateways.of(terms.custodian), uploading(v))
  try {
    const earlier = v.previous === undefined ? undefined : await earlierFor(upload, v.previous)
    return await storeBy(client, upload, terms, v, earlier === undefined ? undefined : { earlier })
  } finally {
    await upload.abandon()
  }
}

/** uploading says how a file is uploaded while it is stored. */
export function uploading(v: Storing & { readonly content: Content }): Uploading {
  const { total } = layout(BigInt(v.content.size))
  return { signal: v.signal, progress: (acknowledged) => v.progress?.('upload', smaller(BigInt(acknowledged), total), total) }
}

/** storeBy does what store does by an upload that was opened. */
export async function storeBy(client: Client, upload: Upload, terms: StoreTerms, v: Omit<NewVersion, 'place'>, before?: Before): Promise<Stored> {
  const { chunks = onThisThread, signal, progress } = v
  const sealed = await sealObject(v.content, v.draft, chunks, async (cid, block) => {
    signal?.throwIfAborted()
    await upload.put(cid, block)
  }, before)
  const locked = await lockVersion(terms, sealed)
  await upload.put(locked.cid, locked.block)
  await upload.drain()
  await readBack(upload, sealed, locked, chunks, (leaves) => {
    signal?.throwIfAborted()
    progress?.('read back', smaller(BigInt(leaves) << 20n, sealed.padded), sealed.padded)
  })
  if (before !== undefined && 'kept' in before) await before.kept.whole(Uint8Array.from(sealed.object))
  await commit(client, terms, sealed, locked, sealed.reused.length === 0 ? 0n : (v.previous?.ref.version ?? 0n))
  return { record: terms.record, version: terms.version, reused: sealed.saved }
}

// What the gateway gives back must open, from the envelope to the last leaf, before the plaintext is forgotten.
async function readBack(upload: Upload, sealed: SealedObject, locked: Locked, chunks: Chunks, progress: (leaves: number) => void): Promise<void> {
  try {
    const block = await upload.block(locked.cid)
    if (!equal(block, locked.block)) throw new Refusal('another envelope came back')
    const back = parseEnvelope(block)
    const place = { object: sealed.object, manifest: back.manifest, padded: sealed.padded }
    const file = await OpenedFile.open(place, await locked.unlock(back), (cid, signal) => upload.block(cid, signal), chunks)
    await file.check(progress, sealed.reused)
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('read back', cause.message, cause) : cause
  }
}

async function commit(client: Client, t: StoreTerms, sealed: SealedObject, locked: Locked, sharesWith: bigint): Promise<void> {
  const { envelope } = locked
  const others = BigInt(t.recipients.length - 1)
  const gas = gasBase + gasStored + gasGrantee * others + (others > 0n ? gasConsents : 0n) + (locked.box === undefined ? 0n : gasBox)
  await client.send('direct', gas, MsgStoreVersionsSchema, {
    clerk: client.signer.address,
    versions: [{
      record: idText(t.record), version: t.version, class: t.class,
      header: {
        suite: Number(envelope.suite), lock: Lock.OWNER_AND_NETWORK, ownerKind: t.patient === '' ? OwnerKind.HOSPITAL : OwnerKind.PATIENT, patient: t.patient,
        custodian: t.custodian, generation: t.generation.key.generation, u: encodePoint(envelope.U), c: envelope.c, pc: envelope.pc, dc: envelope.dc,
      },
      uBar: encodePoint(envelope.UBar), proof: locked.proof, ownKeys: [...locked.ownKeys], envelope: cidText(locked.cid), envelopeSize: locked.block.length,
      object: cidText(Uint8Array.from(sealed.object)), size: sealed.padded, sharesWith, ...(locked.box === undefined ? {} : { box: locked.box.lock, boxProof: locked.box.proof }),
    }],
  }, MsgStoreVersionsResponseSchema)
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
