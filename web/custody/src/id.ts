import { type Bytes, fixed } from './encoding.js'
import { demand, refuse } from './refusal.js'

// Crockford's 32 symbols, and the 5 that only a check symbol can be.
const symbols = '0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U'
const size = 16
const digits = 26

/** parseID accepts 16 bytes: of a record, patient, vault or slot. */
export function parseID(bytes: Uint8Array): Bytes {
  return fixed(bytes, size, 'an id')
}

/** idText is 26 characters of Crockford base32 and the check symbol. */
export function idText(id: Uint8Array): string {
  let value = number(parseID(id))
  const check = symbols[Number(value % 37n)]
  let text = ''
  for (let i = 0; i < digits; i++) {
    text = symbols[Number(value & 31n)] + text
    value >>= 5n
  }
  return text + check
}

/** parseIDText reads what idText wrote. */
export function parseIDText(text: string): Bytes {
  demand(text.length === digits + 1, 'an id is not 27 characters')
  let value = 0n
  for (const character of text.slice(0, digits)) {
    const digit = symbols.indexOf(character)
    if (digit < 0 || digit >= 32) refuse('an id has a character that is not of its base')
    value = (value << 5n) | BigInt(digit)
  }
  demand(value < 1n << 128n, 'an id is larger than 16 bytes')
  demand(symbols[Number(value % 37n)] === text[digits], 'the check symbol of an id is wrong')
  const bytes = new Uint8Array(size)
  for (let i = size - 1; i >= 0; i--) {
    bytes[i] = Number(value & 255n)
    value >>= 8n
  }
  return bytes
}

function number(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
