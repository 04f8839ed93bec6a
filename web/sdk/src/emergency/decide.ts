import type { Client } from '../client.js'
import {
  MsgApproveEmergencyResponseSchema, MsgApproveEmergencySchema, MsgReviewEmergencyResponseSchema, MsgReviewEmergencySchema,
} from '../generated/phrd/access/v1/tx_pb.js'
import { arrived } from '../poll.js'
import { gasBase, gasFor, type Receipt } from '../send.js'
import { withdraw } from '../unlock/approve.js'
import { forgetSession } from '../unlock/session.js'
import { emergencyAt } from './list.js'

// How many versions an emergency names at most.
const mostVersions = 64

/** approveEmergency supports an emergency as an officer of a hospital other than the requester's. The error is a Refused. */
export async function approveEmergency(client: Client, emergency: string): Promise<Receipt> {
  await arrived(() => emergencyAt(client.gateways, emergency))
  const message = { officer: client.signer.address, emergency }
  return (await client.send('amino', gasFor(mostVersions), MsgApproveEmergencySchema, message, MsgApproveEmergencyResponseSchema)).receipt
}

/** endEmergency ends an emergency as the clinician who asked, and deletes its sessions. Then it can be reviewed. */
export async function endEmergency(client: Client, id: string): Promise<Receipt> {
  const { emergency } = await emergencyAt(client.gateways, id)
  const receipt = await withdraw(client, id)
  await forgetSession(client.secrets, emergency.boxUnlock)
  return receipt
}

/** reviewEmergency says what an officer found who looked at the use of an emergency. The error is a Refused. */
export async function reviewEmergency(client: Client, emergency: string, finding: 'justified' | 'not_justified'): Promise<Receipt> {
  const message = { officer: client.signer.address, emergency, finding }
  return (await client.send('amino', gasBase, MsgReviewEmergencySchema, message, MsgReviewEmergencyResponseSchema)).receipt
}
