import type { Client } from '#sdk/client.js'
import { Standing } from '#sdk/generated/phrd/storage/v1/object_pb.js'
import type { Version } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { type Copies, copies, type Places, places } from '#sdk/records/copies.js'
import { refreshed } from '../live'
import { Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'

// Where servers stand changes seldom: it is read once for a client.
const known = new WeakMap<Client, Promise<Places>>()

async function copiesOf(client: Client, version: Version): Promise<Copies> {
  let at = known.get(client)
  if (at === undefined) {
    at = places(client)
    known.set(client, at)
    at.catch(() => known.delete(client))
  }
  return copies(client, await at, version.object)
}

/** CopiesLine says in words how many hospitals keep a copy of a version; nothing of one that is erased. */
export function CopiesLine({ client, version }: { client: Client; version: Version }) {
  const w = patientWords.value
  if (version.tombstone !== undefined) return null
  return (
    <Loaded ask={() => copiesOf(client, version)} again={refreshed.value}>
      {(found) => {
        const standing = w.standings[Standing[found.standing]] ?? ''
        return (
          <p class="small">
            {w.copies(found.hospitals.length, found.sites.length)} {found.sites.length > 0 && w.copiesAt(found.sites.join(', '))}{standing !== '' && `: ${standing}`}
          </p>
        )
      }}
    </Loaded>
  )
}

/** ArchiveLink leads to where all records are taken along. */
export function ArchiveLink() {
  return <p><a href="#/archive">{patientWords.value.archive}</a></p>
}
