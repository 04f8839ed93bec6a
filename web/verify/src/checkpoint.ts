import { ed25519 } from '@noble/curves/ed25519.js'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'
import { type Bytes, concat, equal, readU64, u64 } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'
import { parseBase64 } from './base64.js'
import { parseHex } from './form.js'
import { parseHash } from './tree.js'
import type { WitnessKey } from './trust.js'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()
const idSize = 4
const timeSize = 8
const signatureSizes = { ed25519: 64, 'ml-dsa-44': 2420 } as const

/** Checkpoint is the size and root of the log that a witness has seen, and the block that named them (C2SP tlog-checkpoint). */
export interface Checkpoint {
  readonly origin: string
  readonly size: bigint
  readonly root: Bytes
  readonly height: bigint
  readonly block: Bytes
}

/** Cosignature is what a witness says of a checkpoint: that the log had grown to it by then. */
export interface Cosignature {
  readonly name: string
  /** The key by which it was checked; undefined where the key was not given, and the signature says nothing. */
  readonly witness: WitnessKey | undefined
  /** In unix seconds; 0 where it was not checked. */
  readonly time: bigint
}

interface Line {
  readonly name: string
  readonly id: Bytes
  readonly signature: Bytes
}

/** readNote reads a signed checkpoint, and checks the signatures by the given keys. */
export function readNote(note: Uint8Array, chainID: string, keys: readonly WitnessKey[]): { checkpoint: Checkpoint; cosignatures: Cosignature[] } {
  const text = decoded(note)
  const end = text.lastIndexOf('\n\n')
  demand(end > 0 && text.endsWith('\n'), 'a note has no signatures')
  const body = text.slice(0, end + 1)
  const checkpoint = parseCheckpoint(body)
  demand(checkpoint.origin === `phrd/${chainID}`, `a witness has seen the log ${checkpoint.origin}`)
  // A signature that stands there twice counts once.
  const cosignatures = [...new Set(text.slice(end + 2, -1).split('\n'))].map(parseLine).map((line) => {
    const witness = keys.find((key) => key.name === line.name && equal(key.id, line.id))
    return { name: line.name, witness, time: witness === undefined ? 0n : checkCosignature(line, witness, checkpoint, body) }
  })
  return { checkpoint, cosignatures }
}

function decoded(note: Uint8Array): string {
  let text: string
  try {
    text = decoder.decode(note)
  } catch {
    return refuse('a note is no text')
  }
  demand(!/[\u0000-\u0009\u000b-\u001f]/.test(text), 'a note has characters that are none of a text')
  return text
}

function parseCheckpoint(body: string): Checkpoint {
  const [origin = '', size = '', root = '', block = '', ...rest] = body.split('\n')
  const named = /^block ([1-9][0-9]{0,17}) ([0-9a-f]{64})$/.exec(block) ?? refuse('a checkpoint names no block')
  demand(/^[1-9][0-9]{0,17}$/.test(size) && rest.length === 1 && rest[0] === '', 'a checkpoint has another form')
  return { origin, size: BigInt(size), root: parseHash(parseBase64(root)), height: BigInt(named[1] ?? ''), block: parseHex(named[2] ?? '') }
}

function parseLine(line: string): Line {
  const found = /^— ([^+\s]+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? refuse('a note has a signature of another form')
  const bytes = parseBase64(found[2] ?? '')
  demand(bytes.length > idSize, 'a note has an empty signature')
  return { name: found[1] ?? '', id: bytes.slice(0, idSize), signature: bytes.slice(idSize) }
}

function checkCosignature({ signature }: Line, witness: WitnessKey, checkpoint: Checkpoint, body: string): bigint {
  demand(signature.length === timeSize + signatureSizes[witness.algorithm], `the signature of ${witness.name} has another length`)
  const [time, rest] = [readU64(signature, 0), signature.slice(timeSize)]
  demand(time < 1n << 63n, `the signature of ${witness.name} has no time`)
  const isRight = witness.algorithm === 'ed25519'
    ? ed25519.verify(rest, encoder.encode(`cosignature/v1\ntime ${time}\n${body}`), witness.key)
    : ml_dsa44.verify(rest, cosignedMessage(witness.name, time, checkpoint), witness.key)
  demand(isRight, `the signature of ${witness.name} is wrong`)
  return time
}

// What ML-DSA-44 signs (C2SP tlog-cosignature): a tree from its first leaf on.
function cosignedMessage(name: string, time: bigint, checkpoint: Checkpoint): Bytes {
  return concat(encoder.encode('subtree/v1\n\0'), short(name), u64(time), short(checkpoint.origin), u64(0n), u64(checkpoint.size), checkpoint.root)
}

function short(text: string): Bytes {
  const bytes = encoder.encode(text)
  demand(bytes.length > 0 && bytes.length < 256, 'a name is empty or too long to be signed')
  return concat(Uint8Array.of(bytes.length), bytes)
}
