import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import type { HandOver } from '../generated/phrd/access/v1/hand_over_pb.js'
import { Query } from '../generated/phrd/access/v1/query_pb.js'
import { MsgSetHandOverResponseSchema, MsgSetHandOverSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { gasBase, type Receipt } from '../send.js'


/** handOverOf says until when a patient’s wallet is somebody else’s; undefined where it is the patient’s own. The patient, officers, and accounts that are nobody’s yet may ask. */
export async function handOverOf(client: Client, patient: string): Promise<HandOver | undefined> {
  try {
    return (await client.gateways.query(Query.method.handOver, { patient })).handOver
  } catch (cause) {
    if (isKind(cause, 'not found')) return undefined
    throw cause
  }
}

/** setHandOver says when the client’s wallet ends, in unix seconds, because the client has it for somebody else. It can be set again, earlier, and not taken back. Everybody who runs a hospital’s server sees it: the first of a month tells less than a birthday. */
export async function setHandOver(client: Client, on: bigint): Promise<Receipt> {
  const message = { owner: client.signer.address, on: untilText(on) }
  return (await client.send('amino', gasBase, MsgSetHandOverSchema, message, MsgSetHandOverResponseSchema)).receipt
}

/** monthStart is the first second of a month as people write it, like 2031-05, in unix seconds. */
export function monthStart(text: string): bigint {
  const [, year = '', month = ''] = /^(\d{4})-(\d\d)$/.exec(text) ?? []
  if (year === '' || Number(month) < 1 || Number(month) > 12) throw new PhrdError('month', `${text} is no month: want 2031-05`)
  return BigInt(Date.UTC(Number(year), Number(month) - 1)) / 1000n
}

/** untilText is a time as a wallet shows it: RFC 3339 in UTC, whole seconds; empty for none. */
export function untilText(seconds: bigint): string {
  return seconds === 0n ? '' : new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}
