import type { Client } from '../client.js'
import type { Ref } from '../records/ref.js'
import type { Vault } from '../vault/open.js'
import { approve } from './approve.js'
import { propose } from './propose.js'
import { review } from './review.js'

// HL7 v3 ActReason's "patient request", and how long such an unlock stays open, in seconds.
const purpose = 'PATRQT'
const lifetime = 12n * 3600n

/** unlockOwn is an unlock of the patient's own versions, which the patient asks for and approves. It needs no endorsement, and stands in the log as any other. */
export async function unlockOwn(client: Client, vault: Vault, versions: readonly Ref[]): Promise<string> {
  const id = await propose(client, { versions, purpose, lifetime })
  await approve(client, await review(client, id), vault)
  return id
}
