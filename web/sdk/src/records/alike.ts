import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { LockedVersion } from '../unlock/locked.js'
import type { Vault } from '../vault/open.js'
import type { VaultKey } from './lock.js'
import { mostOwned } from './most.js'
import { refText } from './ref.js'
import { ownSealings } from './sealings.js'
import { granteesOf } from './terms.js'

/** Alike are versions that one message of their owner may name, and the vaults to which all of them are sealed. */
export interface Alike {
  readonly versions: readonly LockedVersion[]
  readonly to: readonly VaultKey[]
}

/** alike puts those together that one message may name: at most 64, or as many as are told, of one custodian and key of the network, and sealed to the same vaults: the patient's own and those of whom live consents let open them. */
export async function alike(client: Client, vault: Vault, locked: readonly LockedVersion[], most = mostOwned): Promise<Alike[]> {
  if (locked.length === 0) return []
  const classes = new Map((await ownSealings(client)).map((s) => [refText(s.ref), s.class]))
  const found = new Map<string, { versions: LockedVersion[]; to: readonly VaultKey[] }>()
  const newest = await vault.newest()
  for (const v of locked) {
    const header = v.stored.header
    const of = classes.get(refText(v))
    if (header === undefined || of === undefined) throw new PhrdError('not found', `version ${refText(v)} is not one of the patient’s`)
    const to = [newest, ...(await granteesOf(client, header.patient, of, v.stored.record))]
    const key = [header.custodian, header.generation, ...to.map((k) => `${k.kind} ${hex(k.id)} ${k.epoch}`)].join('/')
    const same = found.get(key)
    if (same === undefined) found.set(key, { versions: [v], to })
    else same.versions.push(v)
  }
  return [...found.values()].flatMap(({ versions, to }) => inParts(versions, most).map((part) => ({ versions: part, to })))
}

function inParts<T>(list: readonly T[], most: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / most) }, (_, i) => list.slice(i * most, (i + 1) * most))
}
