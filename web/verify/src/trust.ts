import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, equal } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'
import { parseBase64 } from './base64.js'
import { inOrder, type Validator, validatorsHash } from './block.js'
import { parseHex } from './form.js'

/** Genesis is the network's first state: who signs its first blocks. */
export interface Genesis {
  readonly chainID: string
  /** The network id, 32 bytes. */
  readonly network: Bytes
  /** The SHA-256 of the file, which hospitals compare. */
  readonly hash: Bytes
  /** The hash of the first validators. */
  readonly validators: Bytes
}

/** TrustedBlock is one block that somebody knows by its hash. */
export interface TrustedBlock {
  readonly height: bigint
  readonly hash: Bytes
}

/** WitnessKey is a key that a witness signs checkpoints with. */
export interface WitnessKey {
  readonly name: string
  /** The first four bytes of a hash, which stand before each signature. */
  readonly id: Bytes
  readonly algorithm: 'ed25519' | 'ml-dsa-44'
  readonly key: Bytes
}

/** Trust is what a file is verified against. Of the witnesses all must have signed. */
export interface Trust {
  readonly from: Genesis | TrustedBlock
  readonly witnesses: readonly WitnessKey[]
}

/** readGenesis reads the network's genesis.json. */
export function readGenesis(file: Uint8Array): Genesis {
  const genesis = parsed(file)
  const members = at(genesis, 'app_state', 'consortium', 'members')
  if (!Array.isArray(members)) return refuse('the genesis names no members')
  const validators = members
    .filter((member) => at(member, 'status') === 'MEMBER_STATUS_ACTIVE')
    .map((member): Validator => ({ key: parseBase64(textAt(member, 'consensus_key')), votes: 1n }))
  demand(validators.length > 0 && validators.every((v) => v.key.length === 32), 'the genesis names no members with keys')
  const network = parseBase64(textAt(at(genesis, 'app_state', 'consortium'), 'network_id'))
  return { chainID: textAt(genesis, 'chain_id'), network, hash: Uint8Array.from(sha256(file)), validators: validatorsHash(inOrder(validators)) }
}

/** parseTrustedBlock reads HEIGHT:HASH. */
export function parseTrustedBlock(text: string): TrustedBlock {
  const found = /^([1-9][0-9]{0,17}):([0-9a-fA-F]{64})$/.exec(text.trim()) ?? refuse('a trusted block is HEIGHT:HASH')
  return { height: BigInt(found[1] ?? ''), hash: parseHex((found[2] ?? '').toLowerCase()) }
}

/** parseWitnessKey reads NAME+ID+KEY, the key with the byte of its algorithm before it in base64. */
export function parseWitnessKey(text: string): WitnessKey {
  const found = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? refuse('the key of a witness is NAME+ID+KEY')
  const [name = '', id = '', encoded = ''] = found.slice(1)
  const key = parseBase64(encoded)
  const algorithm = key[0] === 4 && key.length === 33 ? 'ed25519' : key[0] === 6 && key.length === 1313 ? 'ml-dsa-44' : refuse('the key of a witness is of no known kind')
  const expected = sha256(Uint8Array.from([...new TextEncoder().encode(`${name}\n`), ...key])).subarray(0, 4)
  demand(equal(parseHex(id), expected), 'the key of a witness has another id')
  return { name, id: Uint8Array.from(expected), algorithm, key: key.slice(1) }
}

function parsed(file: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file))
  } catch {
    return refuse('the genesis is no JSON')
  }
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, name) => (typeof inner === 'object' && inner !== null ? (Reflect.get(inner, name) as unknown) : undefined), value)
}

function textAt(value: unknown, name: string): string {
  const found = at(value, name)
  return typeof found === 'string' ? found : refuse(`the genesis has no ${name}`)
}
