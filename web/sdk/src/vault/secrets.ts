import { base64 } from '@scure/base'
import type { Bytes } from '#custody/encoding.js'
import { PhrdError } from '../errors.js'
import type { Secrets } from '../secrets.js'
import type { VaultFile } from './file.js'

/** VaultSecrets stay on the device: kv opens the vault without a signature, where the device keeps it, and the pepper is half of what a wallet's slot needs. */
export interface VaultSecrets {
  readonly kv?: Bytes
  readonly pepper?: Bytes
}

/** keepVaultSecrets gives Secrets what opens the vault's revision on this device. */
export async function keepVaultSecrets(secrets: Secrets, file: VaultFile, kept: VaultSecrets): Promise<void> {
  const json = Object.fromEntries(Object.entries(kept).map(([name, secret]: [string, Bytes]) => [name, base64.encode(secret)]))
  await secrets.put(nameOf(file), new TextEncoder().encode(JSON.stringify(json)))
}

/** pepperOf is the pepper of the vault's wallet slot, where this device keeps it: with the vault's revision, or with that of the slot where another device wrote the vault since and left the slot as it was. */
export async function pepperOf(secrets: Secrets, file: VaultFile): Promise<Bytes | undefined> {
  for (const revision of [file.revision, file.slots.find((slot) => slot.kind === 'wallet')?.revision]) {
    if (revision === undefined) continue
    const kept = await keptOf(secrets, { ...file, revision })
    if (kept?.pepper !== undefined) return kept.pepper
  }
  return undefined
}

/** forgetVaultSecrets deletes what opens a revision of the vault on this device. */
export async function forgetVaultSecrets(secrets: Secrets, file: VaultFile): Promise<void> {
  await secrets.delete(nameOf(file))
}

/** vaultSecrets are what keepVaultSecrets kept. */
export async function vaultSecrets(secrets: Secrets, file: VaultFile): Promise<VaultSecrets> {
  const kept = await keptOf(secrets, file)
  if (kept === undefined) throw new PhrdError('vault', 'this device does not keep what opens the vault')
  return kept
}

/** keptOf is vaultSecrets, or undefined where this device keeps nothing of the revision. */
export async function keptOf(secrets: Secrets, file: VaultFile): Promise<VaultSecrets | undefined> {
  const kept = await secrets.get(nameOf(file))
  if (kept === undefined) return undefined
  const json: unknown = JSON.parse(new TextDecoder().decode(kept))
  const [kv, pepper] = [secretOf(json, 'kv'), secretOf(json, 'pepper')]
  return { ...(kv === undefined ? {} : { kv }), ...(pepper === undefined ? {} : { pepper }) }
}

// The names are those of the command `phrd`.
function nameOf(file: VaultFile): string {
  return file.revision === 1 ? 'vault/patient' : `vault/patient-${file.revision}`
}

function secretOf(json: unknown, field: string): Bytes | undefined {
  const value: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, field) : undefined
  return typeof value === 'string' ? Uint8Array.from(base64.decode(value)) : undefined
}
