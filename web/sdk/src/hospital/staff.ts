import type { Client } from '../client.js'
import { Role, type Staff } from '../generated/phrd/consortium/v1/member_pb.js'
import { Query } from '../generated/phrd/consortium/v1/query_pb.js'
import { MsgRegisterStaffResponseSchema, MsgRegisterStaffSchema, MsgRevokeStaffResponseSchema, MsgRevokeStaffSchema } from '../generated/phrd/consortium/v1/tx_pb.js'
import { paged } from '../pages.js'
import { gasBase } from '../send.js'
import { parseAddress } from '../wallet/address.js'

/** staffRoles are the roles that an admin gives. */
export const staffRoles = [Role.CLERK, Role.CLINICIAN, Role.OFFICER, Role.AUDITOR, Role.ADMIN] as const

/** staff lists the accounts of a hospital's people, revoked ones included. Admins and officers of the hospital may ask. */
export function staff(client: Client, hospital: bigint): AsyncGenerator<Staff, undefined> {
  return paged(async (pagination) => {
    const { staff: found, pagination: next } = await client.gateways.query(Query.method.staff, { hospital, pagination })
    return { found, pagination: next }
  })
}

/** registerStaff gives an address a role in the admin's hospital. It must be nobody's yet. */
export async function registerStaff(client: Client, address: string, role: (typeof staffRoles)[number]): Promise<void> {
  parseAddress(address)
  await client.send('amino', gasBase, MsgRegisterStaffSchema, { admin: client.signer.address, address, role }, MsgRegisterStaffResponseSchema)
}

/** revokeStaff ends an account's role from the next block on. A hospital's last admin stays. */
export async function revokeStaff(client: Client, address: string): Promise<void> {
  await client.send('amino', gasBase, MsgRevokeStaffSchema, { admin: client.signer.address, address }, MsgRevokeStaffResponseSchema)
}
