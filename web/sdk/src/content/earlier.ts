import type { Bytes } from '#custody/encoding.js'
import type { Entry } from '#custody/object.js'
import { type Chunks, isSealed } from './chunks.js'
import type { OpenedFile } from './file.js'

/** Holds tells whether a leaf is whole where the new version is stored. */
export type Holds = (cid: Uint8Array) => Promise<boolean>

/** Earlier finds leaves of an earlier version that hold what is in the same place of a file. */
export class Earlier {
  readonly #leaves: readonly Entry[]
  readonly #holds: Holds

  constructor(file: Pick<OpenedFile, 'leaves'>, holds: Holds) {
    this.#holds = holds
    this.#leaves = file.leaves
  }

  /** take gives the entry of the leaf in that place, where it holds this part of a file: the part, sealed under the leaf's key, has the leaf's CID. So whoever made the earlier version can't have the new one name leaves that open to something else. */
  async take(size: bigint, at: number, part: Bytes, chunks: Chunks): Promise<Entry | undefined> {
    const leaf = this.#leaves[at]
    if (leaf === undefined || !(await isSealed(leaf, size, at, part, chunks)) || !(await this.#holds(leaf.cid))) return undefined
    return { cid: leaf.cid, key: leaf.key, length: part.length }
  }
}
