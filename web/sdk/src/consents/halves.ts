import { openCapsule } from '#custody/capsule.js'
import type { Bytes } from '#custody/encoding.js'
import type { Session } from '#custody/session.js'
import type { Client } from '../client.js'
import type { CheckedUnlock } from '../unlock/checked.js'
import { envelopeOf, versionSource } from '../unlock/envelope.js'
import { openHalf } from '../vault/half.js'
import { staffHolder } from '../vault/staff.js'
import { consentAt } from './list.js'

/** grantedHalves are the owner's halves of an unlock that a consent approved: the clinician's vault opens them in the versions' envelopes, or the hospital's, whose server hands them over as a capsule. That server has no other half: the network's goes to who holds the session. */
export async function grantedHalves(client: Client, session: Session, u: CheckedUnlock, number: bigint): Promise<Bytes[]> {
  const { consent } = await consentAt(client, number)
  if (consent.staff === '') {
    const home = await client.gateways.of(u.unlock.hospital)
    return openCapsule(client.network, u.id, session.keySeed, u.versions, await home.capsule(`/unlocks/${u.unlock.id}/capsule`))
  }
  const halves: Bytes[] = []
  for (const v of u.versions) halves.push(await openHalf(v, await envelopeOf(client, v, versionSource(client, v, u.unlock.id)), staffHolder(client)))
  return halves
}
