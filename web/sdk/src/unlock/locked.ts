import { parseCIDText, parseObjectCID, parseRawCID } from '#custody/cid.js'
import { type Bytes, equal, fixed, u64 } from '#custody/encoding.js'
import { type Envelope, parseEnvelope } from '#custody/envelope.js'
import { contextHash, generationHash } from '#custody/generation.js'
import { parseIDText } from '#custody/id.js'
import { parseEncapsulation, parsePoint, type Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { type Key, KeyKind } from '../generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../generated/phrd/custody/v1/query_pb.js'
import { OwnerKind, type Version } from '../generated/phrd/records/v1/record_pb.js'
import type { Ref } from '../records/ref.js'

/** Generation is a generation of one of the network's keys, with its hash. */
export interface Generation {
  readonly key: Key
  readonly X: Point
  readonly gen: Bytes
}

/** generationOf reads a generation of a key, of that for records where no other is named; 0 asks for the newest. */
export async function generationOf(connection: Connection, net: Bytes, number: bigint, kind = KeyKind.RECORDS): Promise<Generation> {
  const { key } = await connection.query(Custody.method.key, { kind, generation: number })
  if (key === undefined || (number !== 0n && key.generation !== number)) throw new PhrdError('answer', `no network key of generation ${number} is shown`)
  const X = parsePoint(key.publicKey)
  return { key, X, gen: generationHash({ net, kind: BigInt(kind), generation: key.generation, X }) }
}

/** LockedVersion is a version as the chain keeps it, with what follows from it. Nothing of it is trusted: an unlock's hash, or its own commitments, must fit. */
export interface LockedVersion extends Ref {
  readonly stored: Version
  readonly ctx: Bytes
  readonly lock: bigint
  readonly U: Point
  readonly c: Bytes
  readonly pc: Bytes
  readonly dc: Bytes
  readonly envelope: Bytes
  readonly object: Bytes
}

/** lockOf reads the lock of a version under the records key of its generation. */
export function lockOf(net: Bytes, generation: Generation, v: Version): LockedVersion {
  const header = v.header
  if (header === undefined || header.generation !== generation.key.generation) throw new Refusal('a version is of another generation than the key')
  const isHospitals = header.ownerKind === OwnerKind.HOSPITAL
  const record = parseIDText(v.record)
  const ctx = contextHash({
    net, suite: BigInt(header.suite), lock: BigInt(header.lock), record, version: v.version, ownerKind: BigInt(header.ownerKind),
    ownerID: isHospitals ? u64(header.custodian) : parseIDText(header.patient), custodian: header.custodian, gen: generation.gen,
  })
  return {
    record, version: v.version, stored: v, ctx, lock: BigInt(header.lock), U: parseEncapsulation(header.u), c: fixed(header.c, 32, 'C'), pc: Uint8Array.from(header.pc),
    dc: fixed(header.dc, 32, 'Dc'), envelope: parseRawCID(parseCIDText(v.envelope)), object: parseObjectCID(parseCIDText(v.object)),
  }
}

/** openEnvelope reads a version's envelope, and refuses one that is not of its lock. */
export function openEnvelope(v: LockedVersion, block: Uint8Array): Envelope {
  const e = parseEnvelope(block)
  const isOf = e.U.equals(v.U) && equal(e.c, v.c) && equal(e.pc, v.pc) && equal(e.dc, v.dc)
  if (!isOf) throw new PhrdError('block', 'an envelope is not of its version')
  return e
}
