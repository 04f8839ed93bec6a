import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { parseIDText } from '#custody/id.js'
import type { Client } from '#sdk/client.js'
import { Standing } from '#sdk/generated/phrd/storage/v1/object_pb.js'
import { Class, type Record as Kept } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { copyCount } from '#sdk/records/copies.js'
import { type Ref, refText } from '#sdk/records/ref.js'
import { refreshed } from '../../live'
import { Action, ErrorNote, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { sizeText, words } from '../../words/words'
import type { Person } from '../staff'
import { add, again, drop, type Job, jobs, newVersionOf, recall } from './queue'

const classes = [Class.IMAGING, Class.DOCUMENT, Class.RECORDING, Class.RESULT, Class.OTHER] as const

/** Store takes files for a patient, for the hospital itself, or as a new version of a record, and shows how far each has come. */
export function Store({ client }: Person) {
  const w = hospitalWords.value
  const fault = useSignal<unknown>(undefined)
  useEffect(() => void recall(client).catch((cause: unknown) => (fault.value = cause)), [client])
  const record = newVersionOf.value
  return (
    <section>
      <h1>{w.store}</h1>
      <p>{w.storeText}</p>
      {record === undefined ? <NewRecord client={client} /> : <NewVersion client={client} record={record} />}
      <ErrorNote cause={fault.value} />
      <ul class="cards">
        {jobs.value.map((job) => <li key={job.id}><JobCard client={client} job={job} /></li>)}
      </ul>
    </section>
  )
}

function NewRecord({ client }: { client: Client }) {
  const w = hospitalWords.value
  const patient = useSignal('')
  const isPatients = useSignal(true)
  const kind = useSignal<(typeof classes)[number]>(Class.IMAGING)
  const number = isPatients.value ? patient.value.trim().toUpperCase() : ''
  return (
    <>
      <label for="owner">{w.belongsTo}</label>
      <select id="owner" class="field" value={isPatients.value ? 'patient' : 'hospital'} onChange={(e) => (isPatients.value = e.currentTarget.value === 'patient')}>
        <option value="patient">{w.belongsPatient}</option>
        <option value="hospital">{w.belongsHospital}</option>
      </select>
      {isPatients.value && (
        <>
          <label for="patient">{w.patientNumber}</label>
          <input id="patient" class="field" autocomplete="off" spellcheck={false} maxLength={64} value={patient.value} onInput={(e) => (patient.value = e.currentTarget.value)} />
        </>
      )}
      <label for="class">{w.class}</label>
      <select id="class" class="field" value={String(kind.value)} onChange={(e) => (kind.value = classes.find((c) => String(c) === e.currentTarget.value) ?? Class.OTHER)}>
        {classes.map((c) => <option key={c} value={String(c)}>{words.value.classes[Class[c]] ?? Class[c]}</option>)}
      </select>
      <Drop disabled={isPatients.value && number === ''} take={(files) => add(client, files, { patient: number, class: kind.value })} />
    </>
  )
}

function NewVersion({ client, record }: { client: Client; record: Kept }) {
  const w = hospitalWords.value
  const of = { patient: record.patient, class: record.class, record: parseIDText(record.id) }
  return (
    <>
      <p>
        {w.newVersionOf} <output class="long" translate={false}>{record.id}</output> ({words.value.classes[Class[record.class]] ?? Class[record.class]})
      </p>
      <button type="button" class="plain" onClick={() => (newVersionOf.value = undefined)}>{w.newRecordInstead}</button>
      <Drop disabled={false} isSingle take={(files) => add(client, files, of)} />
    </>
  )
}

// A place for files: dropped on it, or chosen by mouse or keys.
function Drop({ take, disabled, isSingle = false }: { take: (files: File[]) => void; disabled: boolean; isSingle?: boolean }) {
  const w = hospitalWords.value
  const over = useSignal(false)
  return (
    <div
      class={over.value ? 'drop over' : 'drop'}
      onDragOver={(e) => {
        e.preventDefault()
        over.value = !disabled
      }}
      onDragLeave={() => (over.value = false)}
      onDrop={(e) => {
        e.preventDefault()
        over.value = false
        if (!disabled) take([...(e.dataTransfer?.files ?? [])].slice(0, isSingle ? 1 : undefined))
      }}
    >
      <p>{disabled ? w.patientFirst : w.dropHere}</p>
      <FileChoice id="files" label={isSingle ? w.chooseFile : w.chooseFiles} multiple={!isSingle} disabled={disabled} take={take} />
    </div>
  )
}

function FileChoice({ id, label, take, multiple = false, disabled = false }: { id: string; label: string; take: (files: File[]) => void; multiple?: boolean; disabled?: boolean }) {
  return (
    <>
      <label for={id}>{label}</label>
      <input
        id={id}
        type="file"
        multiple={multiple}
        disabled={disabled}
        onChange={(e) => {
          take([...(e.currentTarget.files ?? [])])
          e.currentTarget.value = ''
        }}
      />
    </>
  )
}

function JobCard({ client, job }: { client: Client; job: Job }) {
  const w = hospitalWords.value
  const state = job.state.value
  const { name } = job.of.draft
  return (
    <article aria-label={name}>
      <h2 class="name">{name}</h2>
      <p>
        {words.value.classes[Class[job.of.class]]}, {sizeText(BigInt(job.of.size))}, {w.patientNumber} <span class="long">{job.of.patient === '' ? w.hospitalsOwn : job.of.patient}</span>
      </p>
      <p role="status">{w.jobStates[state.at]}{state.at === 'running' && `: ${w.parts[state.part]}`}</p>
      {state.at === 'running' && <progress aria-label={w.parts[state.part]} max={1} value={Number(state.done) / Math.max(1, Number(state.total))} />}
      {state.at === 'failed' && <ErrorNote cause={state.cause} />}
      {state.at === 'stored' && <Stored client={client} of={state.ref} />}
      <div class="buttons">
        {(state.at === 'running' || state.at === 'waiting') && <button type="button" class="plain" onClick={() => job.pause()}>{w.pause}</button>}
        {(state.at === 'paused' || state.at === 'failed' || state.at === 'elsewhere') && job.file !== undefined && (
          <button type="button" class="main" onClick={() => again(client, job)}>{w.goOn}</button>
        )}
        {(state.at === 'left' || state.at === 'failed') && job.file === undefined && (
          <FileChoice id={`again-${job.id}`} label={w.chooseAgain(name)} take={([file]) => file !== undefined && again(client, job, file)} />
        )}
        {state.at !== 'stored' && state.at !== 'running' && <Action kind="danger" run={() => drop(client, job)}>{w.giveUp}</Action>}
      </div>
    </article>
  )
}

// The copies at other hospitals, as they become confirmed.
function Stored({ client, of }: { client: Client; of: Ref }) {
  const w = hospitalWords.value
  return (
    <>
      <p>{w.record} <output class="long" translate={false}>{refText(of)}</output></p>
      <Loaded ask={() => copyCount(client, of)} again={refreshed.value}>
        {({ held, target, standing }) => <p aria-live="polite">{w.copies(held, target)} ({w.standings[Standing[standing]] ?? Standing[standing]})</p>}
      </Loaded>
    </>
  )
}
