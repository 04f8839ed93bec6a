import { base64 } from '@scure/base'
import { encodeChest } from '#custody/chest.js'
import { cidOf } from '#custody/cid.js'
import { type Bytes, compare } from '#custody/encoding.js'
import { parseIDText } from '#custody/id.js'
import { slotKind } from '#custody/kinds.js'
import type { SlotHead } from '#custody/slot.js'
import { parseAddress } from '../wallet/address.js'

/** VaultFile is the vault as it went to the block store, with the slots that open it. Without a key of it nothing in it is readable. The command `phrd` keeps the same form in vault.json. */
export interface VaultFile {
  /** The patient number. */
  readonly patient: string
  /** The account that owns the vault. */
  readonly address: string
  readonly chain_id: string
  /** The network id in base64. */
  readonly network: string
  readonly vault: string
  readonly epoch: number
  readonly revision: number
  /** The sealed vault in base64. */
  readonly blob: string
  /** The public key of the newest epoch in base64. */
  readonly key: string
  readonly slots: readonly VaultSlot[]
  /** The guardians of this revision; undefined where it has none. */
  readonly guardians?: VaultGuardians
}

/** VaultGuardians are the guardians of one revision of a vault, as its program makes them known to the network. Nothing in it is secret: each share is sealed to its guardian's vault. Bytes are in base64. */
export interface VaultGuardians {
  /** Patient numbers, in the order of their places. */
  readonly guardians: readonly string[]
  readonly threshold: number
  /** In seconds. */
  readonly delay: number
  readonly slot: string
  readonly generation: number
  readonly commitments: readonly string[]
  readonly u: string
  readonly u_bar: string
  readonly proof: string
  /** The block with the shares. */
  readonly shares: string
}

/** VaultSlot is one way to open a vault. */
export interface VaultSlot {
  readonly kind: 'wallet' | 'code' | 'passkey' | 'guardians'
  readonly id: string
  readonly revision: number
  /** Of a wallet's slot: stands in the text that the wallet signs. */
  readonly site?: string
  /** In base64. */
  readonly wrapped: string
  /** Of a code or a passkey: the public key, in base64, by which who has it may collect the wallet slot's pepper. It stays on this device. */
  readonly collect?: string
}

/** slotHead is what the wrapping of a slot binds. */
export function slotHead(file: VaultFile, slot: Omit<VaultSlot, 'wrapped'>): SlotHead {
  return {
    net: base64.decode(file.network), kind: BigInt(slotKind[slot.kind]), address: parseAddress(file.address),
    vault: parseIDText(file.vault), slot: parseIDText(slot.id), revision: BigInt(slot.revision),
  }
}

/** vaultBlock is the vault as the block store has it, and its CID. */
export function vaultBlock(file: VaultFile): { cid: Bytes; block: Bytes } {
  const slots = file.slots.map((slot) => ({
    kind: BigInt(slotKind[slot.kind]), id: parseIDText(slot.id), revision: BigInt(slot.revision), site: slot.site ?? '',
    slot: Uint8Array.from(base64.decode(slot.wrapped)),
  }))
  const block = encodeChest({ vault: Uint8Array.from(base64.decode(file.blob)), slots: slots.sort((a, b) => compare(a.id, b.id)) })
  return { cid: cidOf(block), block }
}
