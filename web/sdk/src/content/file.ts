import { sameCID } from '#custody/cid.js'
import { objectCID } from '#custody/dag.js'
import type { Bytes } from '#custody/encoding.js'
import { type Manifest, openManifest } from '#custody/manifest.js'
import { chunkSize, type Entry, layout, leafLength } from '#custody/object.js'
import { Refusal } from '#custody/refusal.js'
import { hex } from '#custody/wallet.js'
import { PhrdError } from '../errors.js'
import type { Chunks } from './chunks.js'

/** Source gives blocks by their CIDs, checked. */
export type Source = (cid: Uint8Array, signal?: AbortSignal) => Promise<Bytes>

/** ObjectPlace says where the ciphertext of a version is. */
export interface ObjectPlace {
  readonly object: Uint8Array
  readonly manifest: Uint8Array
  /** The ciphertext bytes of the data leaves, as the chain has them. */
  readonly padded: bigint
}

/** OpenedFile is a version that was opened. It is read leaf by leaf; every byte that comes out was checked. */
export class OpenedFile {
  /** The CID of the object that it was read from. */
  readonly object: Uint8Array
  readonly #manifest: Manifest
  readonly #source: Source
  readonly #chunks: Chunks

  private constructor(object: Uint8Array, manifest: Manifest, source: Source, chunks: Chunks) {
    this.object = object
    this.#manifest = manifest
    this.#source = source
    this.#chunks = chunks
  }

  /** open opens the manifest of an object, and refuses one whose leaves do not make that object. */
  static async open(place: ObjectPlace, dek: Uint8Array, source: Source, chunks: Chunks): Promise<OpenedFile> {
    const { manifest, leaves } = await openManifest(await source(place.manifest), dek, source)
    const l = layout(manifest.size)
    const data = manifest.entries.map((entry, at) => ({ cid: entry.cid, size: BigInt(leafLength(l, at)) }))
    const root = objectCID([...data, ...leaves.map((leaf) => ({ cid: leaf.cid, size: BigInt(leaf.leaf.length) }))])
    if (!sameCID(root, place.object) || l.total !== place.padded) throw new Refusal('a manifest is of another object')
    return new OpenedFile(place.object, manifest, source, chunks)
  }

  /** The file's name, which somebody else chose: data, never a path. */
  get name(): string {
    return this.#manifest.name
  }

  get mediaType(): string {
    return this.#manifest.mediaType
  }

  /** When the file was created, in unix seconds; 0 where that was not known. Likewise modified. */
  get created(): bigint {
    return this.#manifest.created
  }

  get modified(): bigint {
    return this.#manifest.modified
  }

  get size(): bigint {
    return this.#manifest.size
  }

  /** What a later version of the record takes over from this one: its leaves, with their keys. They are secret. */
  get leaves(): readonly Entry[] {
    return this.#manifest.entries
  }

  /** stream gives length bytes from an offset on, a few leaves ahead of the reader, whatever the size of the file. Cancelling it ends the requests. */
  stream(offset = 0n, length = this.size - offset): ReadableStream<Bytes> {
    if (offset < 0n || length < 0n || offset + length > this.size) throw new PhrdError('ref', `${length} bytes from ${offset} of a file of ${this.size}`)
    const stop = new AbortController()
    const parts = this.#parts(offset, length, stop.signal)
    return new ReadableStream<Bytes>({
      async pull(controller) {
        const { done, value } = await parts.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel(reason) {
        stop.abort(reason)
        await parts.return(undefined)
      },
    }, { highWaterMark: 0 })
  }

  /** bytes are those of a range, at once. */
  async bytes(offset = 0n, length = this.size - offset): Promise<Bytes> {
    return new Uint8Array(await new Response(this.stream(offset, length)).arrayBuffer())
  }

  /** check reads and opens every leaf, also those of zeros behind the file, but for those of which it is known. */
  async check(progress: (leaves: number) => void = () => undefined, known: readonly Uint8Array[] = []): Promise<void> {
    const isKnown = new Set(known.map(hex))
    const wanted = this.#manifest.entries.flatMap(({ cid }, at) => (isKnown.has(hex(cid)) ? [] : [at]))
    let done = known.length
    for await (const _ of this.#leavesAt(wanted, new AbortController().signal)) progress(++done)
  }

  async *#parts(offset: bigint, length: bigint, signal: AbortSignal): AsyncGenerator<Bytes, undefined> {
    if (length === 0n) return
    const end = offset + length
    const leaf = BigInt(chunkSize)
    let start = (offset / leaf) * leaf
    for await (const plain of this.#leavesAt(range(Number(offset / leaf), Number((end - 1n) / leaf)), signal)) {
      const from = offset > start ? Number(offset - start) : 0
      const to = end < start + leaf ? Number(end - start) : plain.length
      yield from === 0 && to === plain.length ? plain : plain.slice(from, to)
      start += leaf
    }
  }

  // Leaves in this order, with as many under way as there are lanes.
  async *#leavesAt(wanted: readonly number[], signal: AbortSignal): AsyncGenerator<Bytes, undefined> {
    const underWay: Promise<Bytes>[] = []
    try {
      for (let next = 0; next < wanted.length || underWay.length > 0; ) {
        for (let at = wanted[next]; at !== undefined && underWay.length < this.#chunks.lanes; at = wanted[++next]) underWay.push(handled(this.#leaf(at, signal)))
        const plain = await underWay.shift()
        if (plain !== undefined) yield plain
      }
    } finally {
      await Promise.allSettled(underWay)
    }
  }

  async #leaf(at: number, signal: AbortSignal): Promise<Bytes> {
    signal.throwIfAborted()
    const entry = this.#manifest.entries[at]
    if (entry === undefined) throw new Refusal('a file has no such leaf')
    return this.#chunks.open(this.size, at, entry, await this.#source(entry.cid, signal), this.#manifest.idKey)
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

/** handled keeps a promise that fails while nobody awaits it yet from ending the program. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
