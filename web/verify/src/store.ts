import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, concat, equal } from '#custody/encoding.js'
import { type Kind, Message } from '#custody/protobuf.js'
import { demand, refuse } from '#custody/refusal.js'

// Proofs of existence as ics23 defines them, for its two specs that a Cosmos chain uses.

const sha256Op = 1n
const varProto = 1n
const proofFields = { 1: 'bytes' } as const
const existenceFields = { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'messages' } as const
const leafFields = { 1: 'number', 2: 'number', 3: 'number', 4: 'number', 5: 'bytes' } as const
const innerFields = { 1: 'number', 2: 'bytes', 3: 'bytes' } as const

interface Spec {
  /** leaf refuses a leaf's prefix that the store would not write. */
  readonly leaf: (prefix: Uint8Array) => void
  /** inner refuses the bytes on both sides of a child that the store would not write. */
  readonly inner: (prefix: Uint8Array, suffix: Uint8Array) => void
}

/** iavl is the store of a module: a leaf and a node begin with height, size and version, and children with their length. */
export const iavl: Spec = {
  leaf(prefix) {
    const rest = afterNumbers(prefix, true)
    demand(rest.length === 0, 'a leaf of a store begins with something else')
  },
  inner(prefix, suffix) {
    const rest = afterNumbers(prefix, false)
    const isLeft = rest.length === 1 && rest[0] === 32 && suffix.length === 33 && suffix[0] === 32
    const isRight = rest.length === 34 && rest[0] === 32 && rest[33] === 32 && suffix.length === 0
    demand(isLeft || isRight, 'a node of a store has another form')
  },
}

/** tendermint is the tree over all stores. */
export const tendermint: Spec = {
  leaf(prefix) {
    demand(prefix.length === 1 && prefix[0] === 0, 'a leaf of the stores begins with something else')
  },
  inner(prefix, suffix) {
    const isLeft = prefix.length === 1 && suffix.length === 32
    const isRight = prefix.length === 33 && suffix.length === 0
    demand(prefix[0] === 1 && (isLeft || isRight), 'a node of the stores has another form')
  },
}

/** rootOf is the root of a tree in which an encoded CommitmentProof shows the value at the key. */
export function rootOf(spec: Spec, encoded: Uint8Array, key: Uint8Array, value: Uint8Array): Bytes {
  const existence = new Message(new Message(encoded, proofFields).bytes(1), existenceFields)
  demand(equal(existence.bytes(1), key), 'a proof is of another key')
  demand(equal(existence.bytes(2), value) && value.length > 0, 'a proof is of another value')
  const leaf = fieldsOf(existence.bytes(3), leafFields)
  const isPlain = leaf.number(1) === sha256Op && leaf.number(2) === 0n && leaf.number(3) === sha256Op && leaf.number(4) === varProto
  demand(isPlain, 'a leaf is hashed in another way')
  spec.leaf(leaf.bytes(5))
  const start = hash(leaf.bytes(5), counted(key), counted(sha256(value)))
  return existence.messages(4).reduce((child: Bytes, step) => {
    const inner = fieldsOf(step, innerFields)
    demand(inner.number(1) === sha256Op, 'a node is hashed in another way')
    spec.inner(inner.bytes(2), inner.bytes(3))
    return hash(inner.bytes(2), child, inner.bytes(3))
  }, start)
}

function fieldsOf(bytes: Uint8Array, fields: Readonly<Record<number, Kind>>): Message {
  return new Message(bytes, fields)
}

// Height, size and version of a node, each a varint with a sign. A leaf has the height 0.
function afterNumbers(prefix: Uint8Array, isLeaf: boolean): Uint8Array {
  let at = 0
  for (let i = 0; i < 3; i++) {
    const start = at
    while ((prefix[at] ?? refuse('a node of a store begins with too little')) >= 128) at++
    at++
    const [first = 0] = prefix.subarray(start)
    demand(at - start <= 10 && first % 2 === 0, 'a node of a store has a number that is none')
    if (i === 0) demand((at - start === 1 && first === 0) === isLeaf, 'a node of a store has another height')
  }
  return prefix.subarray(at)
}

function counted(bytes: Uint8Array): Bytes {
  const length: number[] = []
  for (let rest = bytes.length; ; rest >>= 7) {
    if (rest < 128) return concat(Uint8Array.from([...length, rest]), bytes)
    length.push((rest & 127) | 128)
  }
}

function hash(...parts: readonly Uint8Array[]): Bytes {
  return Uint8Array.from(sha256(concat(...parts)))
}
