import { parseCIDText, parseRawCID } from '#custody/cid.js'
import { checkSubShare, parseCommitments } from '#custody/deal.js'
import type { Bytes } from '#custody/encoding.js'
import { type GuardianSlot, guardianInfo, openGuardianShare, parseShares } from '#custody/guardians.js'
import { parseIDText } from '#custody/id.js'
import type { Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import type { Scalar } from '#custody/scalar.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Guardians } from '../generated/phrd/access/v1/guardian_pb.js'
import type { Vault } from '../vault/open.js'
import { guardiansOf } from './list.js'

/** OwnShare is a guardian's share of what opens another patient's vault, with the place that it has. */
export interface OwnShare {
  readonly at: bigint
  readonly share: Scalar
}

/** placeOf is where a guardian slot belongs, and what its secret was committed to. It refuses, with a Refusal, what is malformed. */
export function placeOf(net: Bytes, g: Guardians): { readonly place: GuardianSlot; readonly commitments: Point[] } {
  return {
    place: { net, vault: parseIDText(g.vault), slot: parseIDText(g.slot), revision: g.revision }, commitments: parseCommitments(BigInt(g.threshold), g.commitments),
  }
}

/** ownShare opens the share of the client's patient with that patient's vault, and checks it against the commitments. */
export async function ownShare(client: Client, vault: Vault, g: Guardians): Promise<OwnShare> {
  const patient = await client.patient()
  const at = BigInt(g.guardians.indexOf(patient) + 1)
  if (at === 0n) throw new PhrdError('not found', `patient ${patient} is no guardian of ${g.patient}`)
  try {
    const { place, commitments } = placeOf(client.network, g)
    const sealed = parseShares(await client.gateways.smallBlock(parseRawCID(parseCIDText(g.shares)), `guarded=${encodeURIComponent(g.patient)}`))[Number(at) - 1]
    if (sealed === undefined) throw new Refusal('there is no share for this guardian')
    const share = await vault.tryKeys((seed) => openGuardianShare(guardianInfo(place, at, commitments), seed, sealed))
    checkSubShare(commitments, at, share)
    return { at, share }
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', `the share of patient ${g.patient}: ${cause.message}`, cause) : cause
  }
}

/** checkGuardian makes sure that a guardian could give the share of a patient's vault. The error is of kind 'vault' where it does not open or does not fit; then the patient should name the guardians anew. */
export async function checkGuardian(client: Client, vault: Vault, patient: string): Promise<void> {
  const named = await guardiansOf(client, patient)
  if (named === undefined) throw new PhrdError('not found', `patient ${patient} has no guardians`)
  await ownShare(client, vault, named)
}
