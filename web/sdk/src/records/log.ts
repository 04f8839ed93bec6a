import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '../client.js'
import type { Entry } from '../generated/phrd/audit/v1/entry_pb.js'
import { Query, type QueryEntriesRequestSchema } from '../generated/phrd/audit/v1/query_pb.js'

/** LogFilter says which entries of the log are wanted; every field that is set must match. */
export type LogFilter = Omit<MessageInitShape<typeof QueryEntriesRequestSchema>, '$typeName' | 'before' | 'limit'>

/** log lists who did what, newest first. It shows an account what is about itself. */
export async function* log(client: Client, filter: LogFilter): AsyncGenerator<Entry, undefined> {
  for (let before = 0n; ; ) {
    const { entries, next } = await client.gateways.query(Query.method.entries, { ...filter, before, limit: 200 })
    yield* entries
    if (next === 0n) return
    before = next
  }
}
