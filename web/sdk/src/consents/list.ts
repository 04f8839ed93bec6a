import type { Client } from '../client.js'
import type { Consent, ConsentStatus } from '../generated/phrd/access/v1/consent_pb.js'
import { Query } from '../generated/phrd/access/v1/query_pb.js'
import { Class, type Record } from '../generated/phrd/records/v1/record_pb.js'
import { paged } from '../pages.js'

/** SeenConsent is a consent and where it stands. */
export interface SeenConsent {
  readonly consent: Consent
  readonly status: ConsentStatus
}

/** consents lists what a patient consented to, newest first; in one status, or all where it is left out. */
export function consents(client: Client, patient: string, status?: ConsentStatus): AsyncGenerator<SeenConsent, undefined> {
  return paged(async (pagination) => {
    const { consents: found, pagination: next } = await client.gateways.query(Query.method.consents, { patient, ...(status === undefined ? {} : { status }), pagination })
    return { found: found.flatMap(({ consent, status: now }) => (consent === undefined ? [] : [{ consent, status: now }])), pagination: next }
  })
}

/** covers tells whether a record may be opened under a consent. */
export function covers(consent: Consent, record: Pick<Record, 'id' | 'class' | 'patient'>): boolean {
  return record.patient === consent.patient && (consent.classes.includes(record.class) || consent.records.includes(record.id))
}

/** classWord is the word of a class in a consent. */
export function classWord(of: Class): string {
  return Class[of].toLowerCase()
}
