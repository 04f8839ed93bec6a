import { type Combined, combine, type Committee } from '#custody/combine.js'
import type { Bytes } from '#custody/encoding.js'
import { parsePoint } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import type { Session } from '#custody/session.js'
import type { Release, Share } from '#custody/share.js'
import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { emergencyAt } from '../emergency/list.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { type Unlock, UnlockStatus } from '../generated/phrd/access/v1/unlock_pb.js'
import { type Key, KeyKind, type Share as GivenShare } from '../generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../generated/phrd/custody/v1/query_pb.js'
import { poll } from '../poll.js'
import { type CheckedUnlock, unlockAt } from './checked.js'
import { forgetSession } from './session.js'

/** released waits for the release of an unlock that this program proposed, and forgets the session of one that has ended. */
export async function released(client: Client, id: string, signal: AbortSignal): Promise<void> {
  const isReleased = async () => {
    const { unlock, status } = await unlockAt(client.gateways, id)
    switch (status) {
      case UnlockStatus.RELEASED:
        return true
      case UnlockStatus.APPROVED:
        return undefined
      case UnlockStatus.PROPOSED:
        if (await isDelayed(client, unlock)) return undefined
        throw new PhrdError('not approved', `unlock ${id} waits for signatures`)
      case UnlockStatus.ENDORSED:
        throw new PhrdError('not approved', `unlock ${id} waits for signatures`)
      default:
        await forgetSession(client.secrets, id)
        throw new PhrdError('ended', `unlock ${id} has ended`)
    }
  }
  await waiting(signal, `unlock ${id}: not enough hospitals have given their shares`, isReleased)
}

// An emergency that enough hospitals approved waits for the patient's delay alone.
async function isDelayed(client: Client, unlock: Unlock): Promise<boolean> {
  return unlock.emergency !== '' && (await emergencyAt(client.gateways, unlock.emergency)).emergency.approvedAt !== 0n
}

/** networkHalves joins the holders' shares to the network's half of every version of an unlock. */
export async function networkHalves(connection: Connection, net: Bytes, session: Session, u: CheckedUnlock): Promise<Combined> {
  if (!u.proposal.B.equals(session.B)) throw new PhrdError('session', `unlock ${u.unlock.id} was proposed by another session`)
  return combineRelease(connection, session, { net, unlock: u.id, gen: u.generation.gen, M: u.proposal.versions.map((v) => v.M) }, u.generation.key)
}

/** combineRelease joins the holders' shares of a key, every one of which it checks, to the key's half of every point of a release. */
export async function combineRelease(connection: Connection, session: Session, release: Release, key: Key): Promise<Combined> {
  const { shares: given } = await connection.query(Custody.method.shares, { unlock: hex(release.unlock) })
  const shares = given.flatMap(shareOf)
  const committees: Committee[] = []
  for (const epoch of new Set(shares.map((s) => s.epoch))) committees.push(await committeeOf(connection, key, epoch))
  return combine(session.b, release, committees, shares)
}

// What is no share cannot count and is left out.
function shareOf(given: GivenShare): Share[] {
  try {
    return [{ epoch: given.shareEpoch, index: given.index, D: given.points.map(parsePoint), proof: given.proof }]
  } catch (cause) {
    if (cause instanceof Refusal) return []
    throw cause
  }
}

async function committeeOf(connection: Connection, key: Key, epoch: bigint): Promise<Committee> {
  const { holders } = await connection.query(Custody.method.holders, { kind: key.kind, generation: key.generation, shareEpoch: epoch })
  // The chain keeps the threshold of the active epoch; that of an earlier one follows from its committee.
  const threshold = epoch === key.shareEpoch ? key.threshold : thresholdOf(key.kind, BigInt(holders.length))
  return { epoch, threshold, holders: new Map(holders.map((h) => [h.index, parsePoint(h.publicShare)])) }
}

function thresholdOf(kind: KeyKind, holders: bigint): bigint {
  const most = (2n * holders) / 3n + 1n
  if (kind !== KeyKind.EMERGENCY) return most
  const five = (5n * holders + 5n) / 6n
  return five > most + 1n ? five : most + 1n
}

/** waiting asks until there is an answer; once the signal is aborted the error says what was awaited. */
export async function waiting<T>(signal: AbortSignal, what: string, ask: () => Promise<T | undefined>): Promise<T> {
  try {
    return await poll(signal, ask)
  } catch (cause) {
    throw signal.aborted ? new PhrdError('not released', what, cause) : cause
  }
}
