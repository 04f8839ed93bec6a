import { useSignal } from '@preact/signals'
import { idText, parseIDText } from '#custody/id.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '#sdk/client.js'
import { isKind } from '#sdk/errors.js'
import { Query as Records } from '#sdk/generated/phrd/records/v1/query_pb.js'
import { Class, type Record as Kept } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { recordsKept } from '#sdk/records/list.js'
import { Action } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText, words } from '../../words/words'
import { newVersionOf } from '../clerk/queue'
import type { Person } from '../staff'
import { History } from './history'

// How many records are shown at a time.
const pageSize = 50

/** KeptRecords shows what the hospital keeps, with the versions of each record. */
export function KeptRecords(person: Person) {
  const w = hospitalWords.value
  const { client, hospital } = person
  const text = useSignal('')
  const isOwn = useSignal(false)
  const found = useSignal<readonly Kept[] | undefined>(undefined)
  const rest = useSignal<AsyncGenerator<Kept, undefined> | undefined>(undefined)
  const more = async () => {
    const shown = [...(found.value ?? [])]
    const end = shown.length + pageSize
    const from = rest.value
    while (from !== undefined && shown.length < end) {
      const { value, done } = await from.next()
      if (done) {
        rest.value = undefined
        break
      }
      shown.push(value)
    }
    found.value = shown
  }
  const search = async () => {
    found.value = undefined
    rest.value = recordsNamed(client, hospital, text.value.trim().toUpperCase(), isOwn.value)
    await more()
  }
  return (
    <section>
      <h1>{w.kept}</h1>
      <p>{w.keptText}</p>
      <label for="kept">{w.searchKept}</label>
      <input id="kept" class="field" autocomplete="off" spellcheck={false} maxLength={64} value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} />
      <label class="choice">
        <input type="checkbox" checked={isOwn.value} onChange={(e) => (isOwn.value = e.currentTarget.checked)} /> {w.ofHospital}
      </label>
      <div class="buttons"><Action run={search}>{w.search}</Action></div>
      <div aria-live="polite">
        {found.value?.length === 0 && <p>{w.noneKept}</p>}
        <ul class="cards">
          {found.value?.map((record) => <li key={record.id}><RecordCard person={person} record={record} /></li>)}
        </ul>
        {found.value !== undefined && rest.value !== undefined && <Action kind="plain" run={more}>{w.showMore}</Action>}
      </div>
    </section>
  )
}

/** recordsNamed lists the record of an id, or those of a patient, or all that the hospital keeps. */
async function* recordsNamed(client: Client, hospital: bigint, text: string, isOwn: boolean): AsyncGenerator<Kept, undefined> {
  const named = await recordOf(client, text)
  if (named !== undefined) {
    yield named
    return
  }
  for await (const record of recordsKept(client, hospital)) {
    if (isOwn && record.patient !== '') continue
    if (text === '' || record.patient === text) yield record
  }
}

// A patient number has the form of a record's id.
async function recordOf(client: Client, text: string): Promise<Kept | undefined> {
  if (text === '') return undefined
  try {
    return (await client.gateways.query(Records.method.record, { id: idText(parseIDText(text)) })).record
  } catch (cause) {
    if (cause instanceof Refusal || isKind(cause, 'not found', 'forbidden')) return undefined
    throw cause
  }
}

function RecordCard({ person, record }: { person: Person; record: Kept }) {
  const w = hospitalWords.value
  const isShown = useSignal(false)
  const store = () => {
    newVersionOf.value = record
    location.hash = '#/'
  }
  return (
    <article aria-label={record.id}>
      <h2>{words.value.classes[Class[record.class]] ?? Class[record.class]}</h2>
      <dl>
        <dt>{w.record}</dt><dd class="long">{record.id}</dd>
        <dt>{w.patientNumber}</dt><dd class="long">{record.patient === '' ? w.hospitalsOwn : record.patient}</dd>
        <dt>{w.since}</dt><dd>{timeText(record.since)}</dd>
      </dl>
      <div class="buttons">
        {!isShown.value && <button type="button" class="plain" onClick={() => (isShown.value = true)}>{w.showHistory}</button>}
        {person.role === 'clerk' && <button type="button" class="main" onClick={store}>{w.newVersion}</button>}
      </div>
      {isShown.value && <History person={person} record={record} />}
    </article>
  )
}
