import { type Bytes, randomBytes, u64 } from '#custody/encoding.js'
import * as hybrid from '#custody/hybrid.js'
import { idText, parseIDText } from '#custody/id.js'
import { ownerKind, recipientKind } from '#custody/kinds.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Grantee } from '../generated/phrd/access/v1/consent_pb.js'
import { Query as Access } from '../generated/phrd/access/v1/query_pb.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import type { Class } from '../generated/phrd/records/v1/record_pb.js'
import { generationOf } from '../unlock/locked.js'
import { parseAddress } from '../wallet/address.js'
import { boxTerms } from './box.js'
import type { Terms, VaultKey } from './lock.js'

/** Place says which record a file becomes a version of: a new one of a patient, a new one of the clerk's hospital, or one that is there. */
export type Place = { readonly patient: string; readonly class: Class } | { readonly hospitals: true; readonly class: Class } | { readonly record: Bytes }

/** StoreTerms are the terms of a version, and what the chain is told of its record. */
export interface StoreTerms extends Terms {
  readonly class: Class
  /** The owner's number; empty where the hospital owns the record. */
  readonly patient: string
}

/** termsFor says how a version is locked: by the network's newest key, to the owner's newest vault key and to those whom live consents name, with an emergency box where the patient agreed to it. */
export async function termsFor(client: Client, place: Place): Promise<StoreTerms> {
  const { hospital: custodian } = await client.principal()
  const about = await recordAt(client, place)
  const isPatients = about.patient !== ''
  const owner = isPatients ? await patientVault(client, about.patient) : await hospitalVault(client, custodian)
  return {
    ...about, net: client.network, custodian, signer: parseAddress(client.signer.address), generation: await generationOf(client.gateways, client.network, 0n),
    ownerKind: BigInt(isPatients ? ownerKind.patient : ownerKind.hospital), ownerID: owner.id,
    recipients: [owner, ...(isPatients ? await granteesOf(client, about.patient, about.class, about.version === 1n ? '' : idText(about.record)) : [])],
    box: isPatients ? await boxTerms(client, about.patient) : undefined,
  }
}

interface About {
  readonly record: Bytes
  readonly version: bigint
  readonly class: Class
  readonly patient: string
}

async function recordAt(client: Client, place: Place): Promise<About> {
  if (!('record' in place)) return { record: randomBytes(16), version: 1n, class: place.class, patient: 'patient' in place ? place.patient : '' }
  const { record } = await client.gateways.query(Records.method.record, { id: idText(place.record) })
  if (record === undefined) throw new PhrdError('answer', 'no record is shown')
  return { record: place.record, version: record.versions + 1n, class: record.class, patient: record.patient }
}

async function patientVault(client: Client, number: string): Promise<VaultKey> {
  const { patient } = await client.gateways.query(Records.method.patient, { id: number })
  if (patient?.vault === undefined) throw new PhrdError('answer', `no vault of patient ${number} is shown`)
  return { kind: BigInt(recipientKind.patient), id: parseIDText(number), epoch: patient.vault.epoch, key: hybrid.parsePublicKey(patient.vault.key) }
}

async function hospitalVault(client: Client, number: bigint): Promise<VaultKey> {
  const { member } = await client.gateways.query(Consortium.method.member, { number })
  if (member === undefined) throw new PhrdError('answer', `no hospital ${number} is shown`)
  return { kind: BigInt(recipientKind.hospital), id: u64(number), epoch: member.vaultEpoch, key: hybrid.parsePublicKey(member.vaultKey) }
}

/** granteesOf are the vaults to which a patient's record is sealed beside the patient's own, because live consents cover it; record is empty for a new one. */
export async function granteesOf(client: Client, patient: string, of: Class, record: string): Promise<VaultKey[]> {
  const { grantees } = await client.gateways.query(Access.method.grantees, { patient, class: of, record })
  return grantees.map(granteeVault)
}

function granteeVault(g: Grantee): VaultKey {
  const to = g.staff === ''
    ? { kind: BigInt(recipientKind.hospital), id: u64(g.hospital) }
    : { kind: BigInt(recipientKind.staff), id: parseAddress(g.staff) }
  return { ...to, epoch: g.epoch, key: hybrid.parsePublicKey(g.key) }
}
