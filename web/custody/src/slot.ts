import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { decrypt, encrypt } from './aead.js'
import { type Bytes, concat, counted, fixed, hash } from './encoding.js'
import { parseAddress, parseNet } from './generation.js'
import { parseID } from './id.js'
import { member, slotKind } from './kinds.js'
import { encodePoint, type Point } from './point.js'
import { demand } from './refusal.js'
import { encodeScalar, parseSecretScalar } from './scalar.js'

const saltSize = 32
const slotSize = saltSize + 32 + 16
// The order of secp256k1.
const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** What a slot is bound to. */
export interface SlotHead {
  readonly net: Uint8Array
  readonly kind: bigint
  readonly address: Uint8Array
  readonly vault: Uint8Array
  readonly slot: Uint8Array
  readonly revision: bigint
}

/** slotInfo is the info of a slot's key and the aad of its ciphertext. */
export function slotInfo(s: SlotHead): Bytes {
  return hash(
    'phrd/v1/slot',
    parseNet(s.net),
    member(slotKind, s.kind, 'slot kind'),
    parseAddress(s.address),
    parseID(s.vault),
    parseID(s.slot),
    counted(s.revision, 'revision'),
  )
}

/** walletSecret is what a wallet's signature (r‖s, low S) and the pepper open a slot with. */
export function walletSecret(signature: Uint8Array, pepper: Uint8Array): Bytes {
  const rs = fixed(signature, 64, 'a signature')
  const [r, s] = [big(rs.subarray(0, 32)), big(rs.subarray(32))]
  demand(r >= 1n && r < curveOrder, 'r of a signature is out of range')
  demand(s >= 1n && s <= curveOrder / 2n, 's of a signature is out of range')
  return concat(rs, fixed(pepper, 32, 'a pepper'))
}

/** passkeySecret is the PRF output of a passkey. */
export function passkeySecret(prf: Uint8Array): Bytes {
  return fixed(prf, 32, "a passkey's output")
}

/** guardiansSecret joins the guardians' secret with the network's half of kind 3. */
export function guardiansSecret(secret: Uint8Array, K: Point): Bytes {
  demand(!K.is0(), 'the network half is the identity')
  return concat(encodeScalar(parseSecretScalar(secret)), encodePoint(K))
}

/** slotKey is the key that wraps KV. */
export function slotKey(s: SlotHead, salt: Uint8Array, secret: Uint8Array): Bytes {
  return Uint8Array.from(hkdf(sha256, secret, fixed(salt, saltSize, 'a salt'), slotInfo(s), 32))
}

/** sealSlot wraps KV: salt ‖ ciphertext. The salt is fresh for each wrap. */
export async function sealSlot(s: SlotHead, salt: Uint8Array, secret: Uint8Array, kv: Uint8Array): Promise<Bytes> {
  return concat(salt, await encrypt(slotKey(s, salt, secret), fixed(kv, 32, 'KV'), slotInfo(s)))
}

/** openSlot gives KV. */
export async function openSlot(s: SlotHead, secret: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
  const slot = fixed(sealed, slotSize, 'a slot')
  return decrypt(slotKey(s, slot.subarray(0, saltSize), secret), slot.slice(saltSize), slotInfo(s))
}

function big(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
