import type { Bytes } from '#custody/encoding.js'
import { type Entry, layout, openChunk, sealChunk, type SealedChunk } from '#custody/object.js'

/** Chunks seals and opens the leaves of files, on this thread or on others. */
export interface Chunks {
  /** How many leaves it works on at a time. */
  readonly lanes: number
  /** seal encrypts the part of a file of that size that belongs into a leaf, under a key that encrypts nothing else. The part is given away. */
  seal(size: bigint, at: number, part: Bytes, key: Bytes, idKey: Bytes): Promise<SealedChunk>
  /** open checks and opens a leaf. The leaf is given away. */
  open(size: bigint, at: number, entry: Entry, leaf: Bytes, idKey: Bytes): Promise<Bytes>
  close(): void
}

/** onThisThread works where it is called. WebCrypto itself works beside it. */
export const onThisThread: Chunks = {
  lanes: 4,
  seal: (size, at, part, key, idKey) => sealChunk(layout(size), at, part, key, idKey),
  open: (size, at, entry, leaf, idKey) => openChunk(layout(size), at, entry, leaf, idKey),
  close: () => undefined,
}
