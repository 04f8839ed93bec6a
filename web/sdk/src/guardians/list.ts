import type { Client } from '../client.js'
import { isKind } from '../errors.js'
import type { Guardians } from '../generated/phrd/access/v1/guardian_pb.js'
import { Query } from '../generated/phrd/access/v1/query_pb.js'
import { paged } from '../pages.js'

/** guardiansOf are the guardians of a patient; undefined where there are none. The patient, the guardians, and an account that is nobody's yet may ask. */
export async function guardiansOf(client: Client, patient: string): Promise<Guardians | undefined> {
  try {
    return (await client.gateways.query(Query.method.guardians, { patient })).guardians
  } catch (cause) {
    if (isKind(cause, 'not found')) return undefined
    throw cause
  }
}

/** guarded lists the guardians of each patient whose guardian a patient is. */
export function guarded(client: Client, guardian: string): AsyncGenerator<Guardians, undefined> {
  return paged(async (pagination) => {
    const { guarded: found, pagination: next } = await client.gateways.query(Query.method.guarded, { guardian, pagination })
    return { found, pagination: next }
  })
}

// Holds where the network's rules name no other delay, in seconds.
const defaultDelay = 7n * 86_400n

/** leastDelay is the least time between the last approval of a recovery and its end that the network asks for, in seconds; it is that of recoveries which hospitals approve. */
export async function leastDelay(client: Client): Promise<bigint> {
  const { params } = await client.gateways.query(Query.method.params, {})
  const delay = params?.recoveryDelay ?? 0n
  return delay === 0n ? defaultDelay : delay
}
