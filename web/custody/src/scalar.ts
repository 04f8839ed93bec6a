import { ristretto255 } from '@noble/curves/ed25519.js'
import { type Bytes, randomBytes } from './encoding.js'
import { demand } from './refusal.js'

/** A number below ℓ, the order of ristretto255. */
export type Scalar = bigint

/** field is arithmetic modulo ℓ. */
export const field = ristretto255.Point.Fn
const order = field.ORDER

/** parseScalar accepts 32 bytes, little-endian, below ℓ. */
export function parseScalar(bytes: Uint8Array): Scalar {
  demand(bytes.length === 32, 'a scalar is not 32 bytes')
  const value = little(bytes)
  demand(value < order, 'a scalar is not below the order of the group')
  return value
}

/** parseSecretScalar refuses zero too. */
export function parseSecretScalar(bytes: Uint8Array): Scalar {
  const value = parseScalar(bytes)
  demand(value !== 0n, 'a secret scalar is zero')
  return value
}

/** encodeScalar is the 32 bytes, little-endian. */
export function encodeScalar(value: Scalar): Bytes {
  const bytes = new Uint8Array(32)
  let rest = value
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return bytes
}

/** wideScalar is 64 bytes, little-endian, modulo ℓ. */
export function wideScalar(bytes: Uint8Array): Scalar {
  demand(bytes.length === 64, 'a wide scalar is not 64 bytes')
  return little(bytes) % order
}

/** randomScalar is a secret scalar drawn from the platform. */
export function randomScalar(): Scalar {
  for (;;) {
    const drawn = wideScalar(randomBytes(64))
    if (drawn !== 0n) return drawn
  }
}

function little(bytes: Uint8Array): bigint {
  let value = 0n
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0)
  return value
}
