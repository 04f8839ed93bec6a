import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { MsgCancelRecoveryResponseSchema, MsgCancelRecoverySchema } from '../generated/phrd/access/v1/tx_pb.js'
import { Query, type QueryRecoveryResponse } from '../generated/phrd/access/v1/query_pb.js'
import { type Recovery, RecoveryStatus } from '../generated/phrd/access/v1/recovery_pb.js'
import type { Vault } from '../generated/phrd/records/v1/record_pb.js'
import { paged } from '../pages.js'
import { gasBase, type Receipt } from '../send.js'

/** SeenRecovery is a proposal to let another account take the place of a wallet, and where it stands. */
export interface SeenRecovery {
  readonly recovery: Recovery
  readonly status: RecoveryStatus
  /** The patient's vault, once the recovery is ready; for the account that proposed it alone. */
  readonly vault: Vault | undefined
}

/** RecoveryFilter says which recoveries are wanted: those of a patient's wallet, those that somebody is a guardian of, those that an account proposed, or for officers all that have not ended. */
export type RecoveryFilter = { readonly patient: string } | { readonly guardian: string } | { readonly account: string } | { readonly open: true }

/** recoveryAt reads a recovery and where it stands. */
export async function recoveryAt(connection: Connection, number: bigint): Promise<SeenRecovery> {
  return seen(await connection.query(Query.method.recovery, { number }))
}

/** recoveries lists recoveries, newest first. */
export function recoveries(client: Client, filter: RecoveryFilter): AsyncGenerator<SeenRecovery, undefined> {
  return paged(async (pagination) => {
    const { recoveries: found, pagination: next } = await client.gateways.query(Query.method.recoveries, { ...filter, pagination })
    return { found: found.map(seen), pagination: next }
  })
}

/** isOpenRecovery tells whether a recovery can still be finished. */
export function isOpenRecovery(status: RecoveryStatus): boolean {
  return [RecoveryStatus.PROPOSED, RecoveryStatus.DELAYED, RecoveryStatus.DUE, RecoveryStatus.READY].includes(status)
}

/** cancelRecovery ends a recovery at any time before it is finished: with the patient's wallet, with the account that proposed it, or as an officer of the hospital that invited that account. */
export async function cancelRecovery(client: Client, recovery: bigint): Promise<Receipt> {
  const message = { signer: client.signer.address, recovery }
  return (await client.send('amino', gasBase, MsgCancelRecoverySchema, message, MsgCancelRecoveryResponseSchema)).receipt
}

function seen(answer: QueryRecoveryResponse): SeenRecovery {
  if (answer.recovery === undefined) throw new PhrdError('answer', 'no recovery is shown')
  return { recovery: answer.recovery, status: answer.status, vault: answer.vault }
}
