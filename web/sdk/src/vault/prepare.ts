import { base64 } from '@scure/base'
import { codeWords } from '#custody/code.js'
import { type Bytes, equal, randomBytes } from '#custody/encoding.js'
import * as hybrid from '#custody/hybrid.js'
import { idText, parseIDText } from '#custody/id.js'
import { sealSlot, walletSecret } from '#custody/slot.js'
import { sealVault } from '#custody/vault.js'
import { slotText } from '#custody/wallet.js'
import { cidText } from '#custody/cid.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { MsgRegisterPatientResponseSchema, MsgRegisterPatientSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { gasBase, type Receipt } from '../send.js'
import { isSignatureOf } from '../wallet/arbitrary.js'
import type { Signer } from '../wallet/signer.js'
import { collectKey } from './pepper.js'
import { slotHead, vaultBlock, type VaultFile, type VaultSlot } from './file.js'
import { keepVaultSecrets } from './secrets.js'

/** defaultSite stands in the text that a wallet signs to open a vault, where the consortium has fixed no host for it. */
export const defaultSite = 'phrd'
// The longest field that a hardware wallet shows; the vault's key travels in parts of it.
const keyPart = 64

/** PreparedVault is what a person sees and keeps before anything is registered. */
export interface PreparedVault {
  readonly file: VaultFile
  /** 24 words that open the vault when everything else is lost. Shown once. */
  readonly code: string
  /** Whether the wallet opens it: not one whose signatures over the same text differ. */
  readonly walletSlot: boolean
}

/** preparePatient draws a patient number, a vault with its first key, and a recovery code. Nothing leaves the program; what opens the vault on this device goes into Secrets. */
export async function preparePatient(client: Client, site = defaultSite): Promise<PreparedVault> {
  const [vault, seed, kv] = [randomBytes(16), randomBytes(32), randomBytes(32)]
  const empty: VaultFile = {
    patient: idText(randomBytes(16)), address: client.signer.address, chain_id: client.chainID, network: base64.encode(client.network), vault: idText(vault),
    epoch: 1, revision: 1, key: base64.encode(await hybrid.publicKey(seed)), slots: [],
    blob: base64.encode(await sealVault({ net: client.network, vault, newest: 1n, revision: 1n }, kv, randomBytes(12), [{ epoch: 1n, seed }])),
  }
  const pepper = randomBytes(32)
  const byWallet = await walletSlot(empty, client.signer, site, pepper, kv)
  const code = randomBytes(32)
  const byCode = await codeSlot(empty, code, kv)
  await keepVaultSecrets(client.secrets, empty, byWallet === undefined ? { kv } : { kv, pepper })
  return { file: { ...empty, slots: byWallet === undefined ? [byCode] : [byWallet, byCode] }, code: codeWords(code), walletSlot: byWallet !== undefined }
}

/** registerPatient uploads the vault and binds the client's account, which was opened with an invitation, to the patient number. Its principal is the patient from the next login on. */
export async function registerPatient(client: Client, file: VaultFile): Promise<Receipt> {
  const { cid, block } = vaultBlock(file)
  await client.gateways.try((gateway) => gateway.putBlock(cid, block))
  const { receipt } = await client.send('amino', 2n * gasBase, MsgRegisterPatientSchema, {
    address: file.address, patient: file.patient, vault: file.vault, vaultKey: inParts(base64.decode(file.key)), vaultBlob: cidText(cid), vaultSize: BigInt(block.length),
  }, MsgRegisterPatientResponseSchema)
  return receipt
}

/** walletSlot is a slot that the wallet and the pepper open; undefined where two signatures of the wallet over the same text differ. */
export async function walletSlot(file: VaultFile, signer: Signer, site: string, pepper: Bytes, kv: Bytes): Promise<VaultSlot | undefined> {
  const slot = { kind: 'wallet', id: idText(randomBytes(16)), revision: file.revision, site } as const
  const signature = await signTwice(file, signer, slot)
  return signature === undefined ? undefined : slotOf(file, slot, walletSecret(signature, pepper), kv)
}

/** codeSlot is a slot that a recovery code opens. */
export async function codeSlot(file: VaultFile, code: Uint8Array, kv: Uint8Array): Promise<VaultSlot> {
  const slot = { kind: 'code', id: idText(randomBytes(16)), revision: file.revision } as const
  return slotOf(file, { ...slot, collect: collectKey(file, slot, code) }, code, kv)
}

/** signTwice has the wallet sign the text of its slot, and again. It gives nothing where the signatures differ. */
export async function signTwice(file: VaultFile, signer: Signer, slot: Omit<VaultSlot, 'wrapped'>): Promise<Uint8Array | undefined> {
  const text = slotText({
    net: base64.decode(file.network), chainID: file.chain_id, account: file.address, vault: parseIDText(file.vault), slot: parseIDText(slot.id), site: slot.site ?? '',
  })
  const [first, second] = [await signer.signText(text), await signer.signText(text)]
  if (!isSignatureOf(signer.publicKey, file.address, text, first)) throw new PhrdError('vault', 'the wallet signed another text than that of its slot')
  return equal(first, second) ? first : undefined
}

/** slotOf wraps the key of the vault's blob for a slot. */
export async function slotOf(file: VaultFile, slot: Omit<VaultSlot, 'wrapped'>, secret: Uint8Array, kv: Uint8Array): Promise<VaultSlot> {
  return { ...slot, wrapped: base64.encode(await sealSlot(slotHead(file, slot), randomBytes(32), secret, kv)) }
}

/** inParts is a vault's key as messages carry it: in parts that a hardware wallet shows. */
export function inParts(key: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(key.length / keyPart) }, (_, i) => key.slice(keyPart * i, keyPart * (i + 1)))
}
