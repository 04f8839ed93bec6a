import { ascii, type Bytes, compare, concat, counted, fixed } from './encoding.js'
import { parseID } from './id.js'
import { member, slotKind } from './kinds.js'
import { bytesField, Message, numberField, presentField } from './protobuf.js'
import { demand } from './refusal.js'

const mostSlots = 16
const largestChest = 64 << 10
const longestSite = 253
const slotSize = 80

/** A vault as the block store has it, with the slots that open it. */
export interface Chest {
  readonly vault: Bytes
  readonly slots: readonly ChestSlot[]
}

/** A slot, with what its wrapping binds beside the vault. */
export interface ChestSlot {
  readonly kind: bigint
  readonly id: Bytes
  readonly revision: bigint
  /** Of a wallet's slot: the host of the text that the wallet signs; empty for others. */
  readonly site: string
  readonly slot: Bytes
}

/** encodeChest is the block. */
export function encodeChest(c: Chest): Bytes {
  check(c)
  const block = concat(
    bytesField(1, c.vault),
    ...c.slots.map((s) => presentField(2, concat(
      numberField(1, s.kind), bytesField(2, s.id), numberField(3, s.revision), bytesField(4, new TextEncoder().encode(s.site)), bytesField(5, s.slot),
    ))),
  )
  demand(block.length <= largestChest, `a vault block of ${block.length} bytes`)
  return block
}

/** parseChest reads the block, in its one encoding. */
export function parseChest(block: Uint8Array): Chest {
  demand(block.length <= largestChest, `a vault block of ${block.length} bytes`)
  const m = new Message(block, { 1: 'bytes', 2: 'messages' })
  const chest = { vault: m.bytes(1), slots: m.messages(2).map(parseSlot) }
  check(chest)
  return chest
}

function parseSlot(bytes: Uint8Array): ChestSlot {
  const m = new Message(bytes, { 1: 'number', 2: 'bytes', 3: 'number', 4: 'bytes', 5: 'bytes' })
  return { kind: m.number(1), id: m.bytes(2), revision: m.number(3), site: String.fromCharCode(...m.bytes(4)), slot: m.bytes(5) }
}

function check(c: Chest): void {
  demand(c.vault.length > 0, 'a vault block without a vault')
  demand(c.slots.length <= mostSlots, `${c.slots.length} slots`)
  c.slots.forEach((s, i) => {
    member(slotKind, s.kind, 'slot kind')
    counted(s.revision, 'revision')
    fixed(s.slot, slotSize, 'a slot')
    parseID(s.id)
    checkSite(s)
    const before = c.slots[i - 1]
    demand(before === undefined || compare(before.id, s.id) < 0, 'slots are not in order')
  })
}

function checkSite(s: ChestSlot): void {
  demand((s.kind === BigInt(slotKind.wallet)) === (s.site !== ''), 'a site belongs to the slot of a wallet')
  demand(s.site.length <= longestSite && !s.site.includes(' '), 'a site is too long, or has a space')
  if (s.site !== '') ascii(s.site)
}
