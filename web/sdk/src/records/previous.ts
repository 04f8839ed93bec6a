import { cidText } from '#custody/cid.js'
import { equal, u64 } from '#custody/encoding.js'
import { idText, parseIDText } from '#custody/id.js'
import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { Earlier, type Holds } from '../content/earlier.js'
import type { OpenedFile } from '../content/file.js'
import { PhrdError } from '../errors.js'
import type { Upload } from '../gateway/upload.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { type Header, Lock, OwnerKind } from '../generated/phrd/records/v1/record_pb.js'
import { type Ref, refText } from './ref.js'
import type { StoreTerms } from './terms.js'

// How many leaves the gateway is asked about with one request.
const checkedAtOnce = 64

/** Previous is an earlier version of a record that somebody who may read it has open. */
export interface Previous {
  readonly ref: Ref
  readonly file: OpenedFile
}

/** checkPrevious refuses an earlier version whose leaves a new one may not name: one of another record, owner, custodian or lock, one that is erased, or one that is not what was opened. The keys of its leaves go into the new manifest, and must not come under another lock or to another owner. */
export async function checkPrevious(client: Client, { ref, file }: Previous, terms: StoreTerms): Promise<void> {
  const refuse = (why: string) => new PhrdError('previous', `version ${refText(ref)} ${why}`)
  if (!equal(ref.record, terms.record) || ref.version >= terms.version) throw refuse(`is none before ${refText(terms)}`)
  const { version } = await client.gateways.query(Records.method.version, { record: idText(ref.record), version: ref.version })
  const header = version?.header
  if (version === undefined || header === undefined) throw new PhrdError('answer', `no version ${refText(ref)} is shown`)
  if (version.tombstone !== undefined) throw refuse('was erased')
  if (version.object !== cidText(Uint8Array.from(file.object))) throw refuse('is not what was opened')
  if (header.lock !== Lock.OWNER_AND_NETWORK) throw refuse('has another lock')
  if (!isSameOwner(header, terms) || header.custodian !== terms.custodian) throw refuse('is of another owner or custodian')
}

function isSameOwner(header: Header, terms: StoreTerms): boolean {
  const isHospitals = header.ownerKind === OwnerKind.HOSPITAL
  return BigInt(header.ownerKind) === terms.ownerKind && equal(isHospitals ? u64(header.custodian) : parseIDText(header.patient), terms.ownerID)
}

/** earlierFor has an upload name leaves of an earlier version; undefined where the hospital does not hold that one any more: then all is sent. */
export async function earlierFor(upload: Upload, { ref, file }: Previous): Promise<Earlier | undefined> {
  if (!(await upload.giveLeaves(idText(ref.record), ref.version))) return undefined
  return new Earlier(file, holdsOf(upload, file))
}

// Leaves are asked about with their neighbours, once. What the gateway does not vouch for is sent.
function holdsOf(upload: Upload, file: OpenedFile): Holds {
  const cids = file.leaves.map(({ cid }) => cid)
  const group = new Map(cids.map((cid, i) => [hex(cid), Math.floor(i / checkedAtOnce)]))
  const asked = new Map<number, Promise<ReadonlySet<string>>>()
  return async (cid) => {
    const number = group.get(hex(cid))
    if (number === undefined) return false
    let whole = asked.get(number)
    if (whole === undefined) {
      whole = upload.check(cids.slice(number * checkedAtOnce, (number + 1) * checkedAtOnce)).then((found) => new Set(found.map(hex)))
      asked.set(number, whole)
    }
    return (await whole).has(hex(cid))
  }
}
