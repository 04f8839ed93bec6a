import { objectDag } from '#custody/dag.js'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { sealManifest } from '#custody/manifest.js'
import { chunkSize, type Entry, fileLength, layout, leafLength } from '#custody/object.js'
import { PhrdError } from '../errors.js'
import { type Chunks, isSealed } from './chunks.js'
import type { Earlier } from './earlier.js'
import { handled, type ObjectPlace } from './file.js'

/** Content is a file on its way in: a Blob, a File, or anything that gives parts of itself. */
export interface Content {
  readonly size: number
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> }
}

/** Draft is what a manifest says of a file. Times are unix seconds, 0 where they are not known. */
export interface Draft {
  readonly name: string
  readonly mediaType: string
  readonly created?: bigint
  readonly modified?: bigint
}

/** Sink takes blocks, one after another. */
export type Sink = (cid: Bytes, block: Bytes) => Promise<void>

/** SealedObject is a file's ciphertext, and the key of its manifest. */
export interface SealedObject extends ObjectPlace {
  readonly dek: Bytes
  /** The CIDs of the leaves that were taken over from an earlier version, in order, and how many bytes they have together. */
  readonly reused: readonly Uint8Array[]
  readonly saved: number
}

/** Kept is what carries the sealing of a file on after an earlier one broke off. The key of the manifest is not among it: each manifest has its own. */
export interface Kept {
  /** The entries of the first leaves, which are where they belong. The file is compared with them. */
  readonly entries: readonly Entry[]
  /** keep is told the entry of every other leaf before the leaf goes into the sink. */
  keep(at: number, entry: Entry): Promise<void>
  /** whole is told the object once all of it is where it belongs, before anybody else is. */
  whole(object: Bytes): Promise<void>
}

/** Before is what the sealing of a file goes on from: an earlier try, whose leaves are where they belong, or an earlier version, whose leaves are used again where their plaintext returns. */
export type Before = { readonly kept: Kept } | { readonly earlier: Earlier }

/** sealObject encrypts a file into a sink: data leaves, manifest leaves, and the nodes above them. Of the file no more is in memory than the lanes work on. */
export async function sealObject(content: Content, draft: Draft, chunks: Chunks, sink: Sink, before: Before = { kept: nothingKept() }): Promise<SealedObject> {
  const [size, dek] = [BigInt(content.size), randomBytes(32)]
  const l = layout(size)
  const [entries, reused]: [Entry[], Uint8Array[]] = [[], []]
  let saved = 0
  for await (const { entry, leaf } of sealedChunks(content, before, chunks)) {
    if (leaf !== undefined) {
      if ('kept' in before) await before.kept.keep(entries.length, entry)
      await sink(Uint8Array.from(entry.cid), leaf)
    } else if ('earlier' in before) {
      reused.push(entry.cid)
      saved += leafLength(l, entries.length)
    }
    entries.push(entry)
  }
  const { name, mediaType, created = 0n, modified = 0n } = draft
  const leaves = await sealManifest({ name: name.normalize('NFC'), mediaType, created, modified, size, entries }, dek, () => randomBytes(32))
  for (const { cid, leaf } of leaves) await sink(cid, leaf)
  const data = entries.map((entry, at) => ({ cid: entry.cid, size: BigInt(leafLength(l, at)) }))
  const dag = objectDag([...data, ...leaves.map(({ cid, leaf }) => ({ cid, size: BigInt(leaf.length) }))])
  for (const { cid, block } of dag.nodes) await sink(cid, block)
  const manifest = leaves.at(-1)?.cid
  if (manifest === undefined) throw new TypeError('a manifest has no leaf')
  return { object: dag.root, manifest, padded: l.total, dek, reused, saved }
}

function nothingKept(): Kept {
  return { entries: [], keep: async () => undefined, whole: async () => undefined }
}

// A leaf that is where it belongs has its entry alone.
interface Chunk {
  readonly entry: Entry
  readonly leaf?: Bytes
}

async function* sealedChunks(content: Content, before: Before, chunks: Chunks): AsyncGenerator<Chunk, undefined> {
  const { leaves } = layout(BigInt(content.size))
  const underWay: Promise<Chunk>[] = []
  try {
    for (let next = 0; next < leaves || underWay.length > 0; ) {
      while (next < leaves && underWay.length < chunks.lanes) underWay.push(handled(chunkAt(content, next++, before, chunks)))
      const sealed = await underWay.shift()
      if (sealed !== undefined) yield sealed
    }
  } finally {
    await Promise.allSettled(underWay)
  }
}

async function chunkAt(content: Content, at: number, before: Before, chunks: Chunks): Promise<Chunk> {
  const size = BigInt(content.size)
  const part = await partOf(content, at)
  if ('earlier' in before) {
    const { earlier } = before
    const entry = await earlier.take(size, at, part, chunks)
    return entry === undefined ? chunks.seal(size, at, part, randomBytes(32)) : { entry }
  }
  const { kept } = before
  const entry = kept.entries[at]
  if (entry === undefined) return chunks.seal(size, at, part, randomBytes(32))
  if (!(await isSealed(entry, size, at, part, chunks))) throw new PhrdError('file', 'this is not the file whose beginning was stored')
  return { entry }
}

async function partOf(content: Content, at: number): Promise<Bytes> {
  const length = fileLength(layout(BigInt(content.size)), at)
  const start = Math.min(at * chunkSize, content.size)
  const part = new Uint8Array(await content.slice(start, start + length).arrayBuffer())
  if (part.length !== length) throw new PhrdError('upload', `the file gives ${part.length} bytes from ${start}, not ${length}`)
  return part
}
