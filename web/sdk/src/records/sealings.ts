import { parseIDText } from '#custody/id.js'
import type { Client } from '../client.js'
import type { Class, Record, Version } from '../generated/phrd/records/v1/record_pb.js'
import type { Vault } from '../vault/open.js'
import { records, versions } from './list.js'
import type { Ref } from './ref.js'

/** Sealing says under which keys a version of the patient's is. */
export interface Sealing {
  readonly ref: Ref
  readonly class: Class
  /** The hospital that keeps it. */
  readonly custodian: bigint
  /** The epoch of the patient's vault key that its envelope is sealed to. */
  readonly epoch: bigint
  /** The generation of the emergency key of its box; 0 where it has none. */
  readonly boxGeneration: bigint
  /** The generation of the network's key that locks it. */
  readonly generation: bigint
  /** Whether another lock waits for its confirmation. */
  readonly relocking: boolean
  /** The block time of its lock, in unix seconds. */
  readonly lockedAt: bigint
}

/** ownSealings lists the versions that the patient owns and that are not erased, by record. */
export async function ownSealings(client: Client): Promise<Sealing[]> {
  const patient = await client.patient()
  const found: Sealing[] = []
  for await (const record of records(client, patient)) {
    if (record.erased === record.versions) continue
    for await (const v of versions(client, parseIDText(record.id))) if (v.tombstone === undefined) found.push(sealingOf(record, v))
  }
  return found
}

/** sealingsOf lists those of them that a vault opens. A vault that was begun anew opens nothing that was sealed before. */
export async function sealingsOf(client: Client, vault: Vault): Promise<Sealing[]> {
  return (await ownSealings(client)).filter((s) => vault.has(s.epoch))
}

function sealingOf(record: Record, v: Version): Sealing {
  return {
    ref: { record: parseIDText(record.id), version: v.version }, class: record.class, custodian: record.custodian, epoch: v.sealedEpoch,
    boxGeneration: v.box?.generation ?? 0n, generation: v.header?.generation ?? 0n,
    relocking: v.relock !== undefined, lockedAt: v.relockedAt === 0n ? v.storedAt : v.relockedAt,
  }
}
