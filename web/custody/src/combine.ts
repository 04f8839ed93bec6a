import { type Point, publicTimes, sum, times } from './point.js'
import { lambda } from './polynomial.js'
import { demand, Refusal, refuse } from './refusal.js'
import { field, type Scalar } from './scalar.js'
import { index, type Release, type Share, verifyShare } from './share.js'

/** The holders of one share epoch: public shares by index. */
export interface Committee {
  readonly epoch: bigint
  readonly threshold: bigint
  readonly holders: ReadonlyMap<bigint, Point>
}

/** What shares give together: K for each version, and the shares that made it. */
export interface Combined {
  readonly epoch: bigint
  readonly indexes: readonly bigint[]
  readonly lambda: readonly Scalar[]
  readonly K: readonly Point[]
}

/** combine takes the valid shares of the lowest epoch that has enough of them. Bad shares are skipped. */
export function combine(b: Scalar, r: Release, committees: readonly Committee[], shares: readonly Share[]): Combined {
  const good = shares.filter((share) => isGood(r, committees, share))
  return combineVerified(b, r.M.length, (epoch) => committees.find((c) => c.epoch === epoch)?.threshold, good)
}

function isGood(r: Release, committees: readonly Committee[], share: Share): boolean {
  const X = committees.find((c) => c.epoch === share.epoch)?.holders.get(share.index)
  if (X === undefined) return false
  try {
    verifyShare(r, share, X)
    return true
  } catch (cause) {
    if (cause instanceof Refusal) return false
    throw cause
  }
}

/** combineVerified does so with shares whose proofs somebody has checked. Each covers the given number of versions. */
export function combineVerified(
  b: Scalar,
  versions: number,
  threshold: (epoch: bigint) => bigint | undefined,
  shares: readonly Omit<Share, 'proof'>[],
): Combined {
  demand(b !== 0n, 'b is zero')
  const epochs = [...new Set(shares.map((share) => share.epoch))].sort(ascending)
  for (const epoch of epochs) {
    const t = threshold(epoch)
    const usable = distinct(shares.filter((share) => share.epoch === epoch && whole(share, versions)))
    if (epoch >= 1n && t !== undefined && t >= 1n && BigInt(usable.length) >= t) return join(b, versions, epoch, usable.slice(0, Number(t)))
  }
  return refuse('no epoch has enough shares')
}

// distinct keeps each holder's first share, lowest index first.
function distinct(shares: readonly Omit<Share, 'proof'>[]): Omit<Share, 'proof'>[] {
  const first = shares.filter((share, i) => shares.findIndex((other) => other.index === share.index) === i)
  return first.sort((a, b) => ascending(a.index, b.index))
}

function whole(share: Omit<Share, 'proof'>, versions: number): boolean {
  return share.index >= 1n && share.D.length === versions && share.D.every((D) => !D.is0())
}

function join(b: Scalar, versions: number, epoch: bigint, shares: readonly Omit<Share, 'proof'>[]): Combined {
  const indexes = shares.map((share) => share.index)
  indexes.forEach(index)
  const weights = lambda(indexes)
  const K = Array.from({ length: versions }, (_, k) => {
    const terms = shares.flatMap((share, i) => {
      const D = share.D[k]
      return D === undefined ? [] : [publicTimes(weights[i] ?? 0n, D)]
    })
    const point = times(field.inv(b), sum(terms))
    demand(!point.is0(), 'the shares give the identity')
    return point
  })
  return { epoch, indexes, lambda: weights, K }
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b)
}
