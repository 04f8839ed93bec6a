import { type Bytes, fixed } from './encoding.js'
import { refuse } from './refusal.js'

const zeroNonce = new Uint8Array(12)
/** tagSize is what AES-256-GCM adds. */
export const tagSize = 16

/** encrypt is AES-256-GCM. Without a nonce it is twelve zeros, for keys that encrypt one message ever. */
export async function encrypt(key: Uint8Array, plaintext: Bytes, aad: Uint8Array, nonce: Uint8Array = zeroNonce): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.encrypt(parameters(nonce, aad), await cipher(key), plaintext))
}

/** decrypt refuses what encrypt did not make with this key, nonce and aad. */
export async function decrypt(key: Uint8Array, ciphertext: Bytes, aad: Uint8Array, nonce: Uint8Array = zeroNonce): Promise<Bytes> {
  const loaded = await cipher(key)
  try {
    return new Uint8Array(await crypto.subtle.decrypt(parameters(nonce, aad), loaded, ciphertext))
  } catch {
    return refuse('a ciphertext does not open')
  }
}

function parameters(nonce: Uint8Array, aad: Uint8Array): AesGcmParams {
  return { name: 'AES-GCM', iv: fixed(nonce, 12, 'a nonce'), additionalData: Uint8Array.from(aad), tagLength: 8 * tagSize }
}

function cipher(key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', fixed(key, 32, 'a key'), 'AES-GCM', false, ['encrypt', 'decrypt'])
}
