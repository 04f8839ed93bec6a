import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { fieldOf, numberOf, textOf } from '../gateway/gateway.js'
import { MsgVoteResponseSchema, MsgVoteSchema } from '../generated/phrd/consortium/v1/tx_pb.js'
import { gasBase } from '../send.js'

/** Proposal is a decision on which the members vote. */
export interface Proposal {
  readonly number: bigint
  /** The member whose admin made it. */
  readonly hospital: bigint
  /** When voting ends, in unix seconds. */
  readonly closes: bigint
  /** Where it stands, like OPEN. */
  readonly status: string
  /** Why it could not be carried out; empty otherwise. */
  readonly failure: string
  readonly messages: readonly Decision[]
}

/** Decision is one message of a proposal: its full name, and its fields as the chain's JSON has them. A message that this program does not know is shown all the same. */
export interface Decision {
  readonly name: string
  readonly fields: readonly (readonly [string, string])[]
}

/** Vote is one member's vote. */
export interface Vote {
  readonly hospital: bigint
  readonly accept: boolean
}

/** newestProposals are at most so many proposals, newest first. Staff may ask. */
export async function newestProposals(client: Client, limit: number): Promise<Proposal[]> {
  const said = await ask(client, `/phrd/consortium/v1/proposals?pagination.limit=${limit}`)
  return listOf(said, 'proposals').map(proposalOf)
}

/** votesOn are the votes on a proposal so far. */
export async function votesOn(client: Client, proposal: bigint): Promise<Vote[]> {
  const said = await ask(client, `/phrd/consortium/v1/proposals/${proposal}`)
  return listOf(said, 'votes').map((vote) => ({ hospital: numberOf(vote, 'hospital'), accept: fieldOf(vote, 'accept') === true }))
}

/** vote casts the one vote of the admin's hospital. */
export async function vote(client: Client, proposal: bigint, accept: boolean): Promise<void> {
  await client.send('amino', gasBase, MsgVoteSchema, { voter: client.signer.address, proposal, accept }, MsgVoteResponseSchema)
}

async function ask(client: Client, path: string): Promise<unknown> {
  return client.gateways.try(async (gateway) => (await gateway.request('GET', path)).json())
}

function proposalOf(json: unknown): Proposal {
  return {
    number: numberOf(json, 'number'), hospital: numberOf(json, 'hospital'), closes: numberOf(json, 'closes_at'), failure: textOf(json, 'failure'),
    status: textOf(json, 'status').replace('PROPOSAL_STATUS_', ''), messages: listOf(json, 'messages').map(decisionOf),
  }
}

function decisionOf(json: unknown): Decision {
  if (typeof json !== 'object' || json === null) throw new PhrdError('answer', 'a proposal has a message that is none')
  const fields = Object.entries(json).filter(([name]) => name !== '@type' && name !== 'authority')
  return { name: textOf(json, '@type').replace(/^\//, ''), fields: fields.flatMap(([name, value]) => linesOf(name, value)) }
}

// Fields of fields are named by both, and what is empty is left out.
function linesOf(name: string, value: unknown): [string, string][] {
  if (value === null || value === '') return []
  if (typeof value !== 'object') return [[name, String(value)]]
  return Object.entries(value).flatMap(([inner, of]) => linesOf(`${name}.${inner}`, of))
}

function listOf(json: unknown, field: string): unknown[] {
  const value = fieldOf(json, field)
  if (!Array.isArray(value)) throw new PhrdError('answer', `an answer has no list ${field}`)
  return value
}
