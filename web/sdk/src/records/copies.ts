import { idText } from '#custody/id.js'
import type { Client } from '../client.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { type Standing } from '../generated/phrd/storage/v1/object_pb.js'
import { Query as Storage } from '../generated/phrd/storage/v1/query_pb.js'
import { PhrdError } from '../errors.js'
import { arrived } from '../poll.js'
import { type Ref, refText } from './ref.js'

/** Copies says how many copies of a version there are. */
export interface Copies {
  /** The number of distinct places whose copy was confirmed. */
  readonly held: number
  /** How many are wanted, and how many make a store safe. */
  readonly target: number
  readonly minimum: number
  readonly standing: Standing
}

/** copies asks how many copies of a version there are. What was stored a moment ago is awaited. */
export async function copies(client: Client, ref: Ref): Promise<Copies> {
  const { version } = await arrived(() => client.gateways.query(Records.method.version, { record: idText(ref.record), version: ref.version }))
  if (version === undefined) throw new PhrdError('answer', `no version ${refText(ref)} is shown`)
  const { object, held, standing } = await arrived(() => client.gateways.query(Storage.method.object, { cid: version.object }))
  if (object === undefined) throw new PhrdError('answer', `no object of version ${refText(ref)} is shown`)
  return { held, target: object.target, minimum: object.minimum, standing }
}
