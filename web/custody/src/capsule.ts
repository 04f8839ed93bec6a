import { type Bytes, concat, counted, equal, fixed, hash, readU64, u64 } from './encoding.js'
import { parseNet } from './generation.js'
import * as hybrid from './hybrid.js'
import { parseID } from './id.js'
import { demand } from './refusal.js'

const entrySize = 16 + 8 + 32

/** A version under lock 1 of a proposal. */
export interface Named {
  readonly record: Uint8Array
  readonly version: bigint
}

/** capsuleInfo binds a capsule to its unlock. */
export function capsuleInfo(net: Uint8Array, unlock: Uint8Array): Bytes {
  return hash('phrd/v1/capsule', parseNet(net), fixed(unlock, 32, 'an unlock id'))
}

/** sealCapsule seals the owner's halves of the versions under lock 1, in the proposal's order, to the requester's key. */
export async function sealCapsule(
  net: Uint8Array,
  unlock: Uint8Array,
  key: Uint8Array,
  halves: readonly (Named & { readonly p: Uint8Array })[],
  chance?: Uint8Array,
): Promise<Bytes> {
  demand(halves.length > 0, 'no version needs a capsule')
  const entries = halves.map((half) => concat(parseID(half.record), counted(half.version, 'version'), fixed(half.p, 32, 'p')))
  return hybrid.seal(key, capsuleInfo(net, unlock), concat(u64(BigInt(halves.length)), ...entries), chance)
}

/** openCapsule gives the p of each of the proposal's versions under lock 1, which are all that a capsule may hold. */
export async function openCapsule(net: Uint8Array, unlock: Uint8Array, seed: Uint8Array, versions: readonly Named[], capsule: Uint8Array): Promise<Bytes[]> {
  demand(versions.length > 0, 'no version needs a capsule')
  const plaintext = await hybrid.open(seed, capsuleInfo(net, unlock), capsule)
  demand(readU64(plaintext, 0) === BigInt(versions.length), 'a capsule holds another number of versions')
  demand(plaintext.length === 8 + entrySize * versions.length, 'a capsule has another length')
  return versions.map((version, i) => {
    const entry = plaintext.subarray(8 + entrySize * i, 8 + entrySize * (i + 1))
    const named = concat(parseID(version.record), counted(version.version, 'version'))
    demand(equal(entry.subarray(0, 24), named), 'a capsule holds another version')
    return entry.slice(24)
  })
}
