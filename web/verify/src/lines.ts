import { sha256 } from '@noble/hashes/sha2.js'
import { concat } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'

/** largestLine bounds a line with its end, in bytes, and so what is kept of a file at a time. */
export const largestLine = 1 << 20
const newline = 10

/** Lines cuts a file, which comes in pieces of any size, into lines, and adds up their hash. */
export class Lines {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  readonly #sum = sha256.create()
  #rest: Uint8Array = new Uint8Array()
  #number = 0

  /** number is that of the line that was given last, from 1. */
  get number(): number {
    return this.#number
  }

  /** sum is the SHA-256 of all lines before the one that was given last. */
  sum(): Uint8Array {
    return this.#sum.clone().digest()
  }

  /** cut gives the lines that a piece completes, without their ends. */
  *cut(piece: Uint8Array): Generator<string, void> {
    let start = 0
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      yield* this.#line(concat(this.#rest, piece.subarray(start, end + 1)))
      ;[this.#rest, start] = [new Uint8Array(), end + 1]
    }
    this.#rest = concat(this.#rest, piece.subarray(start))
    if (this.#rest.length >= largestLine) this.#number++
    demand(this.#rest.length < largestLine, `the line is longer than ${largestLine} bytes`)
  }

  /** end refuses a file whose last line is cut short. */
  end(): void {
    demand(this.#rest.length === 0, 'the last line is cut short')
  }

  *#line(bytes: Uint8Array): Generator<string, void> {
    this.#number++
    demand(bytes.length <= largestLine, `the line is longer than ${largestLine} bytes`)
    yield this.#text(bytes.subarray(0, -1))
    this.#sum.update(bytes)
  }

  #text(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes)
    } catch {
      return refuse('a line is no UTF-8')
    }
  }
}
