import { type Bytes, fixed } from '#custody/encoding.js'
import { emergencyHash } from '#custody/emergency.js'
import { parseEncapsulation, parsePoint, type Point } from '#custody/point.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { KeyKind } from '../generated/phrd/custody/v1/key_pb.js'
import { type Ref, refText } from '../records/ref.js'
import { type Generation, generationOf, type LockedVersion } from './locked.js'

/** AskedLock is what a proposal covers of a version: its lock, or that of its emergency box. */
export interface AskedLock extends Ref {
  readonly ctx: Bytes
  readonly U: Point
  readonly c: Bytes
}

/** boxGeneration reads the generation of the emergency key that the boxes of versions are under. The error is of kind 'no box' where the first one has none. */
export async function boxGeneration(connection: Connection, net: Bytes, versions: readonly LockedVersion[]): Promise<Generation> {
  const [first] = versions
  const number = first?.stored.box?.generation ?? 0n
  if (first === undefined || number === 0n) throw noBox(first)
  return generationOf(connection, net, number, KeyKind.EMERGENCY)
}

/** boxLock is what locks the emergency box of a version. The error is of kind 'no box' for a version that has none under this generation. */
export function boxLock({ key, gen }: Generation, v: LockedVersion): AskedLock {
  const box = v.stored.box
  if (box === undefined || box.generation !== key.generation) throw noBox(v)
  const U = parseEncapsulation(box.u)
  return { record: v.record, version: v.version, ctx: emergencyHash(v.ctx, gen, U, parsePoint(box.uBar), v.pc), U, c: fixed(box.hash, 32, 'a hash') }
}

function noBox(v: LockedVersion | undefined): PhrdError {
  return new PhrdError('no box', v === undefined ? 'no version is named' : `version ${refText(v)} is not sealed for emergencies`)
}
