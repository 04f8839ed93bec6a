import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { fieldOf, type Gateway, numberOf } from '../gateway/gateway.js'
import { Query, type QueryHealthResponse } from '../generated/phrd/storage/v1/query_pb.js'

/** Readiness says whether a hospital's server can take part now, and if not why. */
export interface Readiness {
  readonly ready: boolean
  readonly reasons: readonly string[]
  readonly height: bigint
  readonly catchingUp: boolean
}

/** readinessOf asks a gateway how its server is. */
export async function readinessOf(gateway: Gateway): Promise<Readiness> {
  const said = await gateway.readiness()
  const reasons = fieldOf(said, 'reasons')
  if (!Array.isArray(reasons)) throw new PhrdError('answer', 'a gateway does not say why it is not ready')
  return { ready: fieldOf(said, 'ready') === true, reasons: reasons.map(String), height: numberOf(said, 'height'), catchingUp: fieldOf(said, 'catching_up') === true }
}

/** storeHealth tells how safe everything is that the network keeps, and where each storage node stands. Staff may ask. */
export async function storeHealth(client: Client): Promise<QueryHealthResponse> {
  return client.gateways.query(Query.method.health, {})
}
