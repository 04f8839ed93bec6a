import { base64 } from '@scure/base'
import { randomBytes } from '#custody/encoding.js'
import { idText, parseIDText } from '#custody/id.js'
import { passkeySecret } from '#custody/slot.js'
import type { Client } from '../client.js'
import { guardianSlot, guardiansFor } from '../guardians/name.js'
import type { VaultFile } from './file.js'
import type { Vault } from './open.js'
import { collectKey } from './pepper.js'
import { slotOf } from './prepare.js'
import { forgetVaultSecrets, keepVaultSecrets, pepperOf } from './secrets.js'

/** preparePasskey makes the next revision of a vault with a further slot, which a passkey opens by its PRF output. What opened the vault before opens it still, the code too. Nothing of it leaves the program; the network is asked for the guardians, whose slot is of one revision. The caller writes it with writeVault. */
export async function preparePasskey(client: Client, former: VaultFile, vault: Vault, prf: Uint8Array): Promise<VaultFile> {
  const named = await guardiansFor(client, former.patient, undefined)
  const revision = former.revision + 1
  const { blob, kv } = await vault.again({ net: client.network, vault: parseIDText(former.vault), revision: BigInt(revision) })
  const { guardians: _, ...kept } = former
  const file: VaultFile = { ...kept, revision, blob: base64.encode(blob), slots: former.slots.filter((slot) => slot.kind !== 'guardians') }
  const secret = passkeySecret(prf)
  const slot = { kind: 'passkey', id: idText(randomBytes(16)), revision } as const
  const slots = [...file.slots, await slotOf(file, { ...slot, collect: collectKey(file, slot, secret) }, secret, kv)]
  const made = named === undefined ? undefined : await guardianSlot(file, named, kv)
  if (made !== undefined) slots.push(made.slot)
  const pepper = await pepperOf(client.secrets, former)
  await forgetVaultSecrets(client.secrets, file)
  await keepVaultSecrets(client.secrets, file, pepper === undefined ? { kv } : { kv, pepper })
  return { ...file, slots, ...(made === undefined ? {} : { guardians: made.guardians }) }
}
