import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { isKind } from '#sdk/errors.js'
import { Class, type Record as Stored } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { Query } from '#sdk/generated/phrd/records/v1/query_pb.js'
import { records, recordsKept } from '#sdk/records/list.js'
import { parseRef, type Ref } from '#sdk/records/ref.js'
import { propose } from '#sdk/unlock/propose.js'
import { Action } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { words } from '../../words/words'
import type { Person } from '../staff'

const purposes = ['TREAT', 'HPAYMT', 'HRESCH'] as const
const hour = 3600n
const lifetimes = [hour, 12n * hour, 24n * hour, 7n * 24n * hour, 14n * 24n * hour] as const

/** Ask asks to open records, by their names. */
export function Ask({ client, hospital }: Person) {
  const w = hospitalWords.value
  const refs = useSignal('')
  const purpose = useSignal<string>(purposes[0])
  const lifetime = useSignal(24n * hour)
  return (
    <section>
      <h1>{w.ask}</h1>
      <p>{w.askText}</p>
      <label for="refs">{w.whichRecords}</label>
      <textarea id="refs" rows={4} autocomplete="off" spellcheck={false} value={refs.value} onInput={(e) => (refs.value = e.currentTarget.value)} />
      <OfPatient client={client} hospital={hospital} take={(found) => (refs.value = found)} />
      <label for="purpose">{words.value.purpose}</label>
      <select id="purpose" class="field" value={purpose.value} onChange={(e) => (purpose.value = e.currentTarget.value)}>
        {purposes.map((p) => <option key={p} value={p}>{words.value.purposes[p] ?? p}</option>)}
      </select>
      <label for="lifetime">{w.openFor}</label>
      <select id="lifetime" class="field" value={String(lifetime.value)} onChange={(e) => (lifetime.value = BigInt(e.currentTarget.value))}>
        {lifetimes.map((s) => <option key={String(s)} value={String(s)}>{w.hours(Number(s / hour))}</option>)}
      </select>
      <div class="buttons">
        <Action
          disabled={refs.value.trim() === ''}
          run={async () => {
            await propose(client, { versions: await refsIn(client, refs.value), purpose: purpose.value, lifetime: lifetime.value })
            location.hash = '#/'
          }}
        >
          {w.askNow}
        </Action>
      </div>
    </section>
  )
}

interface Listed {
  readonly records: readonly Stored[]
  /** Whether these are all that the patient has. */
  readonly isAll: boolean
}

function OfPatient({ client, hospital, take }: { client: Client; hospital: bigint; take: (refs: string) => void }) {
  const w = hospitalWords.value
  const number = useSignal('')
  const found = useSignal<Listed | undefined>(undefined)
  return (
    <details>
      <summary>{w.byPatient}</summary>
      <label for="of">{w.patientNumber}</label>
      <input id="of" class="field" autocomplete="off" spellcheck={false} maxLength={64} value={number.value} onInput={(e) => (number.value = e.currentTarget.value)} />
      <Action kind="plain" disabled={number.value.trim() === ''} run={async () => void (found.value = await listed(client, hospital, number.value.trim().toUpperCase()))}>{w.list}</Action>
      {found.value !== undefined && (
        <>
          {!found.value.isAll && <p class="note">{w.listHidden}</p>}
          <p role="status">{w.found(found.value.records.length)}</p>
          <ul>
            {found.value.records.map((record) => <li key={record.id}>{words.value.classes[Class[record.class]]} <span class="long">{newest(record)}</span></li>)}
          </ul>
          <button type="button" class="plain" disabled={found.value.records.length === 0} onClick={() => take(found.value?.records.map(newest).join('\n') ?? '')}>{w.takeAll}</button>
        </>
      )}
    </details>
  )
}

// Patients who agreed to emergencies let clinicians see what there is. Of others a clinician sees what the own hospital keeps.
async function listed(client: Client, hospital: bigint, patient: string): Promise<Listed> {
  try {
    return { records: await collect(records(client, patient)), isAll: true }
  } catch (cause) {
    if (!isKind(cause, 'forbidden', 'not found')) throw cause
  }
  return { records: await collect(recordsKept(client, hospital), (record) => record.patient === patient), isAll: false }
}

async function collect(from: AsyncIterable<Stored>, is: (record: Stored) => boolean = () => true): Promise<Stored[]> {
  const found: Stored[] = []
  for await (const record of from) if (is(record)) found.push(record)
  return found
}

function newest(record: Stored): string {
  return `${record.id}/${record.versions}`
}

// A record without a version stands for its newest one.
async function refsIn(client: Client, text: string): Promise<Ref[]> {
  const refs: Ref[] = []
  for (const name of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const { record, version } = parseRef(name.includes('/') ? name : `${name}/1`)
    refs.push({ record, version: name.includes('/') ? version : await newestOf(client, name) })
  }
  return refs
}

async function newestOf(client: Client, id: string): Promise<bigint> {
  const { record } = await client.gateways.query(Query.method.record, { id })
  return record?.versions ?? 1n
}
