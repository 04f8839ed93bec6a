import { idText } from '#custody/id.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { CopyStatus, NodeStatus, type Standing } from '../generated/phrd/storage/v1/object_pb.js'
import { Query as Storage, type QueryObjectResponse } from '../generated/phrd/storage/v1/query_pb.js'
import { collect, paged } from '../pages.js'
import { arrived } from '../poll.js'
import { type Ref, refText } from './ref.js'

/** Copies says where copies of a version are, as their nodes confirmed it. */
export interface Copies {
  /** How many distinct places hold one, and how many are wanted. */
  readonly held: number
  readonly target: number
  /** The hospitals that hold one, by number, ascending. */
  readonly hospitals: readonly bigint[]
  /** The names of the sites that hold one, sorted; two hospitals may name one town. */
  readonly sites: readonly string[]
  readonly standing: Standing
}

/** Places are the storage nodes of the network with where they stand. It is read once for many versions. */
export interface Places {
  of(node: bigint): { readonly hospital: bigint; readonly site: string } | undefined
}

/** places reads where the storage nodes of the network stand. */
export async function places(client: Client): Promise<Places> {
  const nodes = await collect(paged(async (pagination) => {
    const { storageNodes, pagination: next } = await client.gateways.query(Consortium.method.storageNodes, { pagination })
    return { found: storageNodes, pagination: next }
  }))
  const sites = await collect(paged(async (pagination) => {
    const { sites: found, pagination: next } = await client.gateways.query(Consortium.method.sites, { pagination })
    return { found, pagination: next }
  }))
  const name = new Map(sites.map((site) => [`${site.member}/${site.number}`, site.name]))
  const by = new Map(nodes.map((node) => [node.number, { hospital: node.member, site: name.get(`${node.member}/${node.site}`) ?? '' }]))
  return { of: (node) => by.get(node) }
}

/** copies asks where copies of an object are, which a version names by its CID as text. */
export async function copies(client: Client, at: Places, object: string): Promise<Copies> {
  return copiesOf(at, await client.gateways.query(Storage.method.object, { cid: object }))
}

function copiesOf(at: Places, answer: QueryObjectResponse): Copies {
  const isThere = (i: number) => answer.nodes[i] !== NodeStatus.LOST && answer.nodes[i] !== NodeStatus.DRAINING
  const holding = answer.copies.filter((copy, i) => copy.status === CopyStatus.HELD && isThere(i)).flatMap((copy) => at.of(copy.node) ?? [])
  return {
    held: answer.held, target: answer.object?.target ?? 0, standing: answer.standing,
    hospitals: [...new Set(holding.map((place) => place.hospital))].sort((a, b) => Number(a - b)),
    sites: [...new Set(holding.map((place) => place.site).filter((site) => site !== ''))].sort(),
  }
}

/** CopyCount says how many copies of a version there are. */
export interface CopyCount {
  /** How many distinct places hold one, how many are wanted, and how many make a store safe. */
  readonly held: number
  readonly target: number
  readonly minimum: number
  readonly standing: Standing
}

/** copyCount asks how many copies of a version there are. What was stored a moment ago is awaited. */
export async function copyCount(client: Client, ref: Ref): Promise<CopyCount> {
  const { version } = await arrived(() => client.gateways.query(Records.method.version, { record: idText(ref.record), version: ref.version }))
  if (version === undefined) throw new PhrdError('answer', `no version ${refText(ref)} is shown`)
  const { object, held, standing } = await arrived(() => client.gateways.query(Storage.method.object, { cid: version.object }))
  if (object === undefined) throw new PhrdError('answer', `no object of version ${refText(ref)} is shown`)
  return { held, target: object.target, minimum: object.minimum, standing }
}
