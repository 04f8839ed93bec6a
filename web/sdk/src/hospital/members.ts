import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import type { Door } from '../gateway/door.js'
import { type Member, MemberStatus } from '../generated/phrd/consortium/v1/member_pb.js'
import { Query } from '../generated/phrd/consortium/v1/query_pb.js'
import { paged } from '../pages.js'

/** members lists the hospitals of the network by number, those that left included. */
export function members(client: Client): AsyncGenerator<Member, undefined> {
  return paged(async (pagination) => {
    const { members: found, pagination: next } = await client.gateways.query(Query.method.members, { pagination })
    return { found, pagination: next }
  })
}

/** memberDoors are the gateways of the members that take part, with the fingerprints that the chain has of them. */
export async function memberDoors(client: Client): Promise<Door[]> {
  const doors: Door[] = []
  for await (const m of members(client)) {
    const isThere = m.status === MemberStatus.ACTIVE || m.status === MemberStatus.LEAVING
    if (isThere && m.gatewayUrl !== '') doors.push({ hospital: m.number, name: m.name, gateway: m.gatewayUrl, fingerprint: hex(m.gatewayFingerprint) })
  }
  return doors
}
