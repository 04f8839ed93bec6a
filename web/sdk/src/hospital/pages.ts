import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import type { Gateway } from '../gateway/gateway.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'

/** ServedPages says which pages a hospital's gateway serves to browsers, and for which the members voted. */
export interface ServedPages {
  readonly hospital: bigint
  readonly name: string
  /** The SHA-256 that the gateway says of its pages, in hex; empty where it serves none. */
  readonly hash: string
  /** Those that the members accepted, as this hospital's node shows it, the newest last. */
  readonly accepted: readonly string[]
}

/** servedPages asks one hospital. */
export async function servedPages(gateway: Gateway): Promise<ServedPages> {
  const [chain, { params }] = await Promise.all([gateway.chain(), gateway.query(Consortium.method.params, {})])
  return { hospital: chain.hospital, name: chain.name, hash: chain.pages, accepted: (params?.pages ?? []).map((hash) => hex(hash)) }
}

/** allServedPages asks the gateway of each hospital; one that does not answer is there by its name alone. */
export async function allServedPages(client: Client): Promise<{ readonly name: string; readonly pages: ServedPages | undefined }[]> {
  const doors = await client.gateways.doors()
  return Promise.all(doors.map(async ({ hospital, name }) => {
    const pages = await client.gateways.of(hospital).then(servedPages).catch(() => undefined)
    return { name: pages?.name ?? name, pages }
  }))
}
