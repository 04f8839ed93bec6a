import { ed25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { ascii, type Bytes, counted, fixed, hash, hash32 } from './encoding.js'
import { parseAddress, parseNet } from './generation.js'
import { parseID } from './id.js'
import { member, slotKind } from './kinds.js'
import { demand } from './refusal.js'
import type { SlotHead } from './slot.js'

/** What is signed to collect a pepper. */
export interface PepperRequest {
  readonly net: Uint8Array
  /** host:port of the hospital's gateway. */
  readonly host: string
  readonly address: Uint8Array
  readonly vault: Uint8Array
  /** The wallet's slot, whose pepper it is. */
  readonly slot: Uint8Array
  /** The slot whose secret is shown. */
  readonly by: Uint8Array
  readonly nonce: Uint8Array
}

/** pepperSeed is the seed of the Ed25519 key by which who has a slot's secret shows that it may have the pepper. */
export function pepperSeed(s: SlotHead, secret: Uint8Array): Bytes {
  demand(s.kind === BigInt(slotKind.code) || s.kind === BigInt(slotKind.passkey), 'a pepper is collected with a code or a passkey')
  const info = hash(
    'phrd/v1/pepper-key', parseNet(s.net), member(slotKind, s.kind, 'slot kind'), parseAddress(s.address), parseID(s.vault), parseID(s.slot), counted(s.revision, 'revision'),
  )
  return Uint8Array.from(hkdf(sha256, fixed(secret, 32, 'a secret'), new Uint8Array(), info, 32))
}

/** pepperKey is the public half, which is left with the pepper. */
export function pepperKey(seed: Uint8Array): Bytes {
  return Uint8Array.from(ed25519.getPublicKey(seed))
}

/** pepperDigest is what is signed. */
export function pepperDigest(r: PepperRequest): Bytes {
  demand(r.host.length > 0 && !r.host.includes(' '), 'a host is empty or has a space')
  return hash(
    'phrd/v1/pepper-collect', parseNet(r.net), ascii(r.host), parseAddress(r.address), parseID(r.vault), parseID(r.slot), parseID(r.by), fixed(r.nonce, 32, 'a nonce'),
  )
}

/** signPepperRequest signs it. */
export function signPepperRequest(r: PepperRequest, seed: Uint8Array): Bytes {
  return Uint8Array.from(ed25519.sign(pepperDigest(r), seed))
}

/** passkeyInput is what the PRF extension of a passkey is asked with, for a vault. */
export function passkeyInput(net: Uint8Array, vault: Uint8Array): Bytes {
  return hash32('phrd/v1/passkey-prf', parseNet(net), parseID(vault))
}
