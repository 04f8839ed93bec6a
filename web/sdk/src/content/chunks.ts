import { sameCID } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { type Entry, layout, openChunk, sealChunk, type SealedChunk } from '#custody/object.js'

/** Chunks seals and opens the leaves of files, on this thread or on others. */
export interface Chunks {
  /** How many leaves it works on at a time. */
  readonly lanes: number
  /** seal encrypts the part of a file of that size that belongs into a leaf, under a key that encrypts nothing else. The part is given away. */
  seal(size: bigint, at: number, part: Bytes, key: Bytes): Promise<SealedChunk>
  /** open checks and opens a leaf, with the id key of a manifest that has one. The leaf is given away. */
  open(size: bigint, at: number, entry: Entry, leaf: Bytes, idKey?: Uint8Array): Promise<Bytes>
  close(): void
}

/** onThisThread works where it is called. WebCrypto itself works beside it. */
export const onThisThread: Chunks = {
  lanes: 4,
  seal: (size, at, part, key) => sealChunk(layout(size), at, part, key),
  open: (size, at, entry, leaf, idKey) => openChunk(layout(size), at, entry, leaf, idKey),
  close: () => undefined,
}

/** isSealed tells whether a leaf is this part of a file under its key, without having the leaf: sealed for it, the part is the very leaf, or is forgotten here. The part stays. */
export async function isSealed(leaf: Entry, size: bigint, at: number, part: Bytes, chunks: Chunks): Promise<boolean> {
  const again = await chunks.seal(size, at, part.slice(), Uint8Array.from(leaf.key))
  if (sameCID(again.entry.cid, leaf.cid)) return true
  again.leaf.fill(0) // a second message under that key must leave this function in no form
  return false
}
