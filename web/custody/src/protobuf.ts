import { type Bytes, concat } from './encoding.js'
import { demand, refuse } from './refusal.js'

// The canonical form of appendix A: fields ascending, defaults omitted, none unknown,
// minimal varints. What Message accepts is what these writers give.

const varintWire = 0
const bytesWire = 2
const largest = 2n ** 64n - 1n

/** What a field of a message holds. Only messages repeat. */
export type Kind = 'number' | 'bytes' | 'messages'

/** Message is a decoded message of the given fields. */
export class Message {
  readonly #values = new Map<number, (bigint | Bytes)[]>()

  constructor(bytes: Uint8Array, fields: Readonly<Record<number, Kind>>) {
    const reader = new Reader(bytes)
    let last = 0
    while (!reader.done()) {
      const key = reader.varint()
      const [number, wire] = [Number(key >> 3n), Number(key & 7n)]
      const kind = fields[number]
      if (kind === undefined) return refuse(`field ${number} is not known`)
      demand(number > last || (number === last && kind === 'messages'), `field ${number} is out of order`)
      demand(wire === (kind === 'number' ? varintWire : bytesWire), `field ${number} has another wire type`)
      const value = kind === 'number' ? reader.varint() : reader.bytes()
      demand(typeof value === 'bigint' ? value !== 0n : value.length > 0, `field ${number} is there but empty`)
      const values = this.#values.get(number)
      if (values === undefined) this.#values.set(number, [value])
      else values.push(value)
      last = number
    }
  }

  /** number is the field's value, 0 where it is absent. */
  number(field: number): bigint {
    const value = this.#values.get(field)?.[0]
    return typeof value === 'bigint' ? value : 0n
  }

  /** bytes are the field's, none where it is absent. */
  bytes(field: number): Bytes {
    return this.messages(field)[0] ?? new Uint8Array()
  }

  /** messages are the encoded messages of a field that repeats. */
  messages(field: number): readonly Bytes[] {
    return (this.#values.get(field) ?? []).filter((value) => typeof value !== 'bigint')
  }

  /** has tells whether the field is there. */
  has(field: number): boolean {
    return this.#values.has(field)
  }
}

class Reader {
  readonly #from: Uint8Array
  #at = 0

  constructor(from: Uint8Array) {
    this.#from = from
  }

  done(): boolean {
    return this.#at === this.#from.length
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#from[this.#at]
      if (byte === undefined) return refuse('a number is cut short')
      this.#at++
      value |= BigInt(byte & 127) << shift
      demand(value <= largest && shift <= 63n, 'a number is larger than 64 bits')
      if (byte < 128) {
        demand(byte !== 0 || shift === 0n, 'a number is not written in its shortest form')
        return value
      }
    }
  }

  bytes(): Bytes {
    const length = this.varint()
    demand(length <= BigInt(this.#from.length - this.#at), 'a field is cut short')
    const start = this.#at
    this.#at += Number(length)
    return Uint8Array.from(this.#from.subarray(start, this.#at))
  }
}

/** numberField is the encoded field, nothing where the number is 0. */
export function numberField(field: number, value: bigint): Bytes {
  return value === 0n ? new Uint8Array() : concat(varint(BigInt(field << 3 | varintWire)), varint(value))
}

/** bytesField is the encoded field, nothing where there are no bytes. */
export function bytesField(field: number, value: Uint8Array): Bytes {
  return value.length === 0 ? new Uint8Array() : presentField(field, value)
}

/** presentField is the encoded field, there even where it has no bytes. */
export function presentField(field: number, value: Uint8Array): Bytes {
  return concat(varint(BigInt(field << 3 | bytesWire)), varint(BigInt(value.length)), value)
}

function varint(value: bigint): Bytes {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.from([...bytes, Number(rest)])
    bytes.push(Number(rest & 127n) | 128)
  }
}
