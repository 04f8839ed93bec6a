import { index } from './share.js'
import { publicTimes, type Point, sum } from './point.js'
import { demand } from './refusal.js'
import { field, type Scalar } from './scalar.js'

/** evaluate is the polynomial at x, its constant term first. */
export function evaluate(coefficients: readonly Scalar[], x: bigint): Scalar {
  index(x)
  return coefficients.reduceRight((value, coefficient) => field.add(field.mul(value, field.create(x)), coefficient), 0n)
}

/** evaluatePoints is the committed polynomial at x. */
export function evaluatePoints(commitments: readonly Point[], x: bigint): Point {
  index(x)
  const [first, ...rest] = [...commitments].reverse()
  demand(first !== undefined, 'a polynomial has no coefficient')
  return rest.reduce((value, commitment) => sum([publicTimes(field.create(x), value), commitment]), first)
}

/** lambda are the coefficients that interpolate at 0 over exactly these indexes. */
export function lambda(indexes: readonly bigint[]): Scalar[] {
  demand(new Set(indexes).size === indexes.length, 'an index is there twice')
  indexes.forEach(index)
  return indexes.map((i) =>
    indexes
      .filter((j) => j !== i)
      .reduce((product, j) => field.mul(product, field.div(field.create(j), field.create(j - i))), 1n),
  )
}
