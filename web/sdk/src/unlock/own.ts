import type { Client } from '../client.js'
import { isKind, Refused } from '../errors.js'
import { UnlockStatus } from '../generated/phrd/access/v1/unlock_pb.js'
import { type Ref, refText } from '../records/ref.js'
import type { Vault } from '../vault/open.js'
import { approve, unfinished, withdraw } from './approve.js'
import { unlocks } from './inbox.js'
import { propose } from './propose.js'
import { review } from './review.js'
import { forgetSession, holdsSession } from './session.js'

// HL7 v3 ActReason's "patient request", and how long such an unlock stays open, in seconds.
const purpose = 'PATRQT'
const lifetime = 12n * 3600n

/** unlockOwn is an unlock of the patient's own versions, which the patient asks for and approves. It needs no endorsement, and stands in the log as any other. */
export async function unlockOwn(client: Client, vault: Vault, versions: readonly Ref[]): Promise<string> {
  const id = await propose(client, { versions, purpose, lifetime })
  await approve(client, await review(client, id), vault)
  return id
}

/** ownUnlock is an unlock of the patient's own versions that this program may still open, and a new one where there is none: what was approved a moment ago, also before the program was closed, is not signed again. It may name other versions, too. */
export async function ownUnlock(client: Client, vault: Vault, versions: readonly Ref[]): Promise<string> {
  const open = (await standing(client, versions, UnlockStatus.RELEASED)) ?? (await standing(client, versions, UnlockStatus.APPROVED))
  if (open === undefined) return unlockOwn(client, vault, versions)
  if ((await unfinished(client)).has(open)) await approve(client, await review(client, open), vault)
  return open
}

async function standing(client: Client, versions: readonly Ref[], status: UnlockStatus): Promise<string | undefined> {
  const wanted = versions.map(refText)
  for await (const { unlock } of unlocks(client, { patient: await client.patient(), status })) {
    if (unlock === undefined || unlock.requester !== client.signer.address || unlock.purpose !== purpose) continue
    const named = new Set(unlock.versions.map((v) => `${v.record}/${v.version}`))
    if (wanted.every((ref) => named.has(ref)) && (await holdsSession(client.secrets, unlock.id))) return unlock.id
  }
  return undefined
}

/** closeOwn ends an unlock of one's own that is of no more use, and deletes its session. One that has ended already is no error. */
export async function closeOwn(client: Client, unlock: string): Promise<void> {
  try {
    await withdraw(client, unlock)
  } catch (cause) {
    if (!(cause instanceof Refused) && !isKind(cause, 'ended')) throw cause
    await forgetSession(client.secrets, unlock)
  }
}
