import { readFileSync } from 'node:fs'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, concat, u64 } from '../src/encoding.js'
import { hex, unhex } from '../src/wallet.js'

/** What a case gives, read by name. A missing or misread name is a fault of the test, never a refusal. */
export class Given {
  readonly #from: Readonly<Record<string, unknown>>

  constructor(from: unknown) {
    if (typeof from !== 'object' || from === null) throw new TypeError('a case is not an object')
    this.#from = from as Readonly<Record<string, unknown>>
  }

  /** with has further values, which stand before those that are there. */
  with(values: unknown): Given {
    return new Given({ ...this.#from, ...new Given(values).#from })
  }

  has(name: string): boolean {
    return this.#from[name] !== undefined
  }

  raw(name: string): unknown {
    const value = this.#from[name]
    if (value === undefined) throw new TypeError(`a case has no ${name}`)
    return value
  }

  isText(name: string): boolean {
    return typeof this.raw(name) === 'string'
  }

  text(name: string): string {
    const value = this.raw(name)
    if (typeof value !== 'string') throw new TypeError(`${name} is not a string`)
    return value
  }

  bytes(name: string): Bytes {
    return octets(this.text(name))
  }

  number(name: string): bigint {
    return toNumber(this.raw(name))
  }

  numbers(name: string): bigint[] {
    return this.array(name).map(toNumber)
  }

  all(name: string): Given[] {
    return this.array(name).map((value) => new Given(value))
  }

  allBytes(name: string): Bytes[] {
    return this.array(name).map((value) => octets(String(value)))
  }

  array(name: string): unknown[] {
    const value = this.raw(name)
    if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`)
    return value as unknown[]
  }

  /** stream is a large input: SHA-256(seed ‖ counter), joined and cut. */
  stream(name: string): Bytes {
    const from = new Given(this.raw(name))
    const length = Number(from.number('length'))
    const seed = from.bytes('sha256_stream_seed')
    const blocks: Uint8Array[] = []
    for (let i = 0; 32 * i < length; i++) blocks.push(sha256(concat(seed, u64(BigInt(i)))))
    return concat(...blocks).slice(0, length)
  }
}

/** A case of a file. */
export interface Case {
  readonly name: string
  readonly what: string
  readonly given: Given
  readonly out: unknown
}

/** casesOf are those of a file of testdata/custody. */
export function casesOf(file: string): Case[] {
  const text = readFileSync(`../../testdata/custody/${file}`, 'utf8')
  return new Given(JSON.parse(text)).all('cases').map((c) => ({
    name: c.text('name'),
    what: c.has('what') ? c.text('what') : '',
    given: new Given(c.raw('in')),
    out: c.has('out') ? c.raw('out') : undefined,
  }))
}

/** kindOf is the construction that a case is of. */
export function kindOf(c: Case): string {
  return c.name.replace(/\/\d+$/, '')
}

/** counts says how many cases of each construction there are. */
export function counts(cases: readonly Case[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const c of cases) found[kindOf(c)] = (found[kindOf(c)] ?? 0) + 1
  return found
}

/** written is a result as the files write it: hexadecimal, numbers above 2^53−1 as strings. */
export function written(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value)
  if (typeof value === 'bigint') return value > BigInt(Number.MAX_SAFE_INTEGER) ? String(value) : Number(value)
  if (Array.isArray(value)) return value.map(written)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, written(field)]))
  }
  return value
}

function octets(text: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new TypeError(`not hexadecimal: ${text.slice(0, 40)}`)
  return unhex(text)
}

function toNumber(value: unknown): bigint {
  if (typeof value !== 'number' && typeof value !== 'string') throw new TypeError('not a number')
  return BigInt(value)
}
