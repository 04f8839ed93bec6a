import { type Bytes, concat, equal, sha256 } from './encoding.js'
import { demand, refuse } from './refusal.js'

/** The two codecs: a raw leaf or block, and the dag-pb root of an object. */
export const codec = { raw: 0x55, dagPB: 0x70 } as const
export type Codec = (typeof codec)[keyof typeof codec]

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** cidOf is the binary CIDv1 of a block, 36 bytes. */
export function cidOf(block: Uint8Array, as: Codec = codec.raw): Bytes {
  return cidOfDigest(sha256(block), as)
}

/** cidOfDigest is the CID of the block with this SHA-256 hash. */
export function cidOfDigest(digest: Uint8Array, as: Codec = codec.raw): Bytes {
  demand(digest.length === 32, 'a digest is not 32 bytes')
  return concat(Uint8Array.of(0x01, as, 0x12, 0x20), digest)
}

/** parseCID accepts the 36 bytes of a CIDv1 with SHA-256 and one of the two codecs. */
export function parseCID(bytes: Uint8Array): Bytes {
  demand(bytes.length === 36, 'a CID is not 36 bytes')
  demand(bytes[0] === 0x01 && bytes[2] === 0x12 && bytes[3] === 0x20, 'a CID is not version 1 with SHA-256')
  demand(bytes[1] === codec.raw || bytes[1] === codec.dagPB, 'a CID is neither raw nor dag-pb')
  return Uint8Array.from(bytes)
}

/** parseRawCID refuses the CID of an object. */
export function parseRawCID(bytes: Uint8Array): Bytes {
  const cid = parseCID(bytes)
  demand(cid[1] === codec.raw, 'a CID is not raw')
  return cid
}

/** parseObjectCID refuses every CID but that of an object. */
export function parseObjectCID(bytes: Uint8Array): Bytes {
  const cid = parseCID(bytes)
  demand(cid[1] === codec.dagPB, 'a CID is not dag-pb')
  return cid
}

/** cidText is the 59 characters of multibase b. */
export function cidText(cid: Uint8Array): string {
  let text = 'b'
  let held = 0
  let bits = 0
  for (const byte of parseCID(cid)) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(held >> bits) & 31]
    }
    held &= (1 << bits) - 1
  }
  return bits === 0 ? text : text + alphabet[(held << (5 - bits)) & 31]
}

/** parseCIDText reads what cidText wrote, and nothing else. */
export function parseCIDText(text: string): Bytes {
  demand(text.length === 59 && text[0] === 'b', 'a CID is not 59 characters of multibase b')
  const bytes: number[] = []
  let held = 0
  let bits = 0
  for (const character of text.slice(1)) {
    const value = alphabet.indexOf(character)
    if (value < 0) refuse('a CID has a character that is not of base32, lower case')
    held = (held << 5) | value
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((held >> bits) & 255)
      held &= (1 << bits) - 1
    }
  }
  demand(held === 0, 'a CID has bits after its end')
  return parseCID(Uint8Array.from(bytes))
}

/** sameCID compares two CIDs. */
export function sameCID(a: Uint8Array, b: Uint8Array): boolean {
  return equal(a, b)
}
