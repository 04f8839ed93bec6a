import type { Client } from '../client.js'
import { MsgEndorseUnlockResponseSchema, MsgEndorseUnlockSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { arrived } from '../poll.js'
import { gasBase, type Receipt } from '../send.js'
import { checkUnlock } from './checked.js'

/** endorse supports an unlock of records in the custody of the officer's hospital. What is shown of it is checked against its id first. The error is a Refused where the signature does not count. */
export async function endorse(client: Client, unlock: string): Promise<Receipt> {
  await arrived(() => checkUnlock(client.gateways, client.network, unlock))
  return (await client.send('amino', gasBase, MsgEndorseUnlockSchema, { officer: client.signer.address, unlock }, MsgEndorseUnlockResponseSchema)).receipt
}
