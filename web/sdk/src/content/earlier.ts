import { sameCID } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { chunkIDOf, type Entry, layout } from '#custody/object.js'
import { hex } from '#custody/wallet.js'
import type { Chunks } from './chunks.js'
import type { OpenedFile } from './file.js'

/** Holds tells whether a leaf is whole where the new version is stored. */
export type Holds = (cid: Uint8Array) => Promise<boolean>

/** Earlier finds leaves of an earlier version, wherever in the file they stood. */
export class Earlier {
  readonly idKey: Bytes
  readonly #leaves = new Map<string, Entry[]>()
  readonly #holds: Holds

  constructor(file: OpenedFile, holds: Holds) {
    this.#holds = holds
    this.idKey = Uint8Array.from(file.leaves.idKey)
    for (const entry of file.leaves.entries) {
      const id = hex(entry.chunkID)
      this.#leaves.set(id, [...(this.#leaves.get(id) ?? []), entry])
    }
  }

  /** take gives the entry of a leaf that holds this part of a file, and gives it once: no object names a CID twice. That a leaf holds this very plaintext is not believed: the part is sealed under the leaf's key, and the CID must come out. So whoever made the earlier version can't have the new one name leaves that open to something else. */
  async take(size: bigint, at: number, part: Bytes, chunks: Chunks): Promise<Entry | undefined> {
    const leaf = await this.#next(hex(await chunkIDOf(layout(size), at, part, this.idKey)))
    if (leaf === undefined) return undefined
    const { entry, leaf: sealed } = await chunks.seal(size, at, part.slice(), Uint8Array.from(leaf.key), this.idKey)
    if (sameCID(entry.cid, leaf.cid)) return entry
    sealed.fill(0) // a second message under that key must be nowhere
    return undefined
  }

  async #next(id: string): Promise<Entry | undefined> {
    for (;;) {
      const leaf = this.#leaves.get(id)?.shift()
      if (leaf === undefined || (await this.#holds(leaf.cid))) return leaf
    }
  }
}
