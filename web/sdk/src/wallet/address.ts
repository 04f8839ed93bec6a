import { ripemd160 } from '@noble/hashes/legacy.js'
import { bech32 } from '@scure/base'
import { type Bytes, sha256 } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'

/** prefix is the human-readable part of every address. */
export const prefix = 'phrd'

/** addressOf is the bech32 address of a compressed public key (ADR-28). */
export function addressOf(publicKey: Uint8Array): string {
  return bech32.encode(prefix, bech32.toWords(ripemd160(sha256(publicKey))))
}

/** parseAddress gives the 20 bytes of an address. */
export function parseAddress(text: string): Bytes {
  const found = bech32.decodeUnsafe(text, 90)
  if (found === undefined || found.prefix !== prefix) return refuse('text is no address of the network')
  const bytes = bech32.fromWordsUnsafe(found.words)
  demand(bytes instanceof Uint8Array && bytes.length === 20 && text === text.toLowerCase(), 'text is no address of the network')
  return Uint8Array.from(bytes)
}
