import { signal } from '@preact/signals'
import { Client } from '#sdk/client.js'
import { type Door, hostOf } from '#sdk/gateway/door.js'
import type { Chain } from '#sdk/gateway/gateway.js'
import { servedPages, type ServedPages } from '#sdk/hospital/pages.js'
import { hasAccount, type Invitation, openAccount } from '#sdk/invitation.js'
import { fetchVault } from '#sdk/vault/fetch.js'
import type { VaultFile } from '#sdk/vault/file.js'
import { openVault, openVaultByCode, openVaultByPasskey, openVaultByWallet, type Vault } from '#sdk/vault/open.js'
import { collectPepperInPerson } from '#sdk/vault/pepper.js'
import { type PreparedVault, preparePatient, registerPatient } from '#sdk/vault/prepare.js'
import type { Signer } from '#sdk/wallet/signer.js'
import { DeviceSecrets } from './device'
import { candidates, home, unreached } from './home'
import { leavePepper, regainByCode, regainByPasskey } from './vault/pepper'

/** Stage is how far somebody has come: a stranger, an account without a vault, a vault that is shut, or open. */
export type Stage =
  | { readonly at: 'out' }
  | { readonly at: 'stranger'; readonly client: Client }
  | { readonly at: 'new'; readonly client: Client }
  | { readonly at: 'staff'; readonly client: Client; readonly role: string; readonly hospital: bigint }
  | { readonly at: 'shut'; readonly client: Client; readonly patient: string; readonly file: VaultFile }
  | { readonly at: 'open'; readonly client: Client; readonly patient: string; readonly file: VaultFile; readonly vault: Vault }

export const stage = signal<Stage>({ at: 'out' })
/** chain is the network and the hospital that serves this page; undefined until it has answered. */
export const chain = signal<Chain | undefined>(undefined)
/** pages are what this page's gateway says of the pages that it serves, and for which the members voted; undefined until it has answered. */
export const pages = signal<ServedPages | undefined>(undefined)
/** hospitals are the names of the members, by number. */
export const hospitals = signal<ReadonlyMap<bigint, string>>(new Map())

/** atWork is whether the page does something that takes longer than people stay: it is not locked meanwhile. */
export const atWork = signal(false)

/** idleTime locks the page that nobody uses, in milliseconds. */
export const idleTime = 10 * 60_000
const fileName = 'file'

let secrets: DeviceSecrets | undefined

/** learn asks which network this page is of: the gateway that serves it, or the one that was named. */
export async function learn(): Promise<void> {
  const faults: unknown[] = []
  for (const door of candidates()) {
    try {
      return await learnFrom(door)
    } catch (cause) {
      faults.push(cause)
    }
  }
  unreached.value = faults.at(-1)
  throw faults.at(-1)
}

async function learnFrom(door: Door): Promise<void> {
  const client = await Client.dial({ doors: [door] })
  ;[home.value, unreached.value] = [door, undefined]
  chain.value = await client.gateways.try((gateway) => gateway.chain())
  pages.value = await client.gateways.try((gateway) => servedPages(gateway))
  hospitals.value = new Map((await client.gateways.doors()).map((door) => [door.hospital, door.name]))
}

/** signIn goes on as the account of a wallet; others are gateways that somebody else than this page's host has named. */
export async function signIn(signer: Signer, others: readonly Door[] = []): Promise<void> {
  secrets = await DeviceSecrets.of(signer.address)
  const doors = [home.value, ...others.filter((door) => hostOf(door.gateway) !== hostOf(home.value.gateway))]
  const client = await Client.dial({ doors, signer, secrets })
  if (!(await hasAccount(client))) {
    stage.value = { at: 'stranger', client }
    return
  }
  const who = await client.principal(true)
  if (who.role !== 'patient') stage.value = { at: 'staff', client, role: who.role, hospital: who.hospital }
  else if (who.patient === '') stage.value = { at: 'new', client }
  else stage.value = { at: 'shut', client, patient: who.patient, file: await vaultFile(client) }
}

/** join opens the account of who was invited. */
export async function join(client: Client, invitation: Invitation): Promise<void> {
  await openAccount(client, invitation)
  await signIn(client.signer, invitation.doors)
}

/** prepare makes the vault of a new patient, and nothing is registered yet. What an earlier visit has left undone is given up. */
export async function prepare(client: Client): Promise<PreparedVault> {
  await client.secrets.delete('vault/patient')
  return preparePatient(client)
}

/** register makes the account a patient's with a vault that was prepared, and opens it. */
export async function register(client: Client, prepared: PreparedVault): Promise<void> {
  await keepFile(prepared.file)
  await registerPatient(client, prepared.file)
  await leavePepper(client, prepared.file)
  stage.value = { at: 'open', client, patient: prepared.file.patient, file: prepared.file, vault: await openVault(client, prepared.file) }
}

/** takeVault goes on with a vault that was written anew, and is open. */
export async function takeVault(client: Client, file: VaultFile, vault: Vault): Promise<void> {
  await keepFile(file)
  await leavePepper(client, file)
  stage.value = { at: 'open', client, patient: file.patient, file, vault }
}

async function keepFile(file: VaultFile): Promise<void> {
  await secrets?.replace(fileName, new TextEncoder().encode(JSON.stringify(file)))
}

/** clientOf is a client of another account, with the gateways that this one knows; secrets of that account are kept apart. */
export async function clientOf(client: Client, signer: Signer): Promise<Client> {
  return Client.dial({ doors: client.gateways.order().map(({ door }) => door), signer, secrets: await DeviceSecrets.of(signer.address) })
}

/** takeWallet goes on as another account, whose vault is open. */
export async function takeWallet(client: Client, file: VaultFile, vault: Vault): Promise<void> {
  if (client.secrets instanceof DeviceSecrets) secrets = client.secrets
  await client.principal(true)
  await takeVault(client, file, vault)
}

/** unlockByWallet opens the vault with two signatures of the wallet and the pepper of this device. */
export async function unlockByWallet(client: Client, file: VaultFile): Promise<void> {
  stage.value = { at: 'open', client, patient: file.patient, file, vault: await openVaultByWallet(client, file) }
}

/** unlockByCode opens the vault with the recovery code, after which the wallet opens it in this browser, too, where a hospital keeps the pepper. */
export async function unlockByCode(client: Client, file: VaultFile, code: string): Promise<void> {
  const vault = await openVaultByCode(file, code)
  await regainByCode(client, file, code)
  stage.value = { at: 'open', client, patient: file.patient, file, vault }
}

/** unlockInPerson opens the vault with a word of a hospital's staff, which gives the pepper, and two signatures of the wallet. */
export async function unlockInPerson(client: Client, file: VaultFile, word: string): Promise<void> {
  await collectPepperInPerson(client, file, word)
  await unlockByWallet(client, file)
}

/** unlockByPasskey is unlockByCode with what a passkey gave. */
export async function unlockByPasskey(client: Client, file: VaultFile, prf: Uint8Array): Promise<void> {
  const vault = await openVaultByPasskey(file, prf)
  await regainByPasskey(client, file, prf)
  stage.value = { at: 'open', client, patient: file.patient, file, vault }
}

/** lock forgets every key and ends the logins. */
export async function lock(): Promise<void> {
  const last = stage.value
  stage.value = { at: 'out' }
  secrets?.forget()
  if ('client' in last) await last.client.logout()
}

/** lockWhenIdle locks once nobody has touched the page for a while. */
export function lockWhenIdle(): void {
  let timer = 0
  const again = () => {
    clearTimeout(timer)
    timer = window.setTimeout(() => (atWork.value ? again() : void lock()), idleTime)
  }
  for (const kind of ['pointerdown', 'keydown', 'visibilitychange']) addEventListener(kind, again)
  again()
}

// The network has the vault as it is. Without the network's it is the one that this browser kept.
async function vaultFile(client: Client): Promise<VaultFile> {
  try {
    return await fetchVault(client)
  } catch (cause) {
    const kept = await secrets?.get(fileName)
    if (kept === undefined) throw cause
    return JSON.parse(new TextDecoder().decode(kept)) as VaultFile
  }
}
