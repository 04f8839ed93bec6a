import { type Bytes, concat, readU64, u64 } from './encoding.js'
import { demand } from './refusal.js'

// With the 16 bytes of a tag, a frame's ciphertext is a multiple of 4096.
const unit = 4096 - 16

/** frame is the length, the bytes, and zeros to the smallest multiple of 4080. */
export function frame(bytes: Uint8Array): Bytes {
  return concat(u64(BigInt(bytes.length)), bytes, new Uint8Array(framed(bytes.length) - 8 - bytes.length))
}

/** unframe accepts what frame made. */
export function unframe(bytes: Uint8Array): Bytes {
  const length = readU64(bytes, 0)
  demand(length <= BigInt(bytes.length - 8), 'a frame is shorter than it says')
  demand(framed(Number(length)) === bytes.length, 'a frame is padded to another length')
  const end = 8 + Number(length)
  demand(bytes.subarray(end).every((byte) => byte === 0), 'a frame is not padded with zeros')
  return Uint8Array.from(bytes.subarray(8, end))
}

/** framed is the length of the frame of so many bytes. */
export function framed(length: number): number {
  return Math.ceil((8 + length) / unit) * unit
}
