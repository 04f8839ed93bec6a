import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { attemptTime, type Gateway } from '../gateway/gateway.js'
import { poll } from '../poll.js'

// How many hospitals must show alike what is signed.
const witnesses = 2

/** chooseWitnesses gives two gateways of different hospitals that answer, if possible of others than the requester's, whose number may be 0 for none. */
export async function chooseWitnesses(client: Client, requester: bigint): Promise<{ doors: Gateway[]; independent: boolean }> {
  await client.gateways.learn()
  const isOwn = (gateway: Gateway) => requester !== 0n && gateway.hospital === requester
  const order = client.gateways.order()
  const chosen: Gateway[] = []
  for (const gateway of [...order.filter((g) => !isOwn(g)), ...order.filter(isOwn)]) {
    if (chosen.some((g) => g.hospital === gateway.hospital)) continue
    try {
      await gateway.chain()
      await gateway.login()
      chosen.push(gateway)
    } catch (cause) {
      if (!(cause instanceof PhrdError) || isKind(cause, 'rejected')) throw cause
    }
    if (chosen.length === witnesses) return { doors: chosen, independent: !chosen.some(isOwn) }
  }
  throw new PhrdError('unreachable', `an approval is checked at ${witnesses} hospitals, ${chosen.length} answer`)
}

/** meet brings the nodes to one height, at least that which the client has seen committed. */
export async function meet(client: Client, doors: readonly Gateway[]): Promise<bigint> {
  const heights = await Promise.all(doors.map(async (door) => (await door.chain()).height))
  const height = [...heights, client.height].reduce((a, b) => (a > b ? a : b))
  const signal = AbortSignal.timeout(attemptTime)
  try {
    for (const door of doors) await poll(signal, async () => (door.height >= height || (await door.chain()).height >= height ? true : undefined))
  } catch (cause) {
    throw signal.aborted ? new PhrdError('unreachable', `two hospitals do not come to block ${height}`, cause) : cause
  }
  return height
}
