import { signal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { isKind } from '#sdk/errors.js'
import type { VaultFile } from '#sdk/vault/file.js'
import { collectPepper, collectPepperByPasskey, depositPepper, hasPepper } from '#sdk/vault/pepper.js'

/** pepperFault is why the pepper could not be left with a hospital, or gotten from one; undefined where it could. The vault is open all the same. */
export const pepperFault = signal<unknown>(undefined)

/** leavePepper leaves the pepper of a vault that was just written with the hospital of the gateway, where its wallet has a slot. */
export async function leavePepper(client: Client, file: VaultFile): Promise<void> {
  if (!file.slots.some((slot) => slot.kind === 'wallet')) return
  await told(depositPepper(client, file))
}

/** regainByCode gets the pepper for this browser, where it has none, so that the wallet opens the vault here from now on. */
export async function regainByCode(client: Client, file: VaultFile, code: string): Promise<void> {
  await regain(client, file, () => collectPepper(client, file, code))
}

/** regainByPasskey is regainByCode with what a passkey gave. */
export async function regainByPasskey(client: Client, file: VaultFile, prf: Uint8Array): Promise<void> {
  await regain(client, file, () => collectPepperByPasskey(client, file, prf))
}

async function regain(client: Client, file: VaultFile, collect: () => Promise<void>): Promise<void> {
  if (!file.slots.some((slot) => slot.kind === 'wallet') || (await hasPepper(client, file))) return
  await told(collect())
}

// told remembers why something did not work. That no hospital keeps the pepper is a state, which the vault's page shows.
async function told(doing: Promise<unknown>): Promise<void> {
  pepperFault.value = undefined
  try {
    await doing
  } catch (cause) {
    if (!isKind(cause, 'not found')) pepperFault.value = cause
  }
}
