import type { Bytes } from '#custody/encoding.js'
import { demand } from '#custody/refusal.js'
import type { Claim } from './claim.js'
import type { Entry } from './entry.js'
import type { Form } from './form.js'
import type { Head } from './head.js'
import type { LogEnd } from './state.js'
import { checkConsistency, Frontier, leafHash } from './tree.js'

/** Range is a stretch of the log, with the roots of the perfect subtrees before it and the proof of how the log goes on after it. */
export interface Range {
  readonly first: bigint
  readonly last: bigint
  readonly before: readonly Bytes[]
  readonly after: readonly Bytes[]
}

/** readRange reads the line with a range. */
export function readRange(line: Form): Range {
  return line.whole(() =>
    line.object('range', () => ({
      first: line.number('first', 64n), last: line.number('last', 64n), before: line.listOrNone('before', () => line.base64()), after: line.listOrNone('after', () => line.base64()),
    })),
  )
}

/** Period is every entry of a time. Where the log goes on beyond it, the neighbours are in the file and lie outside the time. */
export class Period implements Claim {
  readonly #head: Head
  readonly #end: LogEnd
  readonly #range: Range
  readonly #tree: Frontier
  #next: bigint

  constructor(head: Head, end: LogEnd, range: Range) {
    demand(range.first >= 1n && range.last >= range.first && range.last <= end.size, `entries ${range.first} to ${range.last} are no stretch of a log of ${end.size}`)
    this.#tree = new Frontier(range.first - 1n, range.before)
    ;[this.#head, this.#end, this.#range, this.#next] = [head, end, range, range.first]
  }

  add(entry: Entry, encoded: Bytes): boolean {
    demand(entry.sequence === this.#next && entry.sequence <= this.#range.last, `entry ${entry.sequence} stands where ${this.#next} belongs`)
    this.#next++
    this.#tree.append(leafHash(encoded))
    return this.#place(entry)
  }

  // Only the first and the last entry may lie outside the time. Where the log goes on beyond them they do, or others may be missing.
  #place({ sequence, time }: Entry): boolean {
    const { from, to } = this.#head
    const [isBefore, isAfter] = [time < from, to !== 0n && time >= to]
    const [isFirst, isLast] = [sequence === this.#range.first, sequence === this.#range.last]
    demand((!isBefore || isFirst) && (!isAfter || isLast), `entry ${sequence} is outside the time`)
    demand(!isFirst || isBefore || sequence === 1n, `entry ${sequence} is not before the time, and those before it are not there`)
    demand(!isLast || isAfter || sequence === this.#end.size, `entry ${sequence} is not after the time, and those after it are not there`)
    return !isBefore && !isAfter
  }

  end(): void {
    demand(this.#next === this.#range.last + 1n, `entries ${this.#next} to ${this.#range.last} are not there`)
    checkConsistency(this.#range.last, this.#tree.root(), this.#end.size, this.#end.root, this.#range.after)
  }
}
