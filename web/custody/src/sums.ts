import { type Point, publicTimes, sum } from './point.js'
import { evaluatePoints, lambda } from './polynomial.js'
import { demand } from './refusal.js'
import { field, type Scalar } from './scalar.js'

/** A dealer that was not put out, with its commitments. */
export interface Dealing {
  readonly dealer: bigint
  readonly commitments: readonly Point[]
}

/** What a round gives: the key, each receiver's public share, and the dealers it was made of with their weights. */
export interface Sums {
  readonly X: Point
  readonly publicShares: readonly Point[]
  readonly dealers: readonly bigint[]
  readonly weights: readonly Scalar[]
}

/** sumGeneration adds the deals of all qualified dealers. */
export function sumGeneration(threshold: bigint, receivers: readonly bigint[], dealings: readonly Dealing[]): Sums {
  return weigh(threshold, receivers, ascending(dealings), dealings.map(() => 1n))
}

/** sumReshare weighs the deals of the oldThreshold lowest dealers. Each dealt its own old share; the key stays X. */
export function sumReshare(
  X: Point,
  oldThreshold: bigint,
  threshold: bigint,
  receivers: readonly bigint[],
  oldShares: ReadonlyMap<bigint, Point>,
  dealings: readonly Dealing[],
): Sums {
  demand(oldThreshold >= 1n && BigInt(dealings.length) >= oldThreshold, 'fewer dealers than the old threshold')
  for (const dealing of dealings) {
    const old = oldShares.get(dealing.dealer)
    demand(old !== undefined && dealing.commitments[0]?.equals(old) === true, `dealer ${dealing.dealer} did not deal its old share`)
    demand(BigInt(dealing.commitments.length) === threshold, `dealer ${dealing.dealer} dealt another degree`)
  }
  const used = ascending(dealings).slice(0, Number(oldThreshold))
  const sums = weigh(threshold, receivers, used, lambda(used.map((dealing) => dealing.dealer)))
  demand(sums.X.equals(X), 'the key would change')
  return sums
}

/** shareOf is a receiver's new share: the weighted sub-shares, in the order of the sums' dealers. */
export function shareOf(sums: Sums, subShares: readonly Scalar[]): Scalar {
  demand(subShares.length === sums.dealers.length, 'a sub-share is missing')
  return subShares.reduce((total, subShare, i) => field.add(total, field.mul(sums.weights[i] ?? 0n, subShare)), 0n)
}

function weigh(threshold: bigint, receivers: readonly bigint[], dealings: readonly Dealing[], weights: readonly Scalar[]): Sums {
  for (const dealing of dealings) demand(BigInt(dealing.commitments.length) === threshold, `dealer ${dealing.dealer} dealt another degree`)
  const total = (of: (dealing: Dealing) => Point) => sum(dealings.map((dealing, i) => publicTimes(weights[i] ?? 0n, of(dealing))))
  const X = total((dealing) => dealing.commitments[0] ?? evaluatePoints([], 1n))
  const publicShares = receivers.map((receiver) => total((dealing) => evaluatePoints(dealing.commitments, receiver)))
  demand([X, ...publicShares].every((point) => !point.is0()), 'a round gives the identity')
  return { X, publicShares, dealers: dealings.map((dealing) => dealing.dealer), weights }
}

function ascending(dealings: readonly Dealing[]): Dealing[] {
  const sorted = [...dealings].sort((a, b) => (a.dealer < b.dealer ? -1 : Number(a.dealer > b.dealer)))
  demand(new Set(sorted.map((dealing) => dealing.dealer)).size === sorted.length, 'a dealer is there twice')
  return sorted
}
