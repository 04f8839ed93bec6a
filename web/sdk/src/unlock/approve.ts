import { type Named, sealCapsule } from '#custody/capsule.js'
import { cidOf, cidText } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { PhrdError, Refused } from '../errors.js'
import { MsgApproveUnlockResponseSchema, MsgApproveUnlockSchema, MsgDenyUnlockResponseSchema, MsgDenyUnlockSchema, MsgWithdrawUnlockResponseSchema, MsgWithdrawUnlockSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { poll } from '../poll.js'
import { refText } from '../records/ref.js'
import type { Secrets } from '../secrets.js'
import { commitTime, gasBase, gasFor, type Receipt } from '../send.js'
import type { Vault } from '../vault/open.js'
import { isOpen, unlockAt } from './checked.js'
import type { Review } from './review.js'
import { forgetSession } from './session.js'

/** approve opens the owner's half of each version with the vault, checks it against its commitment, seals all of them to the requester, and signs the approval. Only when both hospitals show it committed does it hand the capsule in. An approval whose capsule did not arrive is completed by a second call. */
export async function approve(client: Client, r: Review, vault: Vault): Promise<void> {
  const capsule = await capsuleOf(client, r, vault)
  const cid = cidOf(capsule)
  const approval = r.seen.unlock.unlock.approval
  if (approval === undefined) await sign(client, r, cidText(cid))
  else if (approval.capsule !== cidText(cid)) throw new PhrdError('session', 'it was approved with another capsule than this program keeps')
  await committed(client, r, cidText(cid))
  await handIn(client, r, cid, capsule)
  await client.secrets.delete(nameOf(r.id))
}

/** isHandedIn tells whether nothing is left to hand in of an approval that this program signed. */
export async function isHandedIn(secrets: Secrets, unlock: string): Promise<boolean> {
  return (await secrets.get(nameOf(unlock))) === undefined
}

/** deny says no to an unlock, for good. */
export async function deny(client: Client, unlock: string): Promise<Receipt> {
  return (await client.send('amino', gasBase, MsgDenyUnlockSchema, { signer: client.signer.address, unlock }, MsgDenyUnlockResponseSchema)).receipt
}

/** withdraw ends an unlock: an owner's approval, or a request of one's own, whose session is deleted. What was opened before stays known. */
export async function withdraw(client: Client, unlock: string): Promise<Receipt> {
  const { receipt } = await client.send('amino', gasBase, MsgWithdrawUnlockSchema, { signer: client.signer.address, unlock }, MsgWithdrawUnlockResponseSchema)
  await forgetSession(client.secrets, unlock)
  return receipt
}

async function sign(client: Client, r: Review, capsule: string): Promise<void> {
  // The readable fields repeat the proposal, and the chain refuses any difference: what the wallet shows is what is approved.
  const message = {
    owner: client.signer.address, hospital: r.hospital, purpose: r.purpose, records: r.versions.map(refText), until: timeText(r.until), unlock: r.id, capsule,
  }
  try {
    await client.send('amino', gasFor(r.versions.length), MsgApproveUnlockSchema, message, MsgApproveUnlockResponseSchema)
  } catch (cause) {
    if (cause instanceof Refused) await client.secrets.delete(nameOf(r.id))
    throw cause
  }
}

// The capsule is kept until it was handed in: the approval names its CID.
async function capsuleOf(client: Client, r: Review, vault: Vault): Promise<Bytes> {
  const kept = await client.secrets.get(nameOf(r.id))
  if (kept !== undefined) return Uint8Array.from(kept)
  const halves: (Named & { readonly p: Bytes })[] = []
  for (const [i, v] of r.seen.unlock.versions.entries()) {
    const envelope = r.seen.envelopes[i]
    if (envelope === undefined) throw new PhrdError('proposal', `version ${refText(v)} has no envelope`)
    halves.push({ record: v.record, version: v.version, p: await half(vault, v, envelope) })
  }
  const capsule = await sealCapsule(client.network, r.seen.unlock.id, r.seen.requestKey, halves)
  for (const { p } of halves) p.fill(0)
  await client.secrets.put(nameOf(r.id), capsule)
  return capsule
}

async function half(vault: Vault, ...of: Parameters<Vault['ownerHalf']>): Promise<Bytes> {
  try {
    return await vault.ownerHalf(...of)
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', `version ${refText(of[0])}: ${cause.message}`, cause) : cause
  }
}

// committed waits until both hospitals show the approval with this capsule.
async function committed(client: Client, r: Review, capsule: string): Promise<void> {
  const signal = AbortSignal.timeout(commitTime)
  for (const door of r.seen.doors) {
    const shows = async () => {
      const { unlock, status } = await unlockAt(door, r.id)
      if (unlock.approval === undefined) return undefined
      if (unlock.approval.by !== client.signer.address || unlock.approval.capsule !== capsule) throw new PhrdError('disagree', `${door.name} shows another approval`)
      if (!isOpen(status)) throw new PhrdError('ended', `unlock ${r.id} has ended`)
      return true
    }
    try {
      await poll(signal, shows)
    } catch (cause) {
      throw signal.aborted ? new PhrdError('unreachable', `${door.name} does not show the approval, so the capsule stays here`, cause) : cause
    }
  }
}

// Both hospitals are given the capsule, of which one is enough, and the requester's, so that it opens there also when both others are gone.
async function handIn(client: Client, r: Review, cid: Bytes, capsule: Bytes): Promise<void> {
  const taken = await Promise.all(r.seen.doors.map((door) => client.gateways.offer(door, cid, capsule)))
  if (!taken.includes(true)) throw new PhrdError('unreachable', 'no hospital takes the capsule')
  const requester = r.seen.unlock.unlock.hospital
  if (requester === 0n) return
  await client.gateways.of(requester).then((door) => client.gateways.offer(door, cid, capsule), () => false)
}

function nameOf(unlock: string): string {
  return `capsule/${unlock}`
}

// RFC 3339 in UTC, whole seconds.
function timeText(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}
