import { cidText } from '#custody/cid.js'
import { encodePoint, times } from '#custody/point.js'
import { proposalHash, proveRequest, unlockID } from '#custody/request.js'
import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { Refused } from '../errors.js'
import type { Guardians } from '../generated/phrd/access/v1/guardian_pb.js'
import { MsgProposeRecoveryResponseSchema, MsgProposeRecoverySchema } from '../generated/phrd/access/v1/tx_pb.js'
import { guardiansOf, leastDelay } from '../guardians/list.js'
import { gasBase } from '../send.js'
import { forgetSession, keepSession, newSession } from '../unlock/session.js'
import { checkSlot, recoveryProposal } from './checked.js'
import { handOverOf, untilText } from './handover.js'

/** proposeRecovery asks to let the client's account take the place of a patient's wallet, and gives the recovery's number. An invitation as for a new patient has opened the account, and it is nobody's yet. Where the patient has guardians they approve, and the session that receives their shares and the network's half is kept in Secrets; else officers of several hospitals do. wait is how many seconds approvals may take beside the delay. until is until when the account acts for the patient, in unix seconds: a child whose parents lost the wallet, or an adult who can’t decide; 0 where the account is the patient’s own. */
export async function proposeRecovery(client: Client, patient: string, wait: bigint, until = 0n): Promise<bigint> {
  const named = await approvingGuardians(client, patient, until)
  const about = { patient, until: untilText(until) }
  const now = await client.blockTime()
  if (named === undefined) return send(client, { ...about, expiresAt: now + (await leastDelay(client)) + wait })
  const expiry = now + named.delay + wait
  const slot = await checkSlot(client.gateways, client.network, named)
  const session = await newSession()
  const proposal = recoveryProposal(client.network, slot, { account: client.signer.address, expiry, requestKey: session.keyCID, B: session.B, M: times(session.b, slot.U) })
  const id = hex(unlockID(proposalHash(proposal)))
  await client.gateways.putBlock(session.keyCID, session.key)
  // The seed is kept first: shares for a session that is lost open nothing.
  await keepSession(client.secrets, id, session.seed)
  try {
    return await send(client, {
      ...about, expiresAt: expiry, requestKey: cidText(session.keyCID), b: encodePoint(session.B), m: encodePoint(times(session.b, slot.U)), proof: proveRequest(proposal, session.b),
    })
  } catch (cause) {
    if (cause instanceof Refused) await forgetSession(client.secrets, id)
    throw cause
  }
}

// The guardians who are to approve; undefined where hospitals are: also where somebody else has the wallet and the patient takes it over, or a representative comes after another.
async function approvingGuardians(client: Client, patient: string, until: bigint): Promise<Guardians | undefined> {
  const handOver = await handOverOf(client, patient)
  if (handOver !== undefined && (handOver.closed || handOver.representative || until === 0n)) return undefined
  return guardiansOf(client, patient)
}

async function send(
  client: Client,
  message: { patient: string; until: string; expiresAt: bigint; requestKey?: string; b?: Uint8Array<ArrayBuffer>; m?: Uint8Array<ArrayBuffer>; proof?: Uint8Array<ArrayBuffer> },
): Promise<bigint> {
  const { answer } = await client.send('amino', 2n * gasBase, MsgProposeRecoverySchema, { account: client.signer.address, ...message }, MsgProposeRecoveryResponseSchema)
  return answer.recovery
}
