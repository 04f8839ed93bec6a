import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js'
import type { Bytes } from './encoding.js'
import { demand, refuse } from './refusal.js'
import type { Scalar } from './scalar.js'

/** An element of ristretto255. */
export type Point = InstanceType<typeof ristretto255.Point>

const domain = 'phrd/v1/h2g/ristretto255_XMD:SHA-512_R255MAP_RO_'

/** G is the base point. */
export const G: Point = ristretto255.Point.BASE
const identity: Point = ristretto255.Point.ZERO

/** parseAnyPoint accepts the identity too, as only A_k with k ≥ 1 of a deal may be. */
export function parseAnyPoint(bytes: Uint8Array): Point {
  demand(bytes.length === 32, 'a point is not 32 bytes')
  try {
    return ristretto255.Point.fromBytes(bytes)
  } catch {
    return refuse('bytes are no canonical point')
  }
}

/** parsePoint refuses the identity. */
export function parsePoint(bytes: Uint8Array): Point {
  const point = parseAnyPoint(bytes)
  demand(!point.is0(), 'a point is the identity')
  return point
}

/** parseEncapsulation refuses G too, as U, U_e, U_g and B may not be it. */
export function parseEncapsulation(bytes: Uint8Array): Point {
  const point = parsePoint(bytes)
  demand(!point.equals(G), 'a point is the base point')
  return point
}

/** encodePoint is the 32 bytes of RFC 9496. */
export function encodePoint(point: Point): Bytes {
  return Uint8Array.from(point.toBytes())
}

/** times is the point added to itself so often. A secret scalar goes here. */
export function times(scalar: Scalar, point: Point): Point {
  return scalar === 0n ? identity : point.multiply(scalar)
}

/** publicTimes does the same, faster, for what is no secret. */
export function publicTimes(scalar: Scalar, point: Point): Point {
  return scalar === 0n ? identity : point.multiplyUnsafe(scalar)
}

/** sum adds the points. */
export function sum(points: readonly Point[]): Point {
  return points.reduce((total, point) => total.add(point), identity)
}

/** hashToGroup is hash2group of appendix A. */
export function hashToGroup(message: Uint8Array): Point {
  return ristretto255_hasher.hashToCurve(message, { DST: domain })
}
