import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '../client.js'
import { Query, type QueryUnlockResponse, type QueryUnlocksRequestSchema } from '../generated/phrd/access/v1/query_pb.js'

/** UnlockFilter says whose unlocks are wanted: exactly one of patient, requester and custodian; and in which status, all where it is left out. */
export type UnlockFilter = Omit<MessageInitShape<typeof QueryUnlocksRequestSchema>, '$typeName' | 'pagination'>

/** unlocks lists unlocks, newest first. */
export async function* unlocks(client: Client, filter: UnlockFilter): AsyncGenerator<QueryUnlockResponse, undefined> {
  for (let key = new Uint8Array(); ; ) {
    const { unlocks: found, pagination } = await client.gateways.query(Query.method.unlocks, { ...filter, pagination: { key, limit: 200n } })
    yield* found
    if (pagination === undefined || pagination.nextKey.length === 0) return
    key = Uint8Array.from(pagination.nextKey)
  }
}
