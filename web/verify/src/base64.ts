import type { Bytes } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'

const symbols = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const values = new Int16Array(128).fill(-1)
for (let i = 0; i < symbols.length; i++) values[symbols.charCodeAt(i)] = i

/** parseBase64 reads base64 with padding (RFC 4648, section 4). Bits that no byte takes must be 0, so that nothing has two forms. */
export function parseBase64(text: string): Bytes {
  demand(text.length % 4 === 0, 'base64 is cut short')
  const padding = text.endsWith('==') ? 2 : Number(text.endsWith('='))
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  const end = text.length - padding
  let [kept, bits, at] = [0, 0, 0]
  for (let i = 0; i < end; i++) {
    const value = values[text.charCodeAt(i)] ?? -1
    if (value < 0) refuse('base64 has a character that is not of its base')
    kept = ((kept << 6) | value) & 0xfff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = kept >> bits
  }
  demand((kept & ((1 << bits) - 1)) === 0, 'base64 ends with bits that no byte takes')
  return bytes
}

/** base64Text writes what parseBase64 reads. */
export function base64Text(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3)
    const four = [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63].map((value) => symbols[value] ?? '')
    text += four.slice(0, 1 + Math.min(3, bytes.length - i)).join('').padEnd(4, '=')
  }
  return text
}
