import { objectDag } from '#custody/dag.js'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { sealManifest } from '#custody/manifest.js'
import { chunkSize, type Entry, fileLength, layout, leafLength, type SealedChunk } from '#custody/object.js'
import { PhrdError } from '../errors.js'
import type { Chunks } from './chunks.js'
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
}

/** sealObject encrypts a file into a sink: data leaves, manifest leaves, and the nodes above them. Of the file no more is in memory than the lanes work on. */
export async function sealObject(content: Content, draft: Draft, chunks: Chunks, sink: Sink): Promise<SealedObject> {
  const [size, dek, idKey] = [BigInt(content.size), randomBytes(32), randomBytes(32)]
  const l = layout(size)
  const entries: Entry[] = []
  for await (const { entry, leaf } of sealedChunks(content, idKey, chunks)) {
    entries.push(entry)
    await sink(Uint8Array.from(entry.cid), leaf)
  }
  const { name, mediaType, created = 0n, modified = 0n } = draft
  const leaves = await sealManifest({ name: name.normalize('NFC'), mediaType, created, modified, size, idKey, entries }, dek, () => randomBytes(32))
  for (const { cid, leaf } of leaves) await sink(cid, leaf)
  const data = entries.map((entry, at) => ({ cid: entry.cid, size: BigInt(leafLength(l, at)) }))
  const dag = objectDag([...data, ...leaves.map(({ cid, leaf }) => ({ cid, size: BigInt(leaf.length) }))])
  for (const { cid, block } of dag.nodes) await sink(cid, block)
  const manifest = leaves.at(-1)?.cid
  if (manifest === undefined) throw new TypeError('a manifest has no leaf')
  return { object: dag.root, manifest, padded: l.total, dek }
}

async function* sealedChunks(content: Content, idKey: Bytes, chunks: Chunks): AsyncGenerator<SealedChunk, undefined> {
  const { leaves } = layout(BigInt(content.size))
  const underWay: Promise<SealedChunk>[] = []
  try {
    for (let next = 0; next < leaves || underWay.length > 0; ) {
      while (next < leaves && underWay.length < chunks.lanes) underWay.push(handled(sealPart(content, next++, idKey, chunks)))
      const sealed = await underWay.shift()
      if (sealed !== undefined) yield sealed
    }
  } finally {
    await Promise.allSettled(underWay)
  }
}

async function sealPart(content: Content, at: number, idKey: Bytes, chunks: Chunks): Promise<SealedChunk> {
  const size = BigInt(content.size)
  const length = fileLength(layout(size), at)
  const start = Math.min(at * chunkSize, content.size)
  const part = new Uint8Array(await content.slice(start, start + length).arrayBuffer())
  if (part.length !== length) throw new PhrdError('upload', `the file gives ${part.length} bytes from ${start}, not ${length}`)
  return chunks.seal(size, at, part, randomBytes(32), idKey)
}
