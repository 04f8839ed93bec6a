import { equal, sha256 } from '#custody/encoding.js'
import type { Envelope } from '#custody/envelope.js'
import { idText } from '#custody/id.js'
import { recipientKind } from '#custody/kinds.js'
import type { Client } from '../client.js'
import { type Consent, ConsentStatus } from '../generated/phrd/access/v1/consent_pb.js'
import { collect } from '../pages.js'
import type { VaultKey } from '../records/lock.js'
import { type Ref, refText } from '../records/ref.js'
import { reseal, type ResealOptions } from '../records/reseal.js'
import { type Sealing, sealingsOf } from '../records/sealings.js'
import { granteesOf } from '../records/terms.js'
import { openEnvelope } from '../unlock/locked.js'
import { locksFor } from '../unlock/propose.js'
import type { Vault } from '../vault/open.js'
import { consents, covers } from './list.js'

/** sealConsented has versions that are there already sealed for those to whom the patient consented since, and gives how many it sealed anew. What is sealed to each of them is left as it is, so that it can be called again at any time. */
export async function sealConsented(client: Client, vault: Vault, options: ResealOptions = {}): Promise<number> {
  const due = await consentsUnsealed(client, vault)
  await reseal(client, vault, due, options)
  return due.length
}

/** consentsUnsealed lists the versions that the vault opens, that live consents cover and that are not sealed yet to one of those who may open them. */
export async function consentsUnsealed(client: Client, vault: Vault): Promise<Ref[]> {
  const patient = await client.patient()
  const due: Ref[] = []
  for (const s of await covered(client, vault, await granted(client, patient, ConsentStatus.LIVE), patient)) {
    const keys = await granteesOf(client, patient, s.class, idText(s.ref.record))
    if (keys.length === 0) continue
    const { own } = await envelopeNow(client, s.ref)
    if (keys.some((key) => !own.some((half) => equal(half.keyHash, sha256(key.key))))) due.push(s.ref)
  }
  return due
}

/** relocksDue lists the versions that the vault opens and that are sealed to somebody besides the patient whom no live consent lets open them: who was to open them under a consent that was withdrawn or has ended holds half of their keys until they are locked anew. */
export async function relocksDue(client: Client, vault: Vault): Promise<Ref[]> {
  const patient = await client.patient()
  const due: Ref[] = []
  for (const s of await covered(client, vault, await granted(client, patient), patient)) {
    const keys = await granteesOf(client, patient, s.class, idText(s.ref.record))
    const { own } = await envelopeNow(client, s.ref)
    if (own.some((half) => half.kind !== BigInt(recipientKind.patient) && !keys.some((key) => isSameVault(key, half)))) due.push(s.ref)
  }
  return due
}

async function granted(client: Client, patient: string, status?: ConsentStatus): Promise<Consent[]> {
  return (await collect(consents(client, patient, status))).map(({ consent }) => consent)
}

// The patient's versions that one of the consents covers.
async function covered(client: Client, vault: Vault, by: readonly Consent[], patient: string): Promise<Sealing[]> {
  if (by.length === 0) return []
  return (await sealingsOf(client, vault)).filter((s) => by.some((consent) => covers(consent, { id: idText(s.ref.record), class: s.class, patient })))
}

async function envelopeNow(client: Client, ref: Ref): Promise<Envelope> {
  const [locked] = await locksFor(client, [ref])
  if (locked === undefined) throw new TypeError('one version has one lock')
  return openEnvelope(locked, await client.gateways.smallBlock(locked.envelope, `version=${encodeURIComponent(refText(ref))}`))
}

function isSameVault(key: VaultKey, half: { readonly kind: bigint; readonly id: Uint8Array }): boolean {
  return key.kind === half.kind && equal(key.id, half.id)
}
