import { idText } from '#custody/id.js'
import type { Bytes } from '#custody/encoding.js'
import type { Client } from '../client.js'
import { Query } from '../generated/phrd/records/v1/query_pb.js'
import type { Record, Version } from '../generated/phrd/records/v1/record_pb.js'
import { paged } from '../pages.js'

/** records lists the records of a patient, by number. */
export function records(client: Client, patient: string): AsyncGenerator<Record, undefined> {
  return paged(async (pagination) => {
    const { records: found, pagination: next } = await client.gateways.query(Query.method.records, { patient, pagination })
    return { found, pagination: next }
  })
}

/** recordsKept lists the records in a hospital's custody. Its staff may ask. */
export function recordsKept(client: Client, custodian: bigint): AsyncGenerator<Record, undefined> {
  return paged(async (pagination) => {
    const { records: found, pagination: next } = await client.gateways.query(Query.method.records, { custodian, pagination })
    return { found, pagination: next }
  })
}

/** versions lists the versions of a record from the first one on. */
export function versions(client: Client, record: Bytes): AsyncGenerator<Version, undefined> {
  return paged(async (pagination) => {
    const { versions: found, pagination: next } = await client.gateways.query(Query.method.versions, { record: idText(record), pagination })
    return { found, pagination: next }
  })
}
