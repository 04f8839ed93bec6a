import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { x25519 } from '@noble/curves/ed25519.js'
import { type Bytes, concat, equal, fixed } from './encoding.js'
import { demand, refuse } from './refusal.js'

/** sealedSize is the length of what seals 32 bytes: enc 1120, ct 48. */
export const sealedSize = 1168
const keySize = 1216
const encSize = 1120
const mlkemPart = 1184
const q = 3329

const kem = new XWing()
// KEM 0x647a, KDF 0x0001, AEAD 0x0002, single shot, aad empty.
const hpke = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() })

/** parsePublicKey refuses a key with a coefficient of q or more, or with an X25519 part of low order. */
export function parsePublicKey(bytes: Uint8Array): Bytes {
  const key = fixed(bytes, keySize, 'an X-Wing key')
  // ML-KEM-768 packs two coefficients of 12 bits in 3 bytes; the last 32 bytes of its part are a seed.
  for (let at = 0; at < mlkemPart - 32; at += 3) {
    const [a, b, c] = [key[at] ?? 0, key[at + 1] ?? 0, key[at + 2] ?? 0]
    demand((a | ((b & 15) << 8)) < q && ((b >> 4) | (c << 4)) < q, 'an X-Wing key has a coefficient of q or more')
  }
  demand(!lowOrder(key.subarray(mlkemPart)), "an X-Wing key's X25519 part is of low order")
  return key
}

/** publicKey is the key whose decapsulation key is this seed of 32 bytes. */
export async function publicKey(seed: Uint8Array): Promise<Bytes> {
  const pair = await kem.generateKeyPairDerand(fixed(seed, 32, 'a seed'))
  return new Uint8Array(await kem.serializePublicKey(pair.publicKey))
}

/** seal encrypts to the key: enc ‖ ct. A test gives the 64 bytes of chance; nobody else does. */
export async function seal(key: Uint8Array, info: Uint8Array, plaintext: Uint8Array, chance?: Uint8Array): Promise<Bytes> {
  const recipientPublicKey = await kem.deserializePublicKey(parsePublicKey(key))
  const sender = await hpke.createSenderContext({
    recipientPublicKey,
    info: Uint8Array.from(info),
    ...(chance === undefined ? {} : { ekm: Uint8Array.from(chance).buffer }),
  })
  const ct = await sender.seal(Uint8Array.from(plaintext))
  return concat(new Uint8Array(sender.enc), new Uint8Array(ct))
}

/** open decrypts what seal made, with the seed of the key. */
export async function open(seed: Uint8Array, info: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
  demand(sealed.length > encSize + 16, 'a sealed message is too short')
  const recipientKey = await kem.deserializePrivateKey(fixed(seed, 32, 'a seed'))
  const enc = Uint8Array.from(sealed.subarray(0, encSize))
  demand(!lowOrder(enc.subarray(encSize - 32)), 'a sealed message has an X25519 part of low order')
  try {
    const context = await hpke.createRecipientContext({ recipientKey, enc, info: Uint8Array.from(info) })
    return new Uint8Array(await context.open(Uint8Array.from(sealed.subarray(encSize))))
  } catch {
    return refuse('a sealed message does not open')
  }
}

// lowOrder tells whether every secret meets this point in zero. Any secret shows it, as all are multiples of the cofactor.
function lowOrder(point: Uint8Array): boolean {
  try {
    return equal(x25519.scalarMult(new Uint8Array(32).fill(0x55), point), new Uint8Array(32))
  } catch {
    return true
  }
}
