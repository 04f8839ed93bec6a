import { parseObjectCID, parseRawCID } from './cid.js'
import { parseOwnerCommitment } from './commit.js'
import * as dleq from './dleq.js'
import { type Bytes, fixed, hash, list } from './encoding.js'
import { parseAddress, parseHash, secondBase } from './generation.js'
import { encodePoint, G, type Point, times } from './point.js'
import { demand } from './refusal.js'
import type { Scalar } from './scalar.js'

/** The network half of a lock: U = r·G and Ū = r·Ḡ for one r. */
export interface Encapsulation {
  readonly U: Point
  readonly UBar: Point
}

/** encapsulate makes the points of r for a generation, and K = r·X. */
export function encapsulate(gen: Uint8Array, X: Point, r: Scalar): Encapsulation & { readonly K: Point } {
  return { U: times(r, G), UBar: times(r, secondBase(gen)), K: times(r, X) }
}

/** What the proof of an encapsulation is bound to. Under lock 2 pc has no bytes and ownKeys no members. */
export interface LockedVersion extends Encapsulation {
  readonly ctx: Uint8Array
  readonly gen: Uint8Array
  readonly c: Uint8Array
  readonly pc: Uint8Array
  readonly dc: Uint8Array
  readonly envelope: Uint8Array
  readonly object: Uint8Array
  readonly ownKeys: readonly Uint8Array[]
  readonly signer: Uint8Array
}

/** encapLabel is the label of a version's encapsulation proof. */
export function encapLabel(v: LockedVersion): Bytes {
  demand((v.pc.length === 0) === (v.ownKeys.length === 0), 'Pc without owner keys, or they without it')
  return hash(
    'phrd/v1/encap',
    parseHash(v.ctx, 'a context'),
    parseHash(v.gen, 'a generation'),
    encodePoint(v.U),
    encodePoint(v.UBar),
    fixed(v.c, 32, 'C'),
    parseOwnerCommitment(v.pc),
    fixed(v.dc, 32, 'Dc'),
    parseRawCID(v.envelope),
    parseObjectCID(v.object),
    ...list(v.ownKeys.map((key) => fixed(key, 32, 'a key hash'))),
    parseAddress(v.signer),
  )
}

/** proveEncapsulation shows that whoever locked the version drew r itself. */
export function proveEncapsulation(label: Uint8Array, gen: Uint8Array, r: Scalar, nonce?: Scalar): Bytes {
  const base = secondBase(gen)
  return dleq.prove(dleq.proofKind.encap, label, r, [{ base, image: times(r, base) }], nonce)
}

/** verifyEncapsulation refuses points that are not those of one r, and a proof of another label. */
export function verifyEncapsulation(label: Uint8Array, gen: Uint8Array, e: Encapsulation, proof: Uint8Array): void {
  demand(!e.U.is0() && !e.U.equals(G) && !e.UBar.is0(), 'an encapsulation is the identity or the base point')
  dleq.verify(dleq.proofKind.encap, label, e.U, [{ base: secondBase(gen), image: e.UBar }], proof)
}
