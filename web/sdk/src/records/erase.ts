import { idText } from '#custody/id.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { ErasureCertificate, ErasureRequest } from '../generated/phrd/records/v1/erasure_pb.js'
import { Query } from '../generated/phrd/records/v1/query_pb.js'
import { MsgApproveErasureResponseSchema, MsgApproveErasureSchema, MsgEraseVersionsResponseSchema, MsgEraseVersionsSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { paged } from '../pages.js'
import { gasFor, type Receipt } from '../send.js'
import { compareRefs, type Ref, refText } from './ref.js'

/** mostErased is how many versions are erased at once, at most. */
export const mostErased = 64

/** erase erases versions for good, as the patient who owns them or as an officer of the hospital that does. All of them have one owner and are kept by one hospital. It gives the number under which an officer of the keeping hospital is to approve; 0 where they are erased. From then on no unlock names them, those that did are withdrawn, and every hospital deletes the ciphertext and attests it. What somebody opened before stays seen. The error is of kind 'ref' where the versions are none or too many, or a Refused. */
export async function erase(client: Client, versions: readonly Ref[]): Promise<bigint> {
  const named = [...versions].sort(compareRefs).map(refText)
  if (named.length < 1 || named.length > mostErased || new Set(named).size !== named.length) {
    throw new PhrdError('ref', `${named.length} versions: 1 to ${mostErased} are erased at once, each named once`)
  }
  const message = { owner: client.signer.address, versions: named }
  const { answer } = await client.send('amino', gasFor(named.length), MsgEraseVersionsSchema, message, MsgEraseVersionsResponseSchema)
  return answer.request
}

/** approveErasure erases what an owner asked to have erased, as an officer of the hospital that keeps it. The error is a Refused where nothing waits under this number or the officer may not approve it. */
export async function approveErasure(client: Client, request: bigint): Promise<Receipt> {
  const message = { officer: client.signer.address, request }
  return (await client.send('amino', gasFor(mostErased), MsgApproveErasureSchema, message, MsgApproveErasureResponseSchema)).receipt
}

/** erasureRequests lists the erasures that wait for an officer of a hospital. */
export function erasureRequests(client: Client, custodian: bigint): AsyncGenerator<ErasureRequest, undefined> {
  return paged(async (pagination) => {
    const { requests: found, pagination: next } = await client.gateways.query(Query.method.erasureRequests, { custodian, pagination })
    return { found, pagination: next }
  })
}

/** certificate tells who attested that an erased version is gone, and what remains. The error is of kind 'not found' for a version that is kept. */
export async function certificate(client: Client, ref: Ref): Promise<ErasureCertificate> {
  const { certificate: found } = await client.gateways.query(Query.method.erasureCertificate, { record: idText(ref.record), version: ref.version })
  if (found === undefined) throw new PhrdError('answer', `no certificate of ${refText(ref)} is shown`)
  return found
}
