import { base64 } from '@scure/base'
import { parseCodeWords } from '#custody/code.js'
import type { Bytes } from '#custody/encoding.js'
import { parseIDText } from '#custody/id.js'
import { passkeyInput, pepperKey, pepperSeed, signPepperRequest } from '#custody/pepper.js'
import { Refusal } from '#custody/refusal.js'
import { openSlot, passkeySecret } from '#custody/slot.js'
import { hex, unhex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { attemptTime, fieldOf, type Gateway, textOf } from '../gateway/gateway.js'
import { poll } from '../poll.js'
import { log } from '../records/log.js'
import { slotHead, type VaultFile, type VaultSlot } from './file.js'
import { forgetVaultSecrets, keepVaultSecrets, keptOf, pepperOf } from './secrets.js'

/** KeptPepper is what a hospital says of the pepper that it keeps for the patient: everything but the pepper. */
export interface KeptPepper {
  readonly hospital: bigint
  readonly name: string
  /** The slots of codes and passkeys by which it can be collected. */
  readonly ways: readonly string[]
}

/** Shown is a slot of the vault and its secret, by which a device shows that it may have the pepper. */
interface Shown {
  readonly slot: VaultSlot
  readonly secret: Uint8Array
}

/** passkeyQuestion is what the PRF extension of a passkey is asked with for a vault, 32 bytes. */
export function passkeyQuestion(file: VaultFile): Bytes {
  return passkeyInput(base64.decode(file.network), parseIDText(file.vault))
}

/** collectKey is the public key by which who has the secret of a slot may collect the pepper, in base64 as a file has it. */
export function collectKey(file: VaultFile, slot: Omit<VaultSlot, 'wrapped'>, secret: Uint8Array): string {
  return base64.encode(pepperKey(pepperSeed(slotHead(file, slot), secret)))
}

/** withCode is the file with what it keeps of who may collect the pepper: whoever has the recovery code. Files that the network showed lack it. The error is of kind 'vault' where the code does not open the vault. */
export async function withCode(file: VaultFile, words: string): Promise<VaultFile> {
  const { slot, secret } = await shownCode(file, words)
  const slots = file.slots.map((s) => (s.id === slot.id ? { ...s, collect: collectKey(file, s, secret) } : s))
  return { ...file, slots }
}

/** depositPepper leaves the pepper of the vault's wallet slot, which this device keeps, with the hospital that the client asks first, and says who may collect it. It can be repeated. The error is of kind 'vault' where this device has no pepper of the vault, or the file does not say who may collect it. */
export async function depositPepper(client: Client, file: VaultFile): Promise<Gateway> {
  const pepper = await pepperOf(client.secrets, file)
  const slot = walletSlotOf(file)
  if (pepper === undefined || slot === undefined) throw new PhrdError('vault', 'this device does not keep the pepper of the vault')
  const keys = file.slots.flatMap((s) => (s.collect === undefined ? [] : [`${s.kind}:${s.id}:${hex(base64.decode(s.collect))}`]))
  if (keys.length === 0) throw new PhrdError('vault', 'nothing says who may collect the pepper')
  const body = { vault: file.vault, slot: slot.id, revision: slot.revision.toString(), pepper: base64.encode(pepper), keys: keys.join(' ') }
  return client.gateways.try(async (gateway) => {
    await caughtUp(client, gateway)
    await ask(gateway, 'PUT', '/pepper', body)
    return gateway
  })
}

/** keptPepper says which hospital keeps the pepper of the vault's wallet slot; undefined where none does that the log or this client names. */
export async function keptPepper(client: Client, file: VaultFile): Promise<KeptPepper | undefined> {
  return atPepper(client, file, async (_, kept) => kept)
}

/** collectPepper gets the pepper with the recovery code, beside the wallet, from the hospital that keeps it, and keeps it on this device: from then on openVaultByWallet opens the vault here. Errors are of kind 'not found' where no hospital keeps it, 'forbidden' where it does not know the code, and 'vault'. */
export async function collectPepper(client: Client, file: VaultFile, words: string): Promise<void> {
  await collectBy(client, file, await shownCode(file, words))
}

/** collectPepperByPasskey is collectPepper with the PRF output of a passkey of the vault. */
export async function collectPepperByPasskey(client: Client, file: VaultFile, prf: Uint8Array): Promise<void> {
  await collectBy(client, file, await shown(file, 'passkey', passkeySecret(prf)))
}

/** collectPepperInPerson is collectPepper with a word that a hospital's staff handed over, once. */
export async function collectPepperInPerson(client: Client, file: VaultFile, word: string): Promise<void> {
  await keepCollected(client, file, (gateway) => ask(gateway, 'POST', '/pepper/collect-in-person', { word }))
}

/** deletePepper has the hospital that keeps the pepper delete it for good: the wallet opens the vault on devices that keep it, and on no other. */
export async function deletePepper(client: Client, file: VaultFile): Promise<void> {
  await found(atPepper(client, file, async (gateway) => {
    await ask(gateway, 'DELETE', '/pepper')
    return true
  }))
}

/** Admission is the word with which a patient collects the pepper, once. */
export interface Admission {
  readonly word: string
  /** Until when, in unix seconds. */
  readonly expires: bigint
}

/** admitPepper has the own hospital's gateway admit one collection of a patient's pepper, as a clerk or an officer who has looked at the person's papers. The error is of kind 'not found' where the hospital keeps none, and 'forbidden' for other accounts. */
export async function admitPepper(client: Client, patient: string): Promise<Admission> {
  const { hospital } = await client.principal()
  const said = await ask(await client.gateways.of(hospital), 'POST', '/pepper/admissions', { patient })
  return { word: textOf(said, 'word'), expires: BigInt(Math.floor(Date.parse(textOf(said, 'expires_at')) / 1000)) }
}

/** hasPepper tells whether this device keeps the pepper of the vault's wallet slot. */
export async function hasPepper(client: Client, file: VaultFile): Promise<boolean> {
  return (await pepperOf(client.secrets, file)) !== undefined
}

async function collectBy(client: Client, file: VaultFile, { slot, secret }: Shown): Promise<void> {
  const head = slotHead(file, slot)
  const seed = pepperSeed(head, secret)
  await keepCollected(client, file, async (gateway, wallet) => {
    const nonce = textOf(await ask(gateway, 'POST', '/pepper/challenge', {}), 'nonce')
    const request = { ...head, host: gateway.host, slot: parseIDText(wallet.id), by: head.slot, nonce: unhex(nonce) }
    return ask(gateway, 'POST', '/pepper/collect', { by: slot.id, nonce, signature: base64.encode(signPepperRequest(request, seed)) })
  })
}

// keepCollected keeps what a gateway gives beside what this device has of the vault.
async function keepCollected(client: Client, file: VaultFile, collect: (gateway: Gateway, wallet: VaultSlot) => Promise<unknown>): Promise<void> {
  const wallet = walletSlotOf(file)
  if (wallet === undefined) throw new PhrdError('vault', 'the vault has no slot of a wallet')
  const got = await found(atPepper(client, file, async (gateway) => collect(gateway, wallet)))
  const pepper = Uint8Array.from(base64.decode(textOf(got, 'pepper')))
  if (pepper.length !== 32) throw new PhrdError('answer', 'the pepper is none')
  const kv = (await keptOf(client.secrets, file))?.kv
  await forgetVaultSecrets(client.secrets, file)
  await keepVaultSecrets(client.secrets, file, kv === undefined ? { pepper } : { kv, pepper })
}

async function found<T>(asked: Promise<T | undefined>): Promise<T> {
  const there = await asked
  if (there === undefined) throw new PhrdError('not found', 'no hospital keeps the pepper of the wallet’s slot')
  return there
}

// atPepper asks the gateway that keeps the pepper: the one that is asked first, or the one of the hospital where the patient's log says that it was left.
async function atPepper<T>(client: Client, file: VaultFile, use: (gateway: Gateway, kept: KeptPepper) => Promise<T>): Promise<T | undefined> {
  const [first] = client.gateways.order()
  const here = first === undefined ? undefined : await keptAt(first, file)
  if (first !== undefined && here !== undefined) return use(first, here)
  const hospital = await namedByLog(client, file)
  if (hospital === undefined) return undefined
  const named = await client.gateways.of(hospital)
  const kept = named === first ? undefined : await keptAt(named, file)
  return kept === undefined ? undefined : use(named, kept)
}

async function keptAt(gateway: Gateway, file: VaultFile): Promise<KeptPepper | undefined> {
  try {
    const said = await ask(gateway, 'GET', '/pepper')
    if (textOf(said, 'vault') !== file.vault || textOf(said, 'slot') !== walletSlotOf(file)?.id) return undefined
    const ways = fieldOf(said, 'ways')
    if (!Array.isArray(ways)) throw new PhrdError('answer', 'the ways to the pepper are no list')
    if (gateway.hospital === 0n) await gateway.chain()
    return { hospital: gateway.hospital, name: gateway.name, ways: ways.map((way: unknown) => textOf(way, 'slot')) }
  } catch (cause) {
    if (isKind(cause, 'not found')) return undefined
    throw cause
  }
}

async function namedByLog(client: Client, file: VaultFile): Promise<bigint | undefined> {
  for await (const entry of log(client, { patient: file.patient, kinds: ['pepper_deposited'] })) return BigInt(entry.target)
  return undefined
}

// caughtUp waits until the gateway's node has what this client has seen committed.
async function caughtUp(client: Client, gateway: Gateway): Promise<void> {
  await poll(AbortSignal.timeout(attemptTime), async () => ((await gateway.chain()).height >= client.height ? true : undefined))
}

async function ask(gateway: Gateway, method: string, path: string, body?: Record<string, string>): Promise<unknown> {
  const init = body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  const response = await gateway.request(method, path, init)
  return response.status === 204 ? undefined : response.json()
}

function walletSlotOf(file: VaultFile): VaultSlot | undefined {
  return file.slots.find((slot) => slot.kind === 'wallet')
}

async function shownCode(file: VaultFile, words: string): Promise<Shown> {
  let code: Bytes
  try {
    code = parseCodeWords(words)
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', cause.message, cause) : cause
  }
  return shown(file, 'code', code)
}

// shown is the slot that a secret opens.
async function shown(file: VaultFile, kind: VaultSlot['kind'], secret: Uint8Array): Promise<Shown> {
  for (const slot of file.slots.filter((s) => s.kind === kind)) {
    try {
      await openSlot(slotHead(file, slot), secret, base64.decode(slot.wrapped))
      return { slot, secret }
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
    }
  }
  throw new PhrdError('vault', `no ${kind} slot of the vault opens`)
}
