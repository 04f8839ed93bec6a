import { base64 } from '@scure/base'
import { cidText } from '#custody/cid.js'
import { codeWords } from '#custody/code.js'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { parseIDText } from '#custody/id.js'
import type { Client } from '../client.js'
import { guardianSlot, guardiansFor, type GuardianWish, setGuardians } from '../guardians/name.js'
import { Query } from '../generated/phrd/records/v1/query_pb.js'
import { MsgRotateVaultResponseSchema, MsgRotateVaultSchema, MsgRotateWalletResponseSchema, MsgRotateWalletSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { gasBase } from '../send.js'
import type { Secrets } from '../secrets.js'
import type { Signer } from '../wallet/signer.js'
import { vaultBlock, type VaultFile, type VaultSlot } from './file.js'
import type { Vault } from './open.js'
import { defaultSite, codeSlot, inParts, type PreparedVault, walletSlot } from './prepare.js'
import { forgetVaultSecrets, keepVaultSecrets } from './secrets.js'

/** VaultChange says how a vault is written anew. Its blob is sealed under a fresh key and has fresh slots in any case, so that none of the former ones opens it. */
export interface VaultChange {
  /** Gives the vault another key, to which versions are locked from then on. Those from before stay sealed to the former one until they are resealed. */
  readonly newKey?: boolean
  /** The wallet that takes the place of the patient's own. An invitation has opened its account, which is nobody's yet. */
  readonly signer?: Signer
  /** Where what opens the next revision on this device is kept: the secrets of the next wallet, where there is one; without it the client's. */
  readonly secrets?: Secrets
  /** The guardians of the vault as it will be; left out for those whom it has, 'none' for none. */
  readonly guardians?: GuardianWish | 'none'
  /** Stands in the text that the wallet signs to open the vault. */
  readonly site?: string
}

/** NextVault is the next revision of a vault, which is open and not written yet. */
export interface NextVault extends PreparedVault {
  readonly vault: Vault
}

/** prepareVault makes the next revision of a vault, with another recovery code. Nothing of it leaves the program; the network is asked for the guardians and their keys. The caller keeps the file, shows the code, and then calls writeVault. What an earlier call prepared and did not write is given up. */
export async function prepareVault(client: Client, former: VaultFile, vault: Vault, change: VaultChange = {}): Promise<NextVault> {
  const named = change.guardians === 'none' ? undefined : await guardiansFor(client, former.patient, change.guardians)
  const [kv, pepper, code] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const signer = change.signer ?? client.signer
  const at = { net: client.network, vault: parseIDText(former.vault), revision: BigInt(former.revision + 1) }
  const { blob, vault: next } = await vault.written(at, kv, change.newKey === true)
  const newest = await next.newest()
  const { guardians: _, ...kept } = former
  const file: VaultFile = {
    ...kept, address: signer.address, revision: former.revision + 1, epoch: Number(newest.epoch), key: base64.encode(newest.key), blob: base64.encode(blob), slots: [],
  }
  const secrets = change.secrets ?? client.secrets
  await forgetVaultSecrets(secrets, file)
  const byWallet = await walletSlot(file, signer, change.site ?? defaultSite, pepper, kv)
  const slots: VaultSlot[] = byWallet === undefined ? [] : [byWallet]
  slots.push(await codeSlot(file, code, kv))
  const made = named === undefined ? undefined : await guardianSlot(file, named, kv)
  if (made !== undefined) slots.push(made.slot)
  await keepVaultSecrets(secrets, file, byWallet === undefined ? { kv } : { kv, pepper })
  return {
    file: { ...file, slots, ...(made === undefined ? {} : { guardians: made.guardians }) }, vault: next, code: codeWords(code), walletSlot: byWallet !== undefined,
  }
}

/** writeVault uploads the next revision of a vault, has the chain name it in place of the former one, and makes its guardians known where the wallet stays; where another wallet takes its place, that one's program does with setGuardians. Then what opens the former one on this device is deleted. It can be called again after it was cut short. The error is a Refused where another program wrote the vault meanwhile. */
export async function writeVault(client: Client, former: VaultFile, next: VaultFile): Promise<void> {
  const { cid, block } = vaultBlock(next)
  const { patient } = await client.gateways.query(Query.method.patient, { id: former.patient })
  if (patient?.vault?.blob !== cidText(cid)) await name(client, former, next, cid, block)
  if (next.address === client.signer.address) await setGuardians(client, next)
  await forgetVaultSecrets(client.secrets, former)
}

async function name(client: Client, former: VaultFile, next: VaultFile, cid: Bytes, block: Bytes): Promise<void> {
  const hospital = await client.gateways.putBlocks([{ cid, block }])
  const written = {
    address: client.signer.address, vaultKey: next.epoch === former.epoch ? [] : inParts(base64.decode(next.key)), revision: BigInt(next.revision), vaultBlob: cidText(cid),
    vaultSize: BigInt(block.length), hospital,
  }
  if (next.address === former.address) await client.send('amino', 2n * gasBase, MsgRotateVaultSchema, written, MsgRotateVaultResponseSchema)
  else await client.send('amino', 2n * gasBase, MsgRotateWalletSchema, { ...written, next: next.address }, MsgRotateWalletResponseSchema)
}
