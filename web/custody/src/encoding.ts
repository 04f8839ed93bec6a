import { sha256 as nobleSHA256, sha512 } from '@noble/hashes/sha2.js'
import { demand } from './refusal.js'

/** Bytes are octets in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>

const largest = 2n ** 64n - 1n

/** concat joins the parts. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** u64 is the number as 8 bytes, big-endian: "int" of appendix A. */
export function u64(n: bigint): Bytes {
  demand(n >= 0n && n <= largest, 'a number is outside 64 bits')
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, n)
  return bytes
}

/** readU64 is the number that 8 bytes from the offset on stand for. */
export function readU64(bytes: Uint8Array, at: number): bigint {
  demand(bytes.length >= at + 8, 'a number of 8 bytes is cut short')
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at)
}

/** counted refuses numbers that start at 1: versions, epochs, generations, revisions, indexes. */
export function counted(n: bigint, what: string): Bytes {
  demand(n >= 1n, `${what} 0: they start at 1`)
  return u64(n)
}

/** lp is the length of the bytes as u64, then they: LP of appendix A. */
export function lp(bytes: Uint8Array): Bytes {
  return concat(u64(BigInt(bytes.length)), bytes)
}

/** ascii encodes a tag or a string. Only printable ASCII is accepted. */
export function ascii(text: string): Bytes {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    demand(code >= 0x20 && code <= 0x7e, 'a string is not printable ASCII')
    bytes[i] = code
  }
  return bytes
}

/** fixed refuses bytes of another length. */
export function fixed(bytes: Uint8Array, length: number, what: string): Bytes {
  demand(bytes.length === length, `${what} of ${bytes.length} bytes, want ${length}`)
  return Uint8Array.from(bytes)
}

/** list is what H takes for a list: the count, then each field. */
export function list(fields: readonly Uint8Array[]): Bytes[] {
  return [u64(BigInt(fields.length)), ...fields.map((field) => Uint8Array.from(field))]
}

/** hash is H of appendix A: SHA-512 over the tag and the fields, each with its length. */
export function hash(tag: string, ...fields: readonly Uint8Array[]): Bytes {
  return Uint8Array.from(sha512(concat(lp(ascii(tag)), ...fields.map(lp))))
}

/** hash32 is H32 of appendix A: the first half of hash. */
export function hash32(tag: string, ...fields: readonly Uint8Array[]): Bytes {
  return hash(tag, ...fields).slice(0, 32)
}

/** sha256 hashes what is no larger than a block. Large data goes through sha256Of. */
export function sha256(bytes: Uint8Array): Bytes {
  return Uint8Array.from(nobleSHA256(bytes))
}

/** sha256Of hashes with the platform's own code, for leaves of 1 MiB. */
export async function sha256Of(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

/** equal compares in time that depends on the lengths alone. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/** compare orders bytewise: negative where a stands first. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** randomBytes draws from the platform. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}
