import type { MessageInitShape } from '@bufbuild/protobuf'
import { cidOf, cidText } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { sealShareCapsule, shareCapsuleInfo } from '#custody/guardians.js'
import * as hybrid from '#custody/hybrid.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { PhrdError, Refused } from '../errors.js'
import { RecoveryWay } from '../generated/phrd/access/v1/recovery_pb.js'
import { MsgApproveRecoveryResponseSchema, MsgApproveRecoverySchema } from '../generated/phrd/access/v1/tx_pb.js'
import { ownShare } from '../guardians/share.js'
import { poll } from '../poll.js'
import { commitTime, gasBase, type Receipt } from '../send.js'
import type { Vault } from '../vault/open.js'
import { type CheckedRecovery, recoveryReason } from './checked.js'
import { untilText } from './handover.js'
import { isOpenRecovery, recoveryAt } from './list.js'
import type { RecoveryReview } from './review.js'

/** approveRecovery signs, as a guardian, that the account is the patient's. The guardian's vault opens the own share, which is sealed to the one-time key of who proposed the recovery, and handed in only when both hospitals show the approval. An approval whose share did not arrive is completed by a second call. */
export async function approveRecovery(client: Client, r: RecoveryReview, vault: Vault): Promise<void> {
  if (r.checked === undefined) throw new PhrdError('proposal', `recovery ${r.recovery.number} is not one that guardians approve`)
  const capsule = await capsuleOf(client, r, r.checked, vault)
  const cid = cidOf(capsule)
  if (!r.recovery.approvals.some((a) => a.by === client.signer.address)) await sign(client, r, cidText(cid))
  await committed(client, r, cidText(cid))
  const taken = await Promise.all(r.doors.map((door) => client.gateways.offer(door, cid, capsule)))
  if (!taken.includes(true)) throw new PhrdError('unreachable', 'no hospital takes the share')
  await client.secrets.delete(nameOf(r.recovery.number))
}

/** approveRecoveryForHospital signs, as an officer who has seen who the person is, that the account is the patient's, or is to act for the patient until the recovery's end: where hospitals approve, one officer of each. The error is of kind 'proposal' where guardians do, or a Refused. */
export async function approveRecoveryForHospital(client: Client, r: RecoveryReview): Promise<Receipt> {
  if (r.recovery.way !== RecoveryWay.HOSPITALS) throw new PhrdError('proposal', `recovery ${r.recovery.number} is not one that hospitals approve`)
  return (await client.send('amino', gasBase, MsgApproveRecoverySchema, messageOf(client, r, ''), MsgApproveRecoveryResponseSchema)).receipt
}

async function sign(client: Client, r: RecoveryReview, capsule: string): Promise<void> {
  try {
    await client.send('amino', 2n * gasBase, MsgApproveRecoverySchema, messageOf(client, r, capsule), MsgApproveRecoveryResponseSchema)
  } catch (cause) {
    if (cause instanceof Refused) await client.secrets.delete(nameOf(r.recovery.number))
    throw cause
  }
}

// The readable fields repeat the recovery, and the chain refuses any difference: what the wallet shows is what is approved.
function messageOf(client: Client, r: RecoveryReview, capsule: string): MessageInitShape<typeof MsgApproveRecoverySchema> {
  const { number, patient, account, unlock, until } = r.recovery
  return { approver: client.signer.address, recovery: number, patient, account, invitedBy: r.invitedBy, unlock, capsule, until: untilText(until) }
}

// The share's capsule is kept until it was handed in: the approval names its CID.
async function capsuleOf(client: Client, r: RecoveryReview, checked: CheckedRecovery, vault: Vault): Promise<Bytes> {
  const { number } = r.recovery
  const kept = await client.secrets.get(nameOf(number))
  if (kept !== undefined) return Uint8Array.from(kept)
  const { at, share } = await ownShare(client, vault, checked.slot.guardians)
  const block = await client.gateways.smallBlock(checked.proposal.requestKey, recoveryReason(number))
  try {
    const capsule = await sealShareCapsule(shareCapsuleInfo(client.network, checked.id, at), hybrid.parsePublicKey(block), share)
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
