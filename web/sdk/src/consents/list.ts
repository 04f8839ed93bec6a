import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Consent, ConsentStatus } from '../generated/phrd/access/v1/consent_pb.js'
import { Query, type QueryConsentsRequestSchema } from '../generated/phrd/access/v1/query_pb.js'
import { Class, type Record } from '../generated/phrd/records/v1/record_pb.js'
import { collect, paged } from '../pages.js'
import { principalNow } from '../vault/staff.js'

/** SeenConsent is a consent and where it stands. */
export interface SeenConsent {
  readonly consent: Consent
  readonly status: ConsentStatus
}

/** ConsentFilter says whose consents are wanted: exactly one of patient, staff and hospital; and in which status, all where it is left out. */
export type ConsentFilter = Omit<MessageInitShape<typeof QueryConsentsRequestSchema>, '$typeName' | 'pagination'>

/** consents lists what a patient consented to, newest first; in one status, or all where it is left out. */
export function consents(client: Client, patient: string, status?: ConsentStatus): AsyncGenerator<SeenConsent, undefined> {
  return consentsBy(client, { patient, ...statusOf(status) })
}

/** grantedConsents lists the consents that were granted to a clinician, to wards where the clinician works, and to the clinician's hospital. */
export async function grantedConsents(client: Client, status?: ConsentStatus): Promise<SeenConsent[]> {
  const { address: staff, hospital, wards } = await principalNow(client)
  const filters: ConsentFilter[] = [{ staff }, { hospital }, ...wards.map((ward) => ({ hospital, ward }))]
  const found = await Promise.all(filters.map((filter) => collect(consentsBy(client, { ...filter, ...statusOf(status) }))))
  return found.flat()
}

/** consentAt reads a consent by its number. */
export async function consentAt(client: Client, number: bigint): Promise<SeenConsent> {
  const { consent, status } = await client.gateways.query(Query.method.consent, { number })
  if (consent === undefined) throw new PhrdError('answer', `no consent ${number} is shown`)
  return { consent, status }
}

function consentsBy(client: Client, filter: ConsentFilter): AsyncGenerator<SeenConsent, undefined> {
  return paged(async (pagination) => {
    const { consents: found, pagination: next } = await client.gateways.query(Query.method.consents, { ...filter, pagination })
    return { found: found.flatMap(({ consent, status }) => (consent === undefined ? [] : [{ consent, status }])), pagination: next }
  })
}

function statusOf(status: ConsentStatus | undefined): { readonly status?: ConsentStatus } {
  return status === undefined ? {} : { status }
}

/** covers tells whether a record may be opened under a consent. */
export function covers(consent: Consent, record: Pick<Record, 'id' | 'class' | 'patient'>): boolean {
  return record.patient === consent.patient && (consent.classes.includes(record.class) || consent.records.includes(record.id))
}

/** classWord is the word of a class in a consent. */
export function classWord(of: Class): string {
  return Class[of].toLowerCase()
}
