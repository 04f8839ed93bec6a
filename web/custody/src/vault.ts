import { decrypt, encrypt } from './aead.js'
import { type Bytes, concat, counted, equal, fixed, hash } from './encoding.js'
import { frame, unframe } from './frame.js'
import { parseNet } from './generation.js'
import { parseID } from './id.js'
import { bytesField, Message, numberField } from './protobuf.js'
import { demand } from './refusal.js'

const nonceSize = 12

/** A vault key's seed of one epoch. */
export interface Epoch {
  readonly epoch: bigint
  readonly seed: Uint8Array
}

/** What a vault blob is bound to. */
export interface VaultHead {
  readonly net: Uint8Array
  readonly vault: Uint8Array
  readonly newest: bigint
  readonly revision: bigint
}

/** vaultInfo is the aad of a vault blob. */
export function vaultInfo(v: VaultHead): Bytes {
  return hash('phrd/v1/vault', parseNet(v.net), parseID(v.vault), counted(v.newest, 'epoch'), counted(v.revision, 'revision'))
}

/** encodeVault is the protobuf that a vault blob holds: at least one epoch, ascending. */
export function encodeVault(vault: Uint8Array, epochs: readonly Epoch[]): Bytes {
  checkEpochs(epochs)
  const encoded = epochs.map((e) => bytesField(2, concat(numberField(1, e.epoch), bytesField(2, e.seed))))
  return concat(bytesField(1, parseID(vault)), ...encoded)
}

/** sealVault is nonce ‖ ciphertext under KV. The nonce is fresh at each write. */
export async function sealVault(head: VaultHead, kv: Uint8Array, nonce: Uint8Array, epochs: readonly Epoch[]): Promise<Bytes> {
  const plaintext = encodeVault(head.vault, epochs)
  demand(epochs.at(-1)?.epoch === head.newest, 'the newest epoch is another')
  return concat(nonce, await encrypt(kv, frame(plaintext), vaultInfo(head), nonce))
}

/** openVault opens a vault blob. Its id and newest epoch must be those of the head. */
export async function openVault(head: VaultHead, kv: Uint8Array, blob: Uint8Array): Promise<Epoch[]> {
  demand(blob.length > nonceSize, 'a vault blob is too short')
  const nonce = blob.subarray(0, nonceSize)
  const m = new Message(unframe(await decrypt(kv, Uint8Array.from(blob.subarray(nonceSize)), vaultInfo(head), nonce)), { 1: 'bytes', 2: 'messages' })
  const epochs = m.messages(2).map(parseEpoch)
  checkEpochs(epochs)
  demand(equal(m.bytes(1), head.vault), 'a vault blob is of another vault')
  demand(epochs.at(-1)?.epoch === head.newest, "a vault blob's newest epoch is another")
  return epochs
}

function parseEpoch(bytes: Uint8Array): Epoch {
  const m = new Message(bytes, { 1: 'number', 2: 'bytes' })
  return { epoch: m.number(1), seed: m.bytes(2) }
}

function checkEpochs(epochs: readonly Epoch[]): void {
  demand(epochs.length > 0, 'a vault without an epoch')
  epochs.forEach((e, i) => {
    counted(e.epoch, 'epoch')
    fixed(e.seed, 32, 'a seed')
    demand(i === 0 || e.epoch > (epochs[i - 1]?.epoch ?? e.epoch), 'the epochs of a vault are not ascending')
  })
}
