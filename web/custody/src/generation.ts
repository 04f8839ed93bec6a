import { type Bytes, counted, fixed, hash, u64 } from './encoding.js'
import { keyKind, lock, member, ownerID, ownerKind, suite } from './kinds.js'
import { parseID } from './id.js'
import { encodePoint, hashToGroup, type Point } from './point.js'

/** A network key of one kind: its number and public point. */
export interface Generation {
  readonly net: Uint8Array
  readonly kind: bigint
  readonly generation: bigint
  readonly X: Point
}

/** generationHash is gen of appendix A, 64 bytes. */
export function generationHash(g: Generation): Bytes {
  return hash(
    'phrd/v1/generation',
    parseNet(g.net),
    member(keyKind, g.kind, 'key kind'),
    counted(g.generation, 'generation'),
    encodePoint(g.X),
  )
}

/** secondBase is Ḡ, the second base of a generation's encapsulations. */
export function secondBase(gen: Uint8Array): Point {
  return hashToGroup(parseHash(gen, 'a generation'))
}

/** What does not change under one lock of a version: owner and custodian as at locking. */
export interface Context {
  readonly net: Uint8Array
  readonly suite: bigint
  readonly lock: bigint
  readonly record: Uint8Array
  readonly version: bigint
  readonly ownerKind: bigint
  readonly ownerID: Uint8Array
  readonly custodian: bigint
  readonly gen: Uint8Array
}

/** contextHash is ctx of appendix A, 64 bytes. */
export function contextHash(c: Context): Bytes {
  return hash(
    'phrd/v1/record',
    parseNet(c.net),
    member(suite, c.suite, 'suite'),
    member(lock, c.lock, 'lock'),
    parseID(c.record),
    counted(c.version, 'version'),
    member(ownerKind, c.ownerKind, 'owner kind'),
    ownerID(c.ownerKind, c.ownerID),
    u64(c.custodian),
    parseHash(c.gen, 'a generation'),
  )
}

/** parseNet accepts the network id of genesis, 32 bytes. */
export function parseNet(bytes: Uint8Array): Bytes {
  return fixed(bytes, 32, 'a network id')
}

/** parseHash accepts what H gave, 64 bytes. */
export function parseHash(bytes: Uint8Array, what: string): Bytes {
  return fixed(bytes, 64, what)
}

/** parseAddress accepts the 20 bytes of an account's address. */
export function parseAddress(bytes: Uint8Array): Bytes {
  return fixed(bytes, 20, 'an address')
}
