import { hkdf } from '@noble/hashes/hkdf.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { decrypt, encrypt } from './aead.js'
import { parseObjectCID, parseRawCID } from './cid.js'
import { ascii, type Bytes, concat, counted, equal, fixed, hash, hash32 } from './encoding.js'
import { parseHash } from './generation.js'
import { parseID } from './id.js'
import { type Lock, lock } from './kinds.js'
import { encodePoint, type Point } from './point.js'
import { demand, refuse } from './refusal.js'

/** ownerCommitment is Pc, the commitment to p. */
export function ownerCommitment(ctx: Uint8Array, U: Point, p: Uint8Array): Bytes {
  return hash32('phrd/v1/p-commit', parseHash(ctx, 'a context'), encodePoint(U), fixed(p, 32, 'p'))
}

/** checkOwnerHalf refuses a p that Pc does not commit to. */
export function checkOwnerHalf(ctx: Uint8Array, U: Point, p: Uint8Array, pc: Uint8Array): void {
  demand(equal(ownerCommitment(ctx, U, p), pc), "the owner's half is not the one committed to")
}

/** dataCommitment is Dc, the commitment to a version's DEK. */
export function dataCommitment(record: Uint8Array, version: bigint, dek: Uint8Array): Bytes {
  return hash32('phrd/v1/dek-commit', parseID(record), counted(version, 'version'), fixed(dek, 32, 'a DEK'))
}

/** What the salt T covers. Under lock 2 pc has no bytes. */
export interface Salted {
  readonly ctx: Uint8Array
  readonly U: Point
  readonly UBar: Point
  readonly pc: Uint8Array
  readonly dc: Uint8Array
  readonly manifest: Uint8Array
  readonly object: Uint8Array
}

/** salt is T of appendix A: HKDF's salt and the aad of wrap. */
export function salt(s: Salted): Bytes {
  return hash(
    'phrd/v1/salt',
    parseHash(s.ctx, 'a context'),
    encodePoint(s.U),
    encodePoint(s.UBar),
    parseOwnerCommitment(s.pc),
    fixed(s.dc, 32, 'Dc'),
    parseRawCID(s.manifest),
    parseObjectCID(s.object),
  )
}

/** parseOwnerCommitment accepts Pc, or none as under lock 2. */
export function parseOwnerCommitment(pc: Uint8Array): Bytes {
  return pc.length === 0 ? new Uint8Array() : fixed(pc, 32, 'Pc')
}

/** The key that wraps a DEK, and C, which commits to both halves. */
export interface WrappingKey {
  readonly kek: Bytes
  readonly c: Bytes
}

/** wrappingKey joins the halves. p is given under lock 1 and only there. */
export function wrappingKey(as: Lock, p: Uint8Array | undefined, K: Point, T: Uint8Array): WrappingKey {
  demand(!K.is0(), 'the network half is the identity')
  const half = encodePoint(K)
  const ikm = concat(ownerHalf(as, p), half)
  const okm = Uint8Array.from(hkdf(sha512, ikm, parseHash(T, 'a salt'), ascii('phrd/v1/kek'), 64))
  return { kek: okm.slice(0, 32), c: okm.slice(32) }
}

function ownerHalf(as: Lock, p: Uint8Array | undefined): Bytes {
  if (as === lock.both) return p === undefined ? refuse("the owner's half is missing") : fixed(p, 32, 'p')
  if (p !== undefined) refuse("an owner's half under the network's lock")
  return new Uint8Array()
}

/** wrap encrypts the DEK under the KEK: 48 bytes. */
export async function wrap(kek: Uint8Array, dek: Uint8Array, T: Uint8Array): Promise<Bytes> {
  return encrypt(kek, fixed(dek, 32, 'a DEK'), parseHash(T, 'a salt'))
}

/** A version's wrapped DEK and what it is checked by. */
export interface Wrapped {
  readonly c: Uint8Array
  readonly wrap: Uint8Array
  readonly dc: Uint8Array
  readonly record: Uint8Array
  readonly version: bigint
}

/** unwrap checks C, then wrap, then Dc, and gives the DEK. */
export async function unwrap(as: Lock, p: Uint8Array | undefined, K: Point, T: Uint8Array, w: Wrapped): Promise<Bytes> {
  const key = wrappingKey(as, p, K, T)
  demand(equal(key.c, w.c), 'the halves are not those committed to')
  const dek = await decrypt(key.kek, fixed(w.wrap, 48, 'a wrap'), T)
  demand(equal(dataCommitment(w.record, w.version, dek), w.dc), 'the DEK is not the one committed to')
  return dek
}
