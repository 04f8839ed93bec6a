import { base64 } from '@scure/base'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { fieldOf, numberOf, textOf } from '../gateway/gateway.js'

// What a gateway hands on of its node's CometBFT RPC, which everybody may ask.

const validatorsPage = 100
const signedThis = 2n // BlockIDFlagCommit

/** Header is what leads from block to block. */
export interface Header {
  readonly height: bigint
  readonly validatorsHash: string
}

async function ask(client: Client, method: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
  const query = new URLSearchParams(parameters)
  // A node that was restored lacks old blocks, and another one has them.
  const onward = (cause: unknown) => isKind(cause, 'unreachable', 'not found')
  return client.gateways.try(async (gateway) => {
    const answer = await gateway.call('GET', `/rpc/${method}${query.size === 0 ? '' : `?${query}`}`)
    if (fieldOf(answer, 'error') === undefined) return fieldOf(answer, 'result')
    const fault = fieldOf(answer, 'error')
    throw new PhrdError('not found', `gateway ${gateway.door.gateway}: ${method}: ${textOf(fault, 'message')}`)
  }, onward)
}

/** newest is the header of the newest block. */
export async function newest(client: Client): Promise<Header> {
  return headerOf(fieldOf(fieldOf(await ask(client, 'commit', {}), 'signed_header'), 'header'))
}

/** header is that of a block. */
export async function header(client: Client, height: bigint): Promise<Header> {
  return headerOf(fieldOf(await ask(client, 'header', { height: String(height) }), 'header'))
}

function headerOf(said: unknown): Header {
  return { height: numberOf(said, 'height'), validatorsHash: textOf(said, 'validators_hash') }
}

/** signedBlock is a block's header, its validators and their signatures, as docs/audit-export.md writes them. */
export async function signedBlock(client: Client, height: bigint): Promise<object> {
  const signed = fieldOf(await ask(client, 'commit', { height: String(height) }), 'signed_header')
  const [head, commit] = [fieldOf(signed, 'header'), fieldOf(signed, 'commit')]
  const [version, last, parts] = [fieldOf(head, 'version'), fieldOf(head, 'last_block_id'), fieldOf(fieldOf(commit, 'block_id'), 'parts')]
  const hash = (name: string) => textOf(head, name).toLowerCase()
  return {
    version: { block: Number(numberOf(version, 'block')), app: 'app' in (version as object) ? Number(numberOf(version, 'app')) : 0 },
    chain_id: textOf(head, 'chain_id'), height: Number(numberOf(head, 'height')), time: textOf(head, 'time'),
    last_block: { hash: textOf(last, 'hash').toLowerCase(), ...partsOf(fieldOf(last, 'parts')) },
    last_commit_hash: hash('last_commit_hash'), data_hash: hash('data_hash'), validators_hash: hash('validators_hash'), next_validators_hash: hash('next_validators_hash'),
    consensus_hash: hash('consensus_hash'), app_hash: hash('app_hash'), last_results_hash: hash('last_results_hash'), evidence_hash: hash('evidence_hash'),
    proposer: hash('proposer_address'), round: Number(numberOf(commit, 'round')), ...partsOf(parts),
    validators: await validators(client, height), signatures: signaturesOf(fieldOf(commit, 'signatures')),
  }
}

function partsOf(parts: unknown): object {
  return { parts_total: Number(numberOf(parts, 'total')), parts_hash: textOf(parts, 'hash').toLowerCase() }
}

function signaturesOf(all: unknown): object[] {
  return listOf(all).flatMap((said, validator) =>
    numberOf(said, 'block_id_flag') === signedThis ? [{ validator, time: textOf(said, 'timestamp'), signature: textOf(said, 'signature') }] : [],
  )
}

async function validators(client: Client, height: bigint): Promise<object[]> {
  const found: object[] = []
  for (let page = 1; ; page++) {
    const said = await ask(client, 'validators', { height: String(height), page: String(page), per_page: String(validatorsPage) })
    const some = listOf(fieldOf(said, 'validators'))
    found.push(...some.map((v) => ({ key: textOf(fieldOf(v, 'pub_key'), 'value'), votes: Number(numberOf(v, 'voting_power')) })))
    if (some.length === 0 || BigInt(found.length) >= numberOf(said, 'total')) return found
  }
}

/** StateValue is a value of the state, with its proofs. */
export interface StateValue {
  readonly value: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** stateValue reads what stands at a key of the store of the log, in the state of a block. */
export async function stateValue(client: Client, key: Uint8Array, height: bigint): Promise<StateValue> {
  const query = new URLSearchParams({ path: '/store/audit/key', data: base64.encode(key), height: String(height), prove: 'true' })
  const said: unknown = await client.gateways.try(async (gateway) => (await gateway.request('GET', `/cosmos/base/tendermint/v1beta1/abci_query?${query}`)).json() as Promise<unknown>)
  if (numberOf(said, 'code') !== 0n) throw new PhrdError('unreachable', `the state of block ${height}: ${textOf(said, 'log')}`)
  const value = bytesOf(said, 'value')
  if (value.length === 0) throw new PhrdError('not found', `the state of block ${height} has no such entry`)
  return { value, proof: listOf(fieldOf(fieldOf(said, 'proof_ops'), 'ops')).map((op) => bytesOf(op, 'data')) }
}

function bytesOf(said: unknown, name: string): Uint8Array {
  const text = fieldOf(said, name)
  return text === null ? new Uint8Array() : base64.decode(textOf(said, name))
}

function listOf(said: unknown): unknown[] {
  if (!Array.isArray(said)) throw new PhrdError('answer', 'an answer has no list')
  return said as unknown[]
}
