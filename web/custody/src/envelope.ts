import { parseRawCID } from './cid.js'
import { parseOwnerCommitment } from './commit.js'
import { type Bytes, compare, concat, counted, fixed } from './encoding.js'
import { sealedSize } from './hybrid.js'
import { member, recipientID, recipientKind, suite } from './kinds.js'
import type { Recipient } from './own.js'
import { encodePoint, parseEncapsulation, parsePoint, type Point } from './point.js'
import { bytesField, Message, numberField } from './protobuf.js'
import { demand } from './refusal.js'

const largest = 64 * 1024
const mostOwn = 48

/** An owner half and whom it is sealed to. */
export interface OwnHalf extends Recipient {
  readonly keyHash: Uint8Array
  readonly sealed: Uint8Array
}

/** The block of emergency access: box is opened with the network's key of kind 2. */
export interface EmergencyBlock {
  readonly U: Point
  readonly UBar: Point
  readonly box: Uint8Array
}

/** The deletable block that holds a version's wrapped keys. Under lock 2 pc and own are empty. */
export interface Envelope {
  readonly suite: bigint
  readonly U: Point
  readonly UBar: Point
  readonly pc: Uint8Array
  readonly dc: Uint8Array
  readonly c: Uint8Array
  readonly wrap: Uint8Array
  readonly manifest: Uint8Array
  readonly own: readonly OwnHalf[]
  readonly emergency?: EmergencyBlock
}

/** encodeEnvelope is the canonical protobuf. */
export function encodeEnvelope(e: Envelope): Bytes {
  check(e)
  const encoded = concat(
    numberField(1, e.suite),
    bytesField(2, encodePoint(e.U)),
    bytesField(3, encodePoint(e.UBar)),
    bytesField(4, e.pc),
    bytesField(5, e.dc),
    bytesField(6, e.c),
    bytesField(7, e.wrap),
    bytesField(8, e.manifest),
    ...e.own.map((half) => bytesField(9, encodeOwn(half))),
    e.emergency === undefined ? new Uint8Array() : bytesField(10, encodeEmergency(e.emergency)),
  )
  demand(encoded.length <= largest, `an envelope of ${encoded.length} bytes`)
  return encoded
}

/** parseEnvelope accepts what encodeEnvelope gives, and nothing else. */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  demand(bytes.length <= largest, `an envelope of ${bytes.length} bytes`)
  const m = new Message(bytes, {
    1: 'number', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'bytes', 6: 'bytes', 7: 'bytes', 8: 'bytes', 9: 'messages', 10: 'bytes',
  })
  const envelope: Envelope = {
    suite: m.number(1),
    U: parseEncapsulation(m.bytes(2)),
    UBar: parsePoint(m.bytes(3)),
    pc: m.bytes(4),
    dc: m.bytes(5),
    c: m.bytes(6),
    wrap: m.bytes(7),
    manifest: m.bytes(8),
    own: m.messages(9).map(parseOwn),
    ...(m.has(10) ? { emergency: parseEmergency(m.bytes(10)) } : {}),
  }
  check(envelope)
  return envelope
}

/** inOrder puts owner halves in the order that an envelope has them in. */
export function inOrder(own: readonly OwnHalf[]): OwnHalf[] {
  return [...own].sort(order)
}

/** ownKeyHashes are those of the envelope's halves, in its order. */
export function ownKeyHashes(e: Envelope): readonly Uint8Array[] {
  return e.own.map((half) => half.keyHash)
}

function check(e: Envelope): void {
  member(suite, e.suite, 'suite')
  parseEncapsulation(encodePoint(e.U))
  parsePoint(encodePoint(e.UBar))
  parseOwnerCommitment(e.pc)
  fixed(e.dc, 32, 'Dc')
  fixed(e.c, 32, 'C')
  fixed(e.wrap, 48, 'a wrap')
  parseRawCID(e.manifest)
  demand((e.pc.length === 0) === (e.own.length === 0), 'Pc without owner halves, or they without it')
  demand(e.own.length <= mostOwn, `${e.own.length} owner halves`)
  e.own.forEach((half, i) => {
    checkOwn(half)
    const before = e.own[i - 1]
    demand(before === undefined || order(before, half) < 0, 'owner halves are not in order')
  })
  if (e.emergency !== undefined) checkEmergency(e, e.emergency)
}

function checkOwn(half: OwnHalf): void {
  demand(half.kind !== BigInt(recipientKind.emergency), 'an emergency half stands among the owner halves')
  recipientID(half.kind, half.id)
  counted(half.epoch, 'epoch')
  fixed(half.keyHash, 32, 'a key hash')
  fixed(half.sealed, sealedSize, 'an owner half')
}

function checkEmergency(e: Envelope, block: EmergencyBlock): void {
  demand(e.pc.length > 0, "an emergency block under the network's lock")
  parseEncapsulation(encodePoint(block.U))
  parsePoint(encodePoint(block.UBar))
  demand(block.box.length > 0, 'an emergency block without a box')
}

function order(a: OwnHalf, b: OwnHalf): number {
  return Number(a.kind - b.kind) || compare(a.id, b.id) || (a.epoch < b.epoch ? -1 : Number(a.epoch > b.epoch))
}

function encodeOwn(half: OwnHalf): Bytes {
  return concat(numberField(1, half.kind), bytesField(2, half.id), numberField(3, half.epoch), bytesField(4, half.keyHash), bytesField(5, half.sealed))
}

function parseOwn(bytes: Uint8Array): OwnHalf {
  const m = new Message(bytes, { 1: 'number', 2: 'bytes', 3: 'number', 4: 'bytes', 5: 'bytes' })
  return { kind: m.number(1), id: m.bytes(2), epoch: m.number(3), keyHash: m.bytes(4), sealed: m.bytes(5) }
}

function encodeEmergency(block: EmergencyBlock): Bytes {
  return concat(bytesField(1, encodePoint(block.U)), bytesField(2, encodePoint(block.UBar)), bytesField(3, block.box))
}

function parseEmergency(bytes: Uint8Array): EmergencyBlock {
  const m = new Message(bytes, { 1: 'bytes', 2: 'bytes', 3: 'bytes' })
  return { U: parseEncapsulation(m.bytes(1)), UBar: parsePoint(m.bytes(2)), box: m.bytes(3) }
}
