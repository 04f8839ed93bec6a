import { ed25519 } from '@noble/curves/ed25519.js'
import { randomBytes } from '#custody/encoding.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { Role } from '../generated/phrd/consortium/v1/member_pb.js'
import { MsgCreateInvitationResponseSchema, MsgCreateInvitationSchema } from '../generated/phrd/consortium/v1/tx_pb.js'
import { type Invitation, invitationText } from '../invitation.js'
import { gasBase } from '../send.js'
import { memberDoors } from './members.js'

// The inviting hospital's gateway, and one to check it against.
const invitationDoors = 2

/** Invited is an invitation and its text. The text is secret until it is used: whoever has it can use it, once. */
export interface Invited extends Invitation {
  readonly text: string
}

/** invite lets one person become a patient within so many seconds. The account is an admin or a clerk. */
export async function invite(client: Client, lifetime: bigint): Promise<Invited> {
  const { hospital } = await client.principal()
  const doors = await memberDoors(client)
  const [own, ...others] = [...doors.filter((door) => door.hospital === hospital), ...doors.filter((door) => door.hospital !== hospital)]
  if (own === undefined) throw new PhrdError('unreachable', 'no hospital has a gateway')
  const i: Invitation = {
    seed: randomBytes(32), chainID: client.chainID, network: client.network, expires: (await client.blockTime()) + lifetime, doors: [own, ...others].slice(0, invitationDoors),
  }
  await client.send('amino', gasBase, MsgCreateInvitationSchema, {
    inviter: client.signer.address, key: ed25519.getPublicKey(i.seed), role: Role.PATIENT, expiresAt: i.expires,
  }, MsgCreateInvitationResponseSchema)
  return { ...i, text: invitationText(i) }
}
