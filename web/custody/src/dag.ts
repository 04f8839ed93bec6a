import { cidOf, codec, parseRawCID } from './cid.js'
import { type Bytes, concat } from './encoding.js'
import { bytesField, numberField, presentField } from './protobuf.js'
import { demand } from './refusal.js'

const width = 174
const unixfsFile = 2n

/** A leaf of an object: its CID and the length of its ciphertext. */
export interface DagLeaf {
  readonly cid: Uint8Array
  readonly size: bigint
}

/** Dag is an object's root, and the blocks of all nodes above its leaves, the root last. */
export interface Dag {
  readonly root: Bytes
  readonly nodes: readonly { readonly cid: Bytes; readonly block: Bytes }[]
}

// A node of a level: size is of the file below it, total of the blocks that it and those are.
interface Node {
  readonly cid: Uint8Array
  readonly size: bigint
  readonly total: bigint
}

/** objectCID is the root of the balanced UnixFS file over the leaves: those of data, of the manifest, of its indexes, its root last. */
export function objectCID(leaves: readonly DagLeaf[]): Bytes {
  return objectDag(leaves).root
}

/** objectDag is the same file with the blocks that a store needs beside the leaves. */
export function objectDag(leaves: readonly DagLeaf[]): Dag {
  demand(leaves.length >= 2, 'an object has no data or no manifest')
  let level: Node[] = leaves.map((leaf) => ({ cid: parseRawCID(leaf.cid), size: leaf.size, total: leaf.size }))
  const nodes: (Node & { readonly cid: Bytes; readonly block: Bytes })[] = []
  while (level.length > 1) {
    const parents: typeof nodes = []
    for (let at = 0; at < level.length; at += width) parents.push(parentOf(level.slice(at, at + width)))
    nodes.push(...parents)
    level = parents
  }
  return { root: Uint8Array.from(level[0]?.cid ?? []), nodes }
}

function parentOf(children: readonly Node[]): Node & { readonly cid: Bytes; readonly block: Bytes } {
  const size = children.reduce((total, child) => total + child.size, 0n)
  const data = concat(numberField(1, unixfsFile), numberField(3, size), ...children.map((child) => numberField(4, child.size)))
  const links = children.map((child) => bytesField(2, concat(bytesField(1, child.cid), presentField(2, new Uint8Array()), numberField(3, child.total))))
  const block = concat(...links, bytesField(1, data))
  return { cid: cidOf(block, codec.dagPB), block, size, total: children.reduce((total, child) => total + child.total, BigInt(block.length)) }
}
