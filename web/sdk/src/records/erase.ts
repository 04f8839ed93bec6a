import { idText } from '#custody/id.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { ErasureCertificate } from '../generated/phrd/records/v1/erasure_pb.js'
import { Query } from '../generated/phrd/records/v1/query_pb.js'
import { MsgEraseVersionsResponseSchema, MsgEraseVersionsSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { gasFor, type Receipt } from '../send.js'
import { compareRefs, type Ref, refText } from './ref.js'

// How many versions are erased at once, at most.
const mostErased = 64

/** Erasure says what became of a wish to erase versions. */
export interface Erasure {
  readonly receipt: Receipt
  /** The number under which an officer of the hospital that keeps the records is to approve; 0 where the versions are erased. */
  readonly request: bigint
}

/** erase erases versions that the patient owns for good, all of them kept by one hospital. From then on no unlock names them, those that did are withdrawn, and every hospital deletes the ciphertext and attests it. What somebody opened before stays seen, and nothing brings an erased version back. */
export async function erase(client: Client, refs: readonly Ref[]): Promise<Erasure> {
  const versions = [...refs].sort(compareRefs).map(refText)
  if (versions.length < 1 || versions.length > mostErased || new Set(versions).size !== versions.length) {
    throw new PhrdError('ref', `${versions.length} versions: 1 to ${mostErased} are erased at once, each named once`)
  }
  const { answer, receipt } = await client.send('amino', gasFor(versions.length), MsgEraseVersionsSchema, { owner: client.signer.address, versions }, MsgEraseVersionsResponseSchema)
  return { receipt, request: answer.request }
}

/** erasureOf tells who attested that an erased version is gone, and what remains. The error is of kind 'not found' for one that is kept. */
export async function erasureOf(client: Client, ref: Ref): Promise<ErasureCertificate> {
  const { certificate } = await client.gateways.query(Query.method.erasureCertificate, { record: idText(ref.record), version: ref.version })
  if (certificate === undefined) throw new PhrdError('answer', `no certificate of ${refText(ref)} is shown`)
  return certificate
}
