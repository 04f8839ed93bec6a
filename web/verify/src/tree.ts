import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, concat, equal } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'

// The Merkle tree of RFC 9162, section 2.1.

const [leafTag, nodeTag] = [Uint8Array.of(0), Uint8Array.of(1)]
const hashSize = 32

/** leafHash is the hash of a leaf. */
export function leafHash(data: Uint8Array): Bytes {
  return Uint8Array.from(sha256(concat(leafTag, data)))
}

/** nodeHash is the hash of a node over its two children. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Bytes {
  return Uint8Array.from(sha256(concat(nodeTag, left, right)))
}

/** treeHash is the root over all leaves (section 2.1.1). */
export function treeHash(leaves: readonly Uint8Array[]): Bytes {
  const frontier = new Frontier()
  for (const leaf of leaves) frontier.append(leafHash(leaf))
  return frontier.root()
}

/** Frontier is the right edge of a tree: the roots of its perfect subtrees, largest first. It is all that is needed to go on. */
export class Frontier {
  #size: bigint
  readonly #nodes: Bytes[]

  /** It refuses another number of nodes than a tree of the size has. */
  constructor(size = 0n, nodes: readonly Uint8Array[] = []) {
    demand(nodes.length === ones(size), `a tree of ${size} leaves has ${nodes.length} perfect subtrees`)
    this.#size = size
    this.#nodes = nodes.map(parseHash)
  }

  get size(): bigint {
    return this.#size
  }

  /** append adds the hash of a leaf. */
  append(leaf: Bytes): void {
    let node = leaf
    for (let rest = this.#size; (rest & 1n) === 1n; rest >>= 1n) node = nodeHash(this.#nodes.pop() ?? refuse('a frontier lacks a node'), node)
    this.#nodes.push(node)
    this.#size++
  }

  /** root is the root over all leaves. */
  root(): Bytes {
    if (this.#nodes.length === 0) return Uint8Array.from(sha256(new Uint8Array()))
    return this.#nodes.reduceRight((right, left) => nodeHash(left, right))
  }
}

/** parseHash accepts 32 bytes. */
export function parseHash(bytes: Uint8Array): Bytes {
  demand(bytes.length === hashSize, `a hash of ${bytes.length} bytes`)
  return Uint8Array.from(bytes)
}

/** checkInclusion refuses unless a leaf is at the index of the tree of a size and root (section 2.1.3.2). */
export function checkInclusion(leaf: Bytes, index: bigint, size: bigint, root: Uint8Array, path: readonly Uint8Array[]): void {
  demand(index < size, `leaf ${index} is not in a tree of ${size}`)
  let [fn, sn, hash] = [index, size - 1n, leaf]
  for (const step of path.map(parseHash)) {
    demand(sn > 0n, 'a path is too long')
    if (fn % 2n === 1n || fn === sn) {
      hash = nodeHash(step, hash)
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n]
    } else hash = nodeHash(hash, step)
    ;[fn, sn] = [fn >> 1n, sn >> 1n]
  }
  demand(sn === 0n && equal(hash, root), 'it is not in the log')
}

/** checkConsistency refuses unless the tree of the first size and root goes on as the second one (section 2.1.4.2). */
export function checkConsistency(first: bigint, firstRoot: Uint8Array, second: bigint, secondRoot: Uint8Array, path: readonly Uint8Array[]): void {
  demand(first > 0n && first <= second, `a log of ${first} entries does not go on as one of ${second}`)
  if (first === second) {
    demand(path.length === 0 && equal(firstRoot, secondRoot), 'two logs of one size differ')
    return
  }
  const isPerfect = ones(first) === 1
  const steps = [...(isPerfect ? [firstRoot] : []), ...path].map(parseHash)
  let [fn, sn] = [first - 1n, second - 1n]
  while (fn % 2n === 1n) [fn, sn] = [fn >> 1n, sn >> 1n]
  const start = steps[0] ?? refuse('a proof of growth is empty')
  demand(path.length > 0, 'a proof of growth is empty')
  let [old, now] = [start, start]
  for (const step of steps.slice(1)) {
    demand(sn > 0n, 'a proof of growth is too long')
    if (fn % 2n === 1n || fn === sn) {
      ;[old, now] = [nodeHash(step, old), nodeHash(step, now)]
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n]
    } else now = nodeHash(now, step)
    ;[fn, sn] = [fn >> 1n, sn >> 1n]
  }
  demand(sn === 0n && equal(old, firstRoot) && equal(now, secondRoot), 'the log does not go on as that of the state')
}

function ones(n: bigint): number {
  let count = 0
  for (let rest = n; rest > 0n; rest >>= 1n) count += Number(rest & 1n)
  return count
}
