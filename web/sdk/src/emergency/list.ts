import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import type { Emergency, EmergencyStatus } from '../generated/phrd/access/v1/emergency_pb.js'
import { Query, type QueryEmergencyAccessesRequestSchema, type QueryEmergencyAccessResponse } from '../generated/phrd/access/v1/query_pb.js'
import { paged } from '../pages.js'

/** EmergencyFilter says which emergencies are wanted; every field that is set must match. */
export type EmergencyFilter = Omit<MessageInitShape<typeof QueryEmergencyAccessesRequestSchema>, '$typeName' | 'pagination'>

/** emergencies lists emergencies, newest first, each with where it stands and what its review found. Patients ask for their own, clinicians for those that they requested, officers for all. */
export function emergencies(client: Client, filter: EmergencyFilter): AsyncGenerator<QueryEmergencyAccessResponse, undefined> {
  return paged(async (pagination) => {
    const { emergencies: found, pagination: next } = await client.gateways.query(Query.method.emergencyAccesses, { ...filter, pagination })
    return { found, pagination: next }
  })
}

/** emergencyAt reads an emergency and where it stands. */
export async function emergencyAt(connection: Connection, id: string): Promise<{ readonly emergency: Emergency; readonly status: EmergencyStatus }> {
  const { emergency, status } = await connection.query(Query.method.emergencyAccess, { id })
  if (emergency === undefined) throw new PhrdError('answer', 'no emergency is shown')
  return { emergency, status }
}
