import { useSignal } from '@preact/signals'
import { parseIDText } from '#custody/id.js'
import type { Client } from '#sdk/client.js'
import type { Entry } from '#sdk/generated/phrd/audit/v1/entry_pb.js'
import type { Record as Kept, Version } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { Standing } from '#sdk/generated/phrd/storage/v1/object_pb.js'
import { collect } from '#sdk/pages.js'
import { copyCount } from '#sdk/records/copies.js'
import { certificate, erase } from '#sdk/records/erase.js'
import { versions } from '#sdk/records/list.js'
import { log } from '#sdk/records/log.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { sizeText, timeText, words } from '../../words/words'
import { hospitalName } from '../emergency'
import type { Person } from '../staff'

// How many entries of the log are shown of one record.
const mostEntries = 50

/** History lists the versions of a record, with their copies or the certificate of their erasure, and who did what. */
export function History({ person, record }: { person: Person; record: Kept }) {
  const w = hospitalWords.value
  const { client } = person
  const said = useSignal('')
  return (
    <>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => collect(versions(client, parseIDText(record.id)))} again={refreshed.value}>
        {(found) => (
          <ul class="plain history">
            {found.map((version) => (
              <li key={String(version.version)}>
                <h3>{w.version(String(version.version))}</h3>
                <VersionFacts version={version} />
                {version.tombstone === undefined ? <CopiesOf client={client} version={version} /> : <Certificate client={client} version={version} />}
                {person.role === 'officer' && record.patient === '' && version.tombstone === undefined && <Erase client={client} version={version} said={(text) => (said.value = text)} />}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <h3>{w.whoDid}</h3>
      <Loaded ask={() => entriesOf(person, record.id)} again={refreshed.value}>
        {(found) => found.length === 0 ? <p>{words.value.nothing}</p> : <ol class="log">{found.map((entry) => <li key={String(entry.sequence)}><EntryLine entry={entry} /></li>)}</ol>}
      </Loaded>
    </>
  )
}

// Of the log a hospital's people see what their hospital did.
async function entriesOf({ client, hospital }: Person, record: string): Promise<Entry[]> {
  const found: Entry[] = []
  for await (const entry of log(client, { record, hospital })) {
    found.push(entry)
    if (found.length === mostEntries) break
  }
  return found
}

function VersionFacts({ version: v }: { version: Version }) {
  const w = hospitalWords.value
  return (
    <dl>
      <dt>{w.storedAt}</dt><dd>{timeText(v.storedAt)}{v.sharesWith !== 0n && `, ${w.sharesWith(String(v.sharesWith))}`}</dd>
      <dt>{w.storedBy}</dt><dd class="long">{v.storedBy}</dd>
      <dt>{w.size}</dt><dd>{sizeText(v.size)}</dd>
    </dl>
  )
}

function CopiesOf({ client, version }: { client: Client; version: Version }) {
  const w = hospitalWords.value
  return (
    <Loaded ask={() => copyCount(client, { record: parseIDText(version.record), version: version.version })} again={refreshed.value}>
      {({ held, target, standing }) => <p>{w.copies(held, target)} ({w.standings[Standing[standing]] ?? Standing[standing]})</p>}
    </Loaded>
  )
}

function Certificate({ client, version }: { client: Client; version: Version }) {
  const w = hospitalWords.value
  return (
    <section aria-label={w.certificate}>
      <h4>{w.certificate}</h4>
      <Loaded ask={() => certificate(client, { record: parseIDText(version.record), version: version.version })} again={refreshed.value}>
        {({ version: of, nodes, missing, remains }) => (
          <dl>
            <dt>{w.erased}</dt><dd>{timeText(of?.tombstone?.at ?? 0n)}, <span class="long">{of?.tombstone?.by}</span></dd>
            <dt>{w.state}</dt><dd>{w.certificateOf(nodes.length - missing, nodes.length)}</dd>
            <dt>{w.remains}</dt><dd>{remains.map((code) => w.remainsOf[code] ?? code).join(', ')}</dd>
          </dl>
        )}
      </Loaded>
    </section>
  )
}

function Erase({ client, version, said }: { client: Client; version: Version; said: (text: string) => void }) {
  const w = hospitalWords.value
  const isSure = useSignal(false)
  if (!isSure.value) return <div class="buttons"><button type="button" class="danger" onClick={() => (isSure.value = true)}>{w.erase}</button></div>
  return (
    <div class="note" role="alertdialog" aria-label={w.eraseSure}>
      <p><strong>{w.eraseSure}</strong> {w.eraseText}</p>
      <div class="buttons">
        <Action
          kind="danger"
          run={async () => {
            const request = await erase(client, [{ record: parseIDText(version.record), version: version.version }])
            said(request === 0n ? w.erasedNow : w.eraseAsked(String(request)))
            isSure.value = false
            refreshed.value++
          }}
        >
          {w.eraseNow}
        </Action>
        <button type="button" class="plain" onClick={() => (isSure.value = false)}>{w.eraseNot}</button>
      </div>
    </div>
  )
}

function EntryLine({ entry }: { entry: Entry }) {
  const who = entry.actor === '' ? words.value.theNetwork : `${words.value.roles[entry.role] ?? entry.role}${entry.hospital === 0n ? '' : `, ${hospitalName(entry.hospital)}`}`
  return (
    <>
      <time dateTime={new Date(Number(entry.time) * 1000).toISOString()}>{timeText(entry.time)}</time>
      <span>{who}</span>
      <span>{words.value.kinds[entry.kind] ?? entry.kind}{entry.reason !== '' && ` (${words.value.refusedEntry}: ${entry.reason})`}</span>
    </>
  )
}
