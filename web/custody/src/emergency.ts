import { hkdf } from '@noble/hashes/hkdf.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { decrypt, encrypt } from './aead.js'
import { ascii, type Bytes, concat, counted, fixed, hash, readU64 } from './encoding.js'
import { parseAddress, parseHash } from './generation.js'
import { sealedSize } from './hybrid.js'
import { encodePoint, type Point } from './point.js'
import { bytesField, Message, numberField } from './protobuf.js'
import { demand } from './refusal.js'

/** p, sealed in the own form to the emergency vault of a hospital. */
export interface EmergencyHalf {
  readonly hospital: bigint
  readonly epoch: bigint
  readonly sealed: Uint8Array
}

/** emergencyHash is E of appendix A. gen is that of kind 2. */
export function emergencyHash(ctx: Uint8Array, gen: Uint8Array, U: Point, UBar: Point, pc: Uint8Array): Bytes {
  return hash('phrd/v1/emergency', parseHash(ctx, 'a context'), parseHash(gen, 'a generation'), encodePoint(U), encodePoint(UBar), fixed(pc, 32, 'Pc'))
}

/** emergencyLabel is the label of the block's encapsulation proof. */
export function emergencyLabel(E: Uint8Array, boxHash: Uint8Array, signer: Uint8Array): Bytes {
  return hash('phrd/v1/encap-emergency', parseHash(E, 'E'), fixed(boxHash, 32, 'a hash'), parseAddress(signer))
}

/** encodeHalves is the protobuf that a box holds: hospitals ascending, none twice. */
export function encodeHalves(halves: readonly EmergencyHalf[]): Bytes {
  check(halves)
  const encoded = halves.map((half) => bytesField(1, concat(numberField(1, half.hospital), numberField(2, half.epoch), bytesField(3, half.sealed))))
  return concat(...encoded)
}

/** sealBox encrypts the halves under the network's half K of kind 2. */
export async function sealBox(E: Uint8Array, K: Point, halves: readonly EmergencyHalf[]): Promise<Bytes> {
  return encrypt(boxKey(E, K), encodeHalves(halves), parseHash(E, 'E'))
}

/** openBox gives the halves. */
export async function openBox(E: Uint8Array, K: Point, box: Uint8Array): Promise<EmergencyHalf[]> {
  const plaintext = await decrypt(boxKey(E, K), Uint8Array.from(box), parseHash(E, 'E'))
  const halves = new Message(plaintext, { 1: 'messages' }).messages(1).map((bytes) => {
    const m = new Message(bytes, { 1: 'number', 2: 'number', 3: 'bytes' })
    return { hospital: m.number(1), epoch: m.number(2), sealed: m.bytes(3) }
  })
  check(halves)
  return halves
}

const askedSize = 8 + sealedSize

/** encodeAsked is what a hospital's server is asked to open: its halves, one for each version, in the emergency's order. */
export function encodeAsked(halves: readonly Omit<EmergencyHalf, 'hospital'>[]): Bytes {
  demand(halves.length > 0, 'no half is asked for')
  return concat(...halves.map((half) => concat(counted(half.epoch, 'epoch'), fixed(half.sealed, sealedSize, 'an owner half'))))
}

/** parseAsked reads it. */
export function parseAsked(bytes: Uint8Array): Omit<EmergencyHalf, 'hospital'>[] {
  demand(bytes.length > 0 && bytes.length % askedSize === 0, `halves in ${bytes.length} bytes`)
  return Array.from({ length: bytes.length / askedSize }, (_, i) => {
    const half = bytes.slice(i * askedSize, (i + 1) * askedSize)
    return { epoch: readU64(half, 0), sealed: half.slice(8) }
  })
}

function boxKey(E: Uint8Array, K: Point): Bytes {
  demand(!K.is0(), 'the network half is the identity')
  return Uint8Array.from(hkdf(sha512, encodePoint(K), parseHash(E, 'E'), ascii('phrd/v1/emergency-kek'), 32))
}

function check(halves: readonly EmergencyHalf[]): void {
  demand(halves.length > 0, 'a box without halves')
  halves.forEach((half, i) => {
    counted(half.hospital, 'hospital')
    counted(half.epoch, 'epoch')
    fixed(half.sealed, sealedSize, 'an owner half')
    demand(i === 0 || half.hospital > (halves[i - 1]?.hospital ?? half.hospital), 'the hospitals of a box are not ascending')
  })
}
