import { type Bytes, concat, fixed, hash, lp } from './encoding.js'
import { parseHash } from './generation.js'
import * as hybrid from './hybrid.js'
import { encodePoint, G, parseAnyPoint, parsePoint, type Point, times } from './point.js'
import { evaluatePoints } from './polynomial.js'
import { demand } from './refusal.js'
import { encodeScalar, parseSecretScalar, type Scalar } from './scalar.js'
import { index } from './share.js'

/** parseCommitments accepts A_0 … A_{t−1}. Only A_0 must not be the identity. */
export function parseCommitments(threshold: bigint, encoded: readonly Uint8Array[]): Point[] {
  demand(BigInt(encoded.length) === threshold && threshold >= 1n, `${encoded.length} commitments, want ${threshold}`)
  return encoded.map((bytes, k) => (k === 0 ? parsePoint(bytes) : parseAnyPoint(bytes)))
}

/** commit is A_0 … A_{t−1} of a polynomial. */
export function commit(polynomial: readonly Scalar[]): Point[] {
  return polynomial.map((coefficient) => times(coefficient, G))
}

/** dealInfo binds a sub-share to its round, parties and commitments. */
export function dealInfo(rho: Uint8Array, dealer: bigint, receiver: bigint, commitments: readonly Point[]): Bytes {
  return hash('phrd/v1/deal', parseHash(rho, 'a round'), index(dealer), index(receiver), ...commitments.map(encodePoint))
}

/** sealSubShare seals a sub-share to the receiver's round key. */
export async function sealSubShare(info: Uint8Array, key: Uint8Array, subShare: Scalar, chance?: Uint8Array): Promise<Bytes> {
  demand(subShare !== 0n, 'a sub-share is zero')
  return hybrid.seal(key, info, encodeScalar(subShare), chance)
}

/** openSubShare opens what sealSubShare made. Whether it fits the commitments is checked apart. */
export async function openSubShare(info: Uint8Array, seed: Uint8Array, sealed: Uint8Array): Promise<Scalar> {
  return parseSecretScalar(await hybrid.open(seed, info, fixed(sealed, hybrid.sealedSize, 'a sealed sub-share')))
}

/** checkSubShare refuses a sub-share that is not the committed polynomial at the receiver's index. */
export function checkSubShare(commitments: readonly Point[], receiver: bigint, subShare: Scalar): void {
  demand(subShare !== 0n, 'a sub-share is zero')
  demand(times(subShare, G).equals(evaluatePoints(commitments, receiver)), 'a sub-share does not fit the commitments')
}

/** complaint is what a receiver says of a dealer: nothing hashes it, so its form is only for comparing. */
export function complaint(rho: Uint8Array, dealer: bigint, receiver: bigint): Bytes {
  return concat(lp(parseHash(rho, 'a round')), lp(index(dealer)), lp(index(receiver)))
}

/** justification is the dealer's answer: the sub-share in clear. */
export function justification(rho: Uint8Array, dealer: bigint, receiver: bigint, subShare: Scalar): Bytes {
  return concat(complaint(rho, dealer, receiver), lp(encodeScalar(subShare)))
}
