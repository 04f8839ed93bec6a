import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import { Class, type Record as Stored, type Version } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { collect } from '#sdk/pages.js'
import { records, versions } from '#sdk/records/list.js'
import { parseIDText } from '#custody/id.js'
import type { Vault } from '#sdk/vault/open.js'
import { refreshed } from '../live'
import { ArchiveLink, CopiesLine } from '../patient/copies'
import { VersionWays } from '../patient/version'
import { Viewer } from '../viewer/viewer'
import { sizeText, timeText, words } from '../words/words'
import { Loaded } from './action'

interface Row {
  readonly record: Stored
  readonly versions: readonly Version[]
}

async function all(client: Client, patient: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const record of records(client, patient)) {
    rows.push({ record, versions: await collect(versions(client, parseIDText(record.id))) })
  }
  return rows
}

/** Records lists what is stored for the patient. */
export function Records({ client, patient, vault }: { client: Client; patient: string; vault: Vault }) {
  const w = words.value
  const opened = useSignal<OpenedFile | undefined>(undefined)
  if (opened.value !== undefined) return <Viewer file={opened.value} close={() => (opened.value = undefined)} />
  return (
    <section>
      <h1>{w.records}</h1>
      <p>
        {w.patientNumber}: <output class="long" translate={false}>{patient}</output>
      </p>
      <Loaded ask={() => all(client, patient)} again={refreshed.value}>
        {(rows) => (
          <>
            {rows.length === 0 && <p>{w.noRecords}</p>}
            <ul class="cards">
              {rows.map(({ record, versions: found }) => (
                <li key={record.id}>
                  <article>
                    <h2>{w.classes[Class[record.class]] ?? Class[record.class]}</h2>
                    <p class="long">{record.id}</p>
                    <ul>
                      {found.map((version) => (
                        <li key={String(version.version)}>
                          {w.version(String(version.version))}, {timeText(version.storedAt)}, {sizeText(version.size)}
                          <CopiesLine client={client} version={version} />
                          <VersionWays client={client} vault={vault} version={version} show={(file) => (opened.value = file)} />
                        </li>
                      ))}
                    </ul>
                  </article>
                </li>
              ))}
            </ul>
            {rows.length > 0 && <ArchiveLink />}
          </>
        )}
      </Loaded>
    </section>
  )
}
