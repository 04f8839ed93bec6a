import { equals } from '@bufbuild/protobuf'
import { idText } from '#custody/id.js'
import type { Bytes } from '#custody/encoding.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { MsgGrantConsentResponseSchema, MsgGrantConsentSchema, MsgWithdrawConsentResponseSchema, MsgWithdrawConsentSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { type Member, MemberSchema, MemberStatus, type Principal, PrincipalSchema, Role } from '../generated/phrd/consortium/v1/member_pb.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'
import type { Class } from '../generated/phrd/records/v1/record_pb.js'
import { gasFor, type Receipt } from '../send.js'
import { chooseWitnesses, meet } from '../unlock/witnesses.js'
import { classWord } from './list.js'

// How many unlocks a withdrawal ends at once.
const mostEnded = 8
/** longestConsent is the longest time of a consent, in seconds: two years. */
export const longestConsent = 2n * 365n * 86_400n
const mostUses = 1000
const mostRecords = 64
const mostWard = 65_535

/** Grant is what a patient consents to: these clinicians may open these records for this purpose until then, and need an officer's endorsement for it, but no approval. */
export interface Grant {
  /** The number of the hospital whose clinicians may ask. */
  readonly hospital: bigint
  /** The one clinician, whose program has published a vault; a ward by its number; or every clinician of the hospital. */
  readonly to: { readonly clinician: string } | { readonly ward: number } | 'all clinicians'
  /** Classes of records, those to come included, or at most 64 records. */
  readonly what: { readonly classes: readonly Class[] } | { readonly records: readonly Bytes[] }
  /** An HL7 v3 ActReason code; others are not covered. */
  readonly purpose: string
  /** In unix seconds, at most two years ahead. */
  readonly until: bigint
  /** How many unlocks it stands in for at most on one day, UTC: 1 to 1000. */
  readonly usesADay: number
}

/** GrantReview is a grant as it will be signed, once two hospitals have shown the same hospital and clinician. Its fields are what the wallet shows. */
export interface GrantReview {
  readonly grant: Grant
  /** The hospital's name. */
  readonly hospital: string
  /** Who may ask, as the wallet shows it. */
  readonly to: string
  /** Sorted and distinct. */
  readonly what: readonly string[]
  /** RFC 3339 in UTC. */
  readonly until: string
  /** The hospitals that it was read from. */
  readonly witnesses: readonly string[]
}

interface View {
  readonly member: Member
  readonly clinician: Principal | undefined
}

/** reviewGrant checks a grant before it is signed: that it is in its bounds, and at the nodes of two hospitals, neither of them the grantee's where two others answer, that the hospital is a member by that name and the clinician works there now and has a vault. */
export async function reviewGrant(client: Client, grant: Grant): Promise<GrantReview> {
  bounds(grant, await client.blockTime())
  const { doors } = await chooseWitnesses(client, grant.hospital)
  const height = await meet(client, doors)
  const [view, other] = await Promise.all(doors.map((door) => look(door.at(height), grant)))
  if (view === undefined || other === undefined) throw new PhrdError('unreachable', 'no two hospitals answer')
  if (!alike(view, other)) throw new PhrdError('disagree', `${doors.map((d) => d.name).join(' and ')} show another hospital or clinician`)
  standing(grant, view)
  return { grant, hospital: view.member.name, to: toText(grant), what: whatText(grant), until: timeText(grant.until), witnesses: doors.map((d) => d.name) }
}

function bounds(grant: Grant, now: bigint): void {
  const wrong = (why: string) => new PhrdError('consent', why)
  if (grant.until <= now || grant.until > now + longestConsent) throw wrong('it ends in the past, or more than two years ahead')
  if (!Number.isInteger(grant.usesADay) || grant.usesADay < 1 || grant.usesADay > mostUses) throw wrong(`uses a day are 1 to ${mostUses}`)
  if (!/^[A-Z]{1,16}$/.test(grant.purpose)) throw wrong('it has no purpose')
  const named = 'classes' in grant.what ? grant.what.classes.length : grant.what.records.length
  if (named === 0 || named > mostRecords) throw wrong(`it names classes, or 1 to ${mostRecords} records`)
  const { to } = grant
  if (typeof to === 'object' && 'ward' in to && (!Number.isInteger(to.ward) || to.ward < 1 || to.ward > mostWard)) throw wrong(`a ward is a number from 1 to ${mostWard}`)
}

async function look(connection: Connection, grant: Grant): Promise<View> {
  const { member } = await connection.query(Consortium.method.member, { number: grant.hospital })
  if (member === undefined) throw new PhrdError('answer', `no hospital ${grant.hospital} is shown`)
  if (typeof grant.to === 'string' || !('clinician' in grant.to)) return { member, clinician: undefined }
  const { principal } = await connection.query(Consortium.method.principal, { address: grant.to.clinician })
  return { member, clinician: principal }
}

function alike(a: View, b: View): boolean {
  const isSame = a.clinician === undefined || b.clinician === undefined ? a.clinician === b.clinician : equals(PrincipalSchema, a.clinician, b.clinician)
  return isSame && equals(MemberSchema, a.member, b.member)
}

function standing(grant: Grant, { member, clinician }: View): void {
  if (member.number !== grant.hospital || member.status !== MemberStatus.ACTIVE || member.name === '') throw new PhrdError('consent', `hospital ${grant.hospital} is no active member`)
  if (typeof grant.to === 'string' || !('clinician' in grant.to)) return
  const isOf = clinician !== undefined && clinician.address === grant.to.clinician && clinician.role === Role.CLINICIAN && clinician.hospital === grant.hospital && clinician.active
  if (!isOf) throw new PhrdError('consent', `${grant.to.clinician} is no clinician of ${member.name} now`)
  if (clinician.vaultEpoch === 0n) throw new PhrdError('consent', `${grant.to.clinician} has no vault yet: ask for it at ${member.name}`)
}

/** grantConsent signs a grant that was reviewed, and gives the consent's number. What is stored from now on is sealed for those to whom it was granted; for what is there already, see sealConsented. */
export async function grantConsent(client: Client, r: GrantReview): Promise<bigint> {
  const { answer } = await client.send('amino', gasFor(r.what.length), MsgGrantConsentSchema, {
    owner: client.signer.address, hospital: r.hospital, member: r.grant.hospital, to: r.to, what: [...r.what], purpose: r.grant.purpose, until: r.until, usesADay: r.grant.usesADay,
  }, MsgGrantConsentResponseSchema)
  return answer.consent
}

/** withdrawConsent ends a consent from this block on: nothing more is approved by it, and the unlocks that it approved end. Whoever was to open versions still has a half of their keys; until these are locked anew, opening them is refused, not impossible. */
export async function withdrawConsent(client: Client, consent: bigint): Promise<Receipt> {
  const message = { owner: client.signer.address, consent }
  return (await client.send('amino', gasFor(mostEnded), MsgWithdrawConsentSchema, message, MsgWithdrawConsentResponseSchema)).receipt
}

function toText({ to }: Grant): string {
  if (typeof to === 'string') return to
  return 'clinician' in to ? to.clinician : `ward ${to.ward}`
}

function whatText({ what }: Grant): string[] {
  const words = 'classes' in what ? what.classes.map(classWord) : what.records.map(idText)
  return [...new Set(words)].sort()
}

function timeText(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}
