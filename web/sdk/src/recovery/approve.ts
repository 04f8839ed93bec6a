import { cidOf, cidText } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { sealShareCapsule, shareCapsuleInfo } from '#custody/guardians.js'
import * as hybrid from '#custody/hybrid.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { PhrdError, Refused } from '../errors.js'
import { MsgApproveRecoveryResponseSchema, MsgApproveRecoverySchema } from '../generated/phrd/access/v1/tx_pb.js'
import { ownShare } from '../guardians/share.js'
import { poll } from '../poll.js'
import { commitTime, gasBase } from '../send.js'
import type { Vault } from '../vault/open.js'
import { recoveryReason } from './checked.js'
import { untilText } from './handover.js'
import { isOpenRecovery, recoveryAt } from './list.js'
import type { RecoveryReview } from './review.js'

/** approveRecovery signs, as a guardian, that the account is the patient's. The guardian's vault opens the own share, which is sealed to the one-time key of who proposed the recovery, and handed in only when both hospitals show the approval. An approval whose share did not arrive is completed by a second call. */
export async function approveRecovery(client: Client, r: RecoveryReview, vault: Vault): Promise<void> {
  const capsule = await capsuleOf(client, r, vault)
  const cid = cidOf(capsule)
  if (!r.recovery.approvals.some((a) => a.by === client.signer.address)) await sign(client, r, cidText(cid))
  await committed(client, r, cidText(cid))
  const taken = await Promise.all(r.doors.map((door) => client.gateways.offer(door, cid, capsule)))
  if (!taken.includes(true)) throw new PhrdError('unreachable', 'no hospital takes the share')
  await client.secrets.delete(nameOf(r.recovery.number))
}

async function sign(client: Client, r: RecoveryReview, capsule: string): Promise<void> {
  const { number, patient, account, unlock, until } = r.recovery
  // The readable fields repeat the recovery, and the chain refuses any difference: what the wallet shows is what is approved.
  const message = { approver: client.signer.address, recovery: number, patient, account, invitedBy: r.invitedBy, unlock, capsule, until: untilText(until) }
  try {
    await client.send('amino', 2n * gasBase, MsgApproveRecoverySchema, message, MsgApproveRecoveryResponseSchema)
  } catch (cause) {
    if (cause instanceof Refused) await client.secrets.delete(nameOf(number))
    throw cause
  }
}

// The share's capsule is kept until it was handed in: the approval names its CID.
async function capsuleOf(client: Client, r: RecoveryReview, vault: Vault): Promise<Bytes> {
  const { number } = r.recovery
  const kept = await client.secrets.get(nameOf(number))
  if (kept !== undefined) return Uint8Array.from(kept)
  const { at, share } = await ownShare(client, vault, r.checked.slot.guardians)
  const block = await client.gateways.smallBlock(r.checked.proposal.requestKey, recoveryReason(number))
  try {
    const capsule = await sealShareCapsule(shareCapsuleInfo(client.network, r.checked.id, at), hybrid.parsePublicKey(block), share)
    await client.secrets.put(nameOf(number), capsule)
    return capsule
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('proposal', `the request key of recovery ${number}: ${cause.message}`, cause) : cause
  }
}

// committed waits until both hospitals show the approval with this share.
async function committed(client: Client, r: RecoveryReview, capsule: string): Promise<void> {
  const signal = AbortSignal.timeout(commitTime)
  for (const door of r.doors) {
    const shows = async () => {
      const { recovery, status } = await recoveryAt(door, r.recovery.number)
      const mine = recovery.approvals.find((a) => a.by === client.signer.address)
      if (mine === undefined) return undefined
      if (mine.capsule !== capsule) throw new PhrdError('session', 'it was approved with another share than this program keeps')
      if (!isOpenRecovery(status)) throw new PhrdError('ended', `recovery ${r.recovery.number} has ended`)
      return true
    }
    try {
      await poll(signal, shows)
    } catch (cause) {
      throw signal.aborted ? new PhrdError('unreachable', `${door.name} does not show the approval, so the share stays here`, cause) : cause
    }
  }
}

function nameOf(recovery: bigint): string {
  return `guardian/${recovery}`
}
