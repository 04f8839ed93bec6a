import type { Bytes } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'
import { parseBase64 } from './base64.js'

const text = /"(?:[^"\\\u0000-\u001f]|\\.)*"/y
const digits = /0|[1-9][0-9]*/y
const instant = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/

/** Time is an instant to the nanosecond. */
export interface Time {
  /** Since the epoch of Unix. */
  readonly seconds: bigint
  readonly nanoseconds: bigint
}

/**
 * Form reads one line of a file in the one form that it may have: objects without spaces, their fields in order. A field is
 * there always, or left out where it is empty (the names with `or`): the reader of an object says which.
 */
export class Form {
  readonly #line: string
  #at = 0
  #isFirst = true

  constructor(line: string) {
    this.#line = line
  }

  /** is tells whether the line is an object whose first field has this name. */
  is(name: string): boolean {
    return this.#line.startsWith(`{"${name}":`)
  }

  /** whole reads an object that is all of the line. */
  whole<T>(read: () => T): T {
    const value = this.#object(read)
    demand(this.#at === this.#line.length, `character ${this.#at + 1}: the line goes on after its object`)
    return value
  }

  /** object reads a field that is an object. */
  object<T>(name: string, read: () => T): T {
    this.#field(name)
    return this.#object(read)
  }

  /** list reads a field that is a list. */
  list<T>(name: string, element: () => T): T[] {
    this.#field(name)
    return this.#list(element)
  }

  /** listOrNone reads a list that is left out where it has no elements. */
  listOrNone<T>(name: string, element: () => T): T[] {
    if (!this.#has(name)) return []
    const found = this.#list(element)
    demand(found.length > 0, `${name} is there but empty`)
    return found
  }

  /** element reads an object in a list. */
  element<T>(read: () => T): T {
    return this.#object(read)
  }

  text(name: string): string {
    this.#field(name)
    return this.#text()
  }

  textOrNone(name: string): string {
    return this.#has(name) ? filled(this.#text(), name) : ''
  }

  /** number reads a whole number of at most so many bits. */
  number(name: string, bits: bigint): bigint {
    this.#field(name)
    return this.#number(bits)
  }

  numberOrNone(name: string, bits: bigint): bigint {
    if (!this.#has(name)) return 0n
    const value = this.#number(bits)
    demand(value !== 0n, `${name} is there but 0`)
    return value
  }

  bytes(name: string): Bytes {
    return parseBase64(this.text(name))
  }

  bytesOrNone(name: string): Bytes {
    return parseBase64(this.textOrNone(name))
  }

  /** base64 reads an element of a list of bytes. */
  base64(): Bytes {
    return parseBase64(this.#text())
  }

  hex(name: string): Bytes {
    return parseHex(this.text(name))
  }

  hexOrNone(name: string): Bytes {
    return parseHex(this.textOrNone(name))
  }

  time(name: string): Time {
    return parseTime(this.text(name))
  }

  #object<T>(read: () => T): T {
    this.#expect('{')
    const outer = this.#isFirst
    this.#isFirst = true
    const value = read()
    this.#expect('}')
    this.#isFirst = outer
    return value
  }

  #list<T>(element: () => T): T[] {
    this.#expect('[')
    const found: T[] = []
    while (this.#line[this.#at] !== ']') {
      if (found.length > 0) this.#expect(',')
      found.push(element())
    }
    this.#at++
    return found
  }

  #field(name: string): void {
    this.#expect(this.#key(name))
    this.#isFirst = false
  }

  #has(name: string): boolean {
    const isThere = this.#line.startsWith(this.#key(name), this.#at)
    if (isThere) this.#field(name)
    return isThere
  }

  #key(name: string): string {
    return `${this.#isFirst ? '' : ','}"${name}":`
  }

  #expect(what: string): void {
    demand(this.#line.startsWith(what, this.#at), `character ${this.#at + 1}: ${what} is not there`)
    this.#at += what.length
  }

  #text(): string {
    const literal = this.#match(text, 'a text')
    let value: unknown
    try {
      value = JSON.parse(literal)
    } catch {
      return refuse(`character ${this.#at + 1}: a text has an escape that is none`)
    }
    // Only what is written in one way can be compared by its bytes.
    if (typeof value !== 'string' || !value.isWellFormed() || written(value) !== literal) refuse(`character ${this.#at + 1}: a text is not written in its one form`)
    this.#at += literal.length
    return value
  }

  #number(bits: bigint): bigint {
    const literal = this.#match(digits, 'a number')
    const value = BigInt(literal)
    demand(value >> bits === 0n, `character ${this.#at + 1}: a number is outside its range`)
    this.#at += literal.length
    return value
  }

  #match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#line)?.[0] ?? refuse(`character ${this.#at + 1}: ${what} is not there`)
  }
}

/** parseHex reads hexadecimal digits in lower case. */
export function parseHex(text: string): Bytes {
  demand(/^(?:[0-9a-f]{2})*$/.test(text), 'a hash is not written in hexadecimal')
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

function filled(value: string, name: string): string {
  demand(value !== '', `${name} is there but empty`)
  return value
}

// As JSON.stringify writes it, and what HTML and JavaScript would take for something else as \u and four digits.
function written(value: string): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function parseTime(text: string): Time {
  const found = instant.exec(text) ?? refuse('a time is not RFC 3339 in UTC')
  const milliseconds = Date.parse(`${text.slice(0, 19)}Z`)
  demand(!Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().slice(0, 19) === text.slice(0, 19), 'a time is on no calendar')
  return { seconds: BigInt(milliseconds / 1000), nanoseconds: BigInt((found[7] ?? '').padEnd(9, '0')) }
}
