import { hkdf } from '@noble/hashes/hkdf.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { cidOf } from './cid.js'
import { ascii, type Bytes, fixed } from './encoding.js'
import * as hybrid from './hybrid.js'
import { encodePoint, G, parseEncapsulation, type Point, times } from './point.js'
import { demand } from './refusal.js'
import { type Scalar, wideScalar } from './scalar.js'

/** The keys of one unlock, made from its seed. */
export interface Session {
  readonly keySeed: Bytes
  readonly key: Bytes
  readonly keyCID: Bytes
  readonly b: Scalar
  readonly B: Point
}

/** session derives the keys. A seed whose b is 0 or whose B is G is refused: draw another. */
export async function session(seed: Uint8Array): Promise<Session> {
  const ikm = fixed(seed, 32, 'a session seed')
  const keySeed = Uint8Array.from(hkdf(sha512, ikm, new Uint8Array(), ascii('phrd/v1/rk'), 32))
  const b = wideScalar(hkdf(sha512, ikm, new Uint8Array(), ascii('phrd/v1/b'), 64))
  demand(b !== 0n, 'a session seed gives no scalar')
  const B = parseEncapsulation(encodePoint(times(b, G)))
  const key = await hybrid.publicKey(keySeed)
  return { keySeed, key, keyCID: cidOf(key), b, B }
}
