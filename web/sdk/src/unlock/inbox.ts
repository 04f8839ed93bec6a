import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '../client.js'
import { Query, type QueryUnlockResponse, type QueryUnlocksRequestSchema } from '../generated/phrd/access/v1/query_pb.js'
import { paged } from '../pages.js'

/** UnlockFilter says whose unlocks are wanted: exactly one of patient, requester and custodian; and in which status, all where it is left out. */
export type UnlockFilter = Omit<MessageInitShape<typeof QueryUnlocksRequestSchema>, '$typeName' | 'pagination'>

/** unlocks lists unlocks, newest first. */
export function unlocks(client: Client, filter: UnlockFilter): AsyncGenerator<QueryUnlockResponse, undefined> {
  return paged(async (pagination) => {
    const { unlocks: found, pagination: next } = await client.gateways.query(Query.method.unlocks, { ...filter, pagination })
    return { found, pagination: next }
  })
}
