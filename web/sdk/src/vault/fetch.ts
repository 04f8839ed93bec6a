import { base64 } from '@scure/base'
import { type Chest, parseChest } from '#custody/chest.js'
import { parseCIDText, parseRawCID } from '#custody/cid.js'
import { idText } from '#custody/id.js'
import { slotKind } from '#custody/kinds.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { Query } from '../generated/phrd/records/v1/query_pb.js'
import type { VaultFile, VaultSlot } from './file.js'

/** fetchVault is the client's own vault as the network has it now: for a device that has none yet, or one of before. The recovery code opens it, or the wallet where this device keeps the pepper. */
export async function fetchVault(client: Client): Promise<VaultFile> {
  const patient = await client.patient()
  const { patient: found } = await client.gateways.query(Query.method.patient, { id: patient })
  const vault = found?.vault
  if (found === undefined || vault === undefined) throw new PhrdError('answer', 'no vault is shown')
  try {
    const chest = parseChest(await client.gateways.smallBlock(parseRawCID(parseCIDText(vault.blob))))
    return {
      patient: found.id, address: client.signer.address, chain_id: client.chainID, network: base64.encode(client.network), vault: vault.id,
      epoch: Number(vault.epoch), revision: Number(vault.revision), blob: base64.encode(chest.vault), key: base64.encode(vault.key),
      slots: slotsOf(chest),
    }
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', 'the network has the vault without its slots', cause) : cause
  }
}

/** slotsOf are the slots of a vault's block as its file has them. */
export function slotsOf(chest: Chest): VaultSlot[] {
  return chest.slots.map((slot) => ({
    kind: kindOf(slot.kind), id: idText(slot.id), revision: Number(slot.revision), ...(slot.site === '' ? {} : { site: slot.site }), wrapped: base64.encode(slot.slot),
  }))
}

function kindOf(kind: bigint): VaultSlot['kind'] {
  for (const name of ['wallet', 'code', 'passkey', 'guardians'] as const) {
    if (BigInt(slotKind[name]) === kind) return name
  }
  throw new PhrdError('vault', `a slot of kind ${kind}`)
}
