import { openCapsule } from '#custody/capsule.js'
import { parseCIDText, parseRawCID } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import type { Session } from '#custody/session.js'
import type { Client } from '../client.js'
import { grantedHalves } from '../consents/halves.js'
import { emergencyHalves } from '../emergency/halves.js'
import { isKind, PhrdError } from '../errors.js'
import { type CheckedUnlock, unlockReason } from './checked.js'
import { waiting } from './release.js'

/** ownerHalves takes the owner's half of each version of an unlock: from the owner's capsule, or where a consent or an emergency let it be opened from who has them then. */
export async function ownerHalves(client: Client, session: Session, u: CheckedUnlock, signal: AbortSignal): Promise<Bytes[]> {
  if (u.unlock.emergency !== '') return emergencyHalves(client, session, u, signal)
  const approval = u.unlock.approval
  if (approval === undefined) throw new PhrdError('not approved', `unlock ${u.unlock.id} shows no approval`)
  if (approval.consent !== 0n) return grantedHalves(client, session, u, approval.consent)
  return openCapsule(client.network, u.id, session.keySeed, u.versions, await ownersCapsule(client, u, approval.capsule, signal))
}

// The owner hands it in right after the approval; the shares may be faster.
async function ownersCapsule(client: Client, u: CheckedUnlock, capsule: string, signal: AbortSignal): Promise<Bytes> {
  const cid = parseRawCID(parseCIDText(capsule))
  return waiting(signal, "the owner's capsule is not there yet", async () => {
    try {
      return await client.gateways.smallBlock(cid, unlockReason(u.unlock.id))
    } catch (cause) {
      if (isKind(cause, 'not found')) return undefined
      throw cause
    }
  })
}
