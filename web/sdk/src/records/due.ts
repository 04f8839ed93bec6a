import { readU64, u64 } from '#custody/encoding.js'
import type { Client } from '../client.js'
import { relocksDue } from '../consents/seal.js'
import { generationOf } from '../unlock/locked.js'
import type { Vault } from '../vault/open.js'
import { type Ref, refText } from './ref.js'
import { ownSealings, type Sealing } from './sealings.js'

// When the patient asked for all versions to be locked anew, until that is done: unix seconds, 8 bytes.
const nameOfAll = 'relock/all'

/** RelocksDue says why versions of the patient's are to be locked anew. One may be in several lists. */
export interface RelocksDue {
  /** Sealed to somebody whose consent has ended. */
  readonly ended: readonly Ref[]
  /** Locked by a former generation of the network's key. */
  readonly former: readonly Ref[]
  /** A new lock waits for its confirmation, which the program that made it did not live to see. */
  readonly waiting: readonly Ref[]
  /** Not yet locked anew since the patient asked for all. */
  readonly asked: readonly Ref[]
  /** Of all that the vault opens. */
  readonly all: readonly Ref[]
  /** Sealed to keys that the vault does not have: nobody can open them or lock them anew. */
  readonly shut: readonly Ref[]
}

/** dueRelocks says which versions are to be locked anew, and why. */
export async function dueRelocks(client: Client, vault: Vault): Promise<RelocksDue> {
  const sealings = await ownSealings(client)
  const open = sealings.filter((s) => vault.has(s.epoch))
  const newest = (await generationOf(client.gateways, client.network, 0n)).key.generation
  const since = await askedForAll(client)
  const refs = (is: (s: Sealing) => boolean) => open.filter(is).map((s) => s.ref)
  return {
    ended: await relocksDue(client, vault), former: refs((s) => s.generation !== newest), waiting: refs((s) => s.relocking),
    asked: since === undefined ? [] : refs((s) => s.lockedAt <= since), all: open.map((s) => s.ref), shut: sealings.filter((s) => !vault.has(s.epoch)).map((s) => s.ref),
  }
}

/** wanted are the versions that are due for any reason, each once. */
export function wanted({ ended, former, waiting, asked }: RelocksDue): Ref[] {
  return [...new Map([...ended, ...former, ...waiting, ...asked].map((ref) => [refText(ref), ref])).values()]
}

/** askForAll has every version be due that was locked before now, until forgetAll; Secrets keep it, so that another program goes on where this one was closed. */
export async function askForAll(client: Client): Promise<void> {
  const now = await client.blockTime()
  await client.secrets.delete(nameOfAll)
  await client.secrets.put(nameOfAll, u64(now))
}

/** forgetAll is for when all that was asked for is done, or not wanted any more. */
export async function forgetAll(client: Client): Promise<void> {
  await client.secrets.delete(nameOfAll)
}

async function askedForAll(client: Client): Promise<bigint | undefined> {
  const kept = await client.secrets.get(nameOfAll)
  return kept === undefined ? undefined : readU64(kept, 0)
}
