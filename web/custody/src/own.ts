import { type Bytes, counted, fixed, hash, sha256 } from './encoding.js'
import { parseHash } from './generation.js'
import * as hybrid from './hybrid.js'
import { member, recipientID, recipientKind } from './kinds.js'
import { encodePoint, type Point } from './point.js'

/** Whose vault key an owner half is sealed to. */
export interface Recipient {
  readonly kind: bigint
  readonly id: Uint8Array
  readonly epoch: bigint
}

/** ownInfo binds an owner half to its lock and its recipient. */
export function ownInfo(ctx: Uint8Array, U: Point, to: Recipient, keyHash: Uint8Array): Bytes {
  return hash(
    'phrd/v1/own',
    parseHash(ctx, 'a context'),
    encodePoint(U),
    member(recipientKind, to.kind, 'recipient kind'),
    recipientID(to.kind, to.id),
    counted(to.epoch, 'epoch'),
    fixed(keyHash, 32, 'a key hash'),
  )
}

/** sealOwn seals p to the recipient's vault key: 1168 bytes. */
export async function sealOwn(ctx: Uint8Array, U: Point, to: Recipient, key: Uint8Array, p: Uint8Array, chance?: Uint8Array): Promise<Bytes> {
  return hybrid.seal(key, ownInfo(ctx, U, to, sha256(key)), fixed(p, 32, 'p'), chance)
}

/** openOwn opens an owner half with the seed of the recipient's vault key. */
export async function openOwn(ctx: Uint8Array, U: Point, to: Recipient, seed: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
  const message = fixed(sealed, hybrid.sealedSize, 'an owner half')
  const keyHash = sha256(await hybrid.publicKey(seed))
  return fixed(await hybrid.open(seed, ownInfo(ctx, U, to, keyHash), message), 32, 'p')
}
