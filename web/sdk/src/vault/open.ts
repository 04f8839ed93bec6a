import { base64 } from '@scure/base'
import { parseCodeWords } from '#custody/code.js'
import { type Bytes, equal, randomBytes } from '#custody/encoding.js'
import type { Envelope } from '#custody/envelope.js'
import * as hybrid from '#custody/hybrid.js'
import { parseIDText } from '#custody/id.js'
import { recipientKind } from '#custody/kinds.js'
import { Refusal } from '#custody/refusal.js'
import { openSlot, passkeySecret, walletSecret } from '#custody/slot.js'
import { type Epoch, openVault as openBlob, sealVault as sealBlob } from '#custody/vault.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { VaultKey } from '../records/lock.js'
import type { LockedVersion } from '../unlock/locked.js'
import { slotHead, type VaultFile, type VaultSlot } from './file.js'
import { openHalf } from './half.js'
import { signTwice } from './prepare.js'
import { pepperOf, vaultSecrets } from './secrets.js'

/** Vault is a patient's vault in the program's memory: it opens owner halves. */
export class Vault {
  readonly #patient: Bytes
  readonly #epochs: readonly Epoch[]
  readonly #kv: Bytes

  constructor(patient: Bytes, epochs: readonly Epoch[], kv: Bytes) {
    this.#patient = patient
    this.#epochs = epochs
    this.#kv = kv
  }

  /** ownerHalf opens the owner's half in an envelope, whatever epoch it is sealed to, and checks it against Pc. */
  async ownerHalf(version: LockedVersion, envelope: Envelope): Promise<Bytes> {
    return openHalf(version, envelope, {
      kind: BigInt(recipientKind.patient), id: this.#patient, seed: async (epoch) => this.#epochs.find((e) => e.epoch === epoch)?.seed,
    })
  }

  /** has tells whether the vault has its key of an epoch. One that was begun anew lacks those from before. */
  has(epoch: bigint): boolean {
    return this.#epochs.some((e) => e.epoch === epoch)
  }

  /** newest is the vault's newest public key, to which the patient's program seals. */
  async newest(): Promise<VaultKey> {
    const { epoch, seed } = newestOf(this.#epochs)
    return { kind: BigInt(recipientKind.patient), id: this.#patient, epoch, key: await hybrid.publicKey(seed) }
  }

  /** tryKeys opens what was sealed to one of the vault's keys, newest first; open refuses with a Refusal what a seed does not open. */
  async tryKeys<T>(open: (seed: Bytes) => Promise<T>): Promise<T> {
    let fault: unknown
    for (const { seed } of [...this.#epochs].reverse()) {
      try {
        return await open(Uint8Array.from(seed))
      } catch (cause) {
        if (!(cause instanceof Refusal)) throw cause
        fault = cause
      }
    }
    throw new PhrdError('vault', 'no key of this vault opens it', fault)
  }

  /** written is the vault under another key of its blob, as a revision, with a further key of its own where that is wanted. */
  async written(at: { readonly net: Uint8Array; readonly vault: Uint8Array; readonly revision: bigint }, kv: Bytes, withKey: boolean): Promise<{ readonly blob: Bytes; readonly vault: Vault }> {
    const last = newestOf(this.#epochs)
    const epochs = withKey ? [...this.#epochs, { epoch: last.epoch + 1n, seed: randomBytes(32) }] : this.#epochs
    const blob = await sealBlob({ ...at, newest: newestOf(epochs).epoch }, kv, randomBytes(12), epochs)
    return { blob, vault: new Vault(this.#patient, epochs, kv) }
  }

  /** again is the vault as a further revision under the same key of its blob, which a further slot is to wrap: those that there are open it, too. */
  async again(at: { readonly net: Uint8Array; readonly vault: Uint8Array; readonly revision: bigint }): Promise<{ readonly blob: Bytes; readonly kv: Bytes }> {
    const kv = Uint8Array.from(this.#kv)
    return { blob: await sealBlob({ ...at, newest: newestOf(this.#epochs).epoch }, kv, randomBytes(12), this.#epochs), kv }
  }
}

function newestOf(epochs: readonly Epoch[]): Epoch {
  const newest = epochs.at(-1)
  if (newest === undefined) throw new PhrdError('vault', 'the vault has no keys')
  return newest
}

/** openVault opens the vault with what this device keeps. */
export async function openVault(client: Client, file: VaultFile): Promise<Vault> {
  const { kv } = await vaultSecrets(client.secrets, file)
  if (kv === undefined) throw new PhrdError('vault', 'what this device keeps of the vault has no key')
  return opened(file, kv)
}

/** openVaultByCode opens the vault with the recovery code, as a person writes it. */
export async function openVaultByCode(file: VaultFile, words: string): Promise<Vault> {
  const code = given(() => parseCodeWords(words))
  return opened(file, await kvOf(file, 'code', async () => code))
}

/** openVaultByWallet opens the vault with a signature of the wallet and the pepper that this device keeps. */
export async function openVaultByWallet(client: Client, file: VaultFile): Promise<Vault> {
  const pepper = await pepperOf(client.secrets, file)
  if (pepper === undefined) throw new PhrdError('vault', 'this device does not keep the pepper of the vault')
  return opened(file, await kvOf(file, 'wallet', async (slot) => {
    const signature = await signTwice(file, client.signer, slot)
    if (signature === undefined) throw new PhrdError('vault', 'the wallet signs differently each time')
    return walletSecret(signature, pepper)
  }))
}

/** openVaultByPasskey opens the vault with the PRF output of a passkey, which was asked with passkeyQuestion. */
export async function openVaultByPasskey(file: VaultFile, prf: Uint8Array): Promise<Vault> {
  return opened(file, await kvOf(file, 'passkey', async () => passkeySecret(prf)))
}

/** kvOf is the key of the vault's blob, by the first slot of a kind that opens. */
export async function kvOf(file: VaultFile, kind: VaultSlot['kind'], secret: (slot: VaultSlot) => Promise<Uint8Array>): Promise<Bytes> {
  let fault: unknown
  for (const slot of file.slots.filter((s) => s.kind === kind)) {
    try {
      return await openSlot(slotHead(file, slot), await secret(slot), base64.decode(slot.wrapped))
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      fault = cause
    }
  }
  throw new PhrdError('vault', `no ${kind} slot of the vault opens`, fault)
}

/** opened opens the vault's blob, which must have the key that the file shows. */
export async function opened(file: VaultFile, kv: Bytes): Promise<Vault> {
  const head = { net: base64.decode(file.network), vault: parseIDText(file.vault), newest: BigInt(file.epoch), revision: BigInt(file.revision) }
  let epochs: readonly Epoch[]
  try {
    epochs = await openBlob(head, kv, base64.decode(file.blob))
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', 'the vault does not open', cause) : cause
  }
  // What is locked to the key that a gateway shows must open with the one that is inside.
  const seed = epochs.find((e) => e.epoch === BigInt(file.epoch))?.seed
  if (seed === undefined || !equal(await hybrid.publicKey(seed), base64.decode(file.key))) throw new PhrdError('vault', 'the vault has another key than is shown')
  return new Vault(parseIDText(file.patient), epochs, kv)
}

function given(read: () => Bytes): Bytes {
  try {
    return read()
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', cause.message, cause) : cause
  }
}
