import * as dleq from './dleq.js'
import { type Bytes, counted, fixed, hash, hash32, u64 } from './encoding.js'
import { parseHash, parseNet } from './generation.js'
import { encodePoint, G, type Point, times } from './point.js'
import { demand } from './refusal.js'
import type { Scalar } from './scalar.js'

const largestIndex = 2n ** 32n - 1n

/** index encodes a member's permanent number, or a guardian's place. */
export function index(n: bigint): Bytes {
  demand(n <= largestIndex, `index ${n} is larger than 32 bits`)
  return counted(n, 'index')
}

/** What the holders release for: an unlock of one generation, with its M in order. */
export interface Release {
  readonly net: Uint8Array
  readonly unlock: Uint8Array
  readonly gen: Uint8Array
  readonly M: readonly Point[]
}

/** One holder's contribution: D = x_i·M for each M, and the proof of it. */
export interface Share {
  readonly epoch: bigint
  readonly index: bigint
  readonly D: readonly Point[]
  readonly proof: Uint8Array
}

/** shareLabel is the label of a share's proof by the holder whose public share is X. */
export function shareLabel(r: Release, s: Omit<Share, 'proof'>, X: Point): Bytes {
  demand(r.M.length === s.D.length, 'a share does not cover every version')
  return hash(
    'phrd/v1/share',
    parseNet(r.net),
    fixed(r.unlock, 32, 'an unlock id'),
    parseHash(r.gen, 'a generation'),
    counted(s.epoch, 'epoch'),
    index(s.index),
    encodePoint(X),
    u64(BigInt(r.M.length)),
    ...pairs(r, s).flatMap((pair) => [encodePoint(pair.base), encodePoint(pair.image)]),
  )
}

/** makeShare contributes the holder's share x to a release. */
export function makeShare(r: Release, epoch: bigint, at: bigint, x: Scalar, nonce?: Scalar): Share {
  const share = { epoch, index: at, D: r.M.map((M) => times(x, M)) }
  const label = shareLabel(r, share, times(x, G))
  return { ...share, proof: dleq.prove(dleq.proofKind.share, label, x, pairs(r, share), nonce) }
}

/** verifyShare refuses a share that the holder of X did not make for this release. */
export function verifyShare(r: Release, s: Share, X: Point): void {
  demand(!X.is0() && s.D.every((D) => !D.is0()), 'a share has the identity')
  dleq.verify(dleq.proofKind.share, shareLabel(r, s, X), X, pairs(r, s), s.proof)
}

function pairs(r: Release, s: Omit<Share, 'proof'>): dleq.Pair[] {
  return r.M.flatMap((base, i) => {
    const image = s.D[i]
    return image === undefined ? [] : [{ base, image }]
  })
}

/** rank orders the holders for an unlock: ascending, the first t post at once. */
export function rank(net: Uint8Array, unlock: Uint8Array, at: bigint): Bytes {
  return hash32('phrd/v1/rank', parseNet(net), fixed(unlock, 32, 'an unlock id'), index(at))
}
