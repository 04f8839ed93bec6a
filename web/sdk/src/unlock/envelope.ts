import { parseCIDText, parseRawCID } from '#custody/cid.js'
import type { Envelope } from '#custody/envelope.js'
import type { Client } from '../client.js'
import type { Source } from '../content/file.js'
import { isKind } from '../errors.js'
import { largestBlock } from '../gateway/gateway.js'
import { elsewhere } from '../gateway/gateways.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { versionBlockPath } from './checked.js'
import { type LockedVersion, openEnvelope } from './locked.js'

/** versionSource gives the blocks of a version to who may open it by an unlock. */
export function versionSource(client: Client, v: LockedVersion, unlock: string): Source {
  return (cid, signal) => client.gateways.try((gateway) => gateway.block(versionBlockPath(v, cid, unlock), cid, largestBlock, signal), elsewhere)
}

/** envelopeOf reads the envelope of a version. Its owner may have replaced it since the version was read, under the same lock. */
export async function envelopeOf(client: Client, v: LockedVersion, source: Source): Promise<Envelope> {
  try {
    return await openEnvelopeAt(v, v.envelope, source)
  } catch (cause) {
    if (!isKind(cause, 'not found')) throw cause
    const { version } = await client.gateways.query(Records.method.version, { record: v.stored.record, version: v.version })
    if (version === undefined || version.envelope === v.stored.envelope) throw cause
    return openEnvelopeAt(v, parseRawCID(parseCIDText(version.envelope)), source)
  }
}

async function openEnvelopeAt(v: LockedVersion, cid: Uint8Array, source: Source): Promise<Envelope> {
  return openEnvelope(v, await source(cid))
}
