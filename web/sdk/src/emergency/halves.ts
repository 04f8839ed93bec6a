import { openCapsule } from '#custody/capsule.js'
import { type EmergencyHalf, encodeAsked, openBox } from '#custody/emergency.js'
import { type Bytes, equal, sha256 } from '#custody/encoding.js'
import type { Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import type { Session } from '#custody/session.js'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { elsewhere } from '../gateway/gateways.js'
import { refText } from '../records/ref.js'
import { boxLock } from '../unlock/box.js'
import { type CheckedUnlock, checkUnlock } from '../unlock/checked.js'
import { envelopeOf, versionSource } from '../unlock/envelope.js'
import type { LockedVersion } from '../unlock/locked.js'
import { networkHalves, released } from '../unlock/release.js'
import { sessionOf } from '../unlock/session.js'
import { emergencyAt } from './list.js'

/** emergencyHalves are the owner's halves of an emergency's versions: the network's emergency half opens their boxes, and the emergency vault of a hospital that approved opens what is in them. The first hospital that answers is enough. */
export async function emergencyHalves(client: Client, session: Session, u: CheckedUnlock, signal: AbortSignal): Promise<Bytes[]> {
  const { emergency } = await emergencyAt(client.gateways, u.unlock.emergency)
  const inner = await sessionOf(client.secrets, emergency.boxUnlock)
  await released(client, emergency.boxUnlock, signal)
  const onward = (cause: unknown) => elsewhere(cause) || isKind(cause, 'proposal') || cause instanceof Refusal
  const box = await client.gateways.try(async (gateway) => {
    const checked = await checkUnlock(gateway, client.network, emergency.boxUnlock)
    return { unlock: checked, ...(await networkHalves(gateway, client.network, inner, checked)) }
  }, onward)
  const lists: EmergencyHalf[][] = []
  for (const [i, v] of u.versions.entries()) lists.push(await inBox(client, u, box.unlock, v, box.K[i]))
  const faults: unknown[] = []
  for (const { hospital } of emergency.approvals) {
    const theirs = lists.map((list) => list.find((half) => half.hospital === hospital)).filter((half) => half !== undefined)
    if (theirs.length < lists.length) continue
    try {
      const there = await client.gateways.of(hospital)
      const capsule = await there.capsule(`/emergencies/${u.unlock.id}/half`, encodeAsked(theirs))
      return await openCapsule(client.network, u.id, session.keySeed, u.versions, capsule)
    } catch (cause) {
      if (!(cause instanceof PhrdError || cause instanceof Refusal)) throw cause
      faults.push(cause)
    }
  }
  throw new PhrdError('not released', 'no hospital that approved hands over the owner’s halves', faults[0])
}

// inBox opens the box of a version, which must be the one that the emergency names.
async function inBox(client: Client, u: CheckedUnlock, box: CheckedUnlock, v: LockedVersion, K: Point | undefined): Promise<EmergencyHalf[]> {
  const { emergency: sealed } = await envelopeOf(client, v, versionSource(client, v, u.unlock.id))
  const lock = boxLock(box.generation, v)
  if (K === undefined || sealed === undefined || !equal(sha256(sealed.box), lock.c)) throw new PhrdError('no box', `version ${refText(v)} has another emergency box than its lock names`)
  return openBox(lock.ctx, K, sealed.box)
}
