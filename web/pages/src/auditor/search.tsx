import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Client } from '#sdk/client.js'
import { log } from '#sdk/records/log.js'
import { hospitals } from '../session'
import { Action, ErrorNote } from '../view/action'
import { auditorWords } from '../words/auditor/words'
import { words } from '../words/words'
import { Bars, Columns } from './chart'
import { csvOf } from './csv'
import { Entries } from './entries'
import { type Fields, filterOf, kinds, noFields, purposes, searched } from './filter'
import { fromLog, type Line } from './line'
import { save } from './save'
import { ScopeNote } from './scope'
import { type Tally, tallyOf } from './tally'

const pageSize = 25
const mostCharted = 5_000

/** Found is a list that grows, and what comes after it. */
interface Found {
  readonly of: Fields
  readonly lines: readonly Line[]
  readonly rest: AsyncGenerator<Line, undefined>
  readonly isAll: boolean
}

async function* lines(client: Client, fields: Fields): AsyncGenerator<Line, undefined> {
  for await (const entry of log(client, filterOf(fields))) yield fromLog(entry)
}

function start(client: Client, of: Fields): Found {
  return { of, lines: [], rest: lines(client, of), isAll: false }
}

async function further(found: Found, count: number): Promise<Found> {
  const all = [...found.lines]
  for (let i = 0; i < count; i++) {
    const next = await found.rest.next()
    if (next.done === true) return { ...found, lines: all, isAll: true }
    all.push(next.value)
  }
  return { ...found, lines: all }
}

/** Search finds entries of the log by what they say. */
export function Search({ client }: { client: Client }) {
  const a = auditorWords.value
  const last = useSignal<Found | undefined>(undefined)
  const fault = useSignal<unknown>(undefined)
  useEffect(() => {
    let current = true
    fault.value = undefined
    further(start(client, searched.value), pageSize).then(
      (page) => {
        if (current) last.value = page
      },
      (cause: unknown) => {
        if (current) fault.value = cause
      },
    )
    return () => {
      current = false
    }
  }, [client, searched.value])
  // What was found by another search is not shown.
  const found = last.value?.of === searched.value ? last.value : undefined
  return (
    <section>
      <h1>{a.log}</h1>
      <p>{a.logText}</p>
      <ScopeNote client={client} />
      <Form />
      <ErrorNote cause={fault.value} />
      <div aria-live="polite">
        {found !== undefined && <p>{found.lines.length === 0 ? a.none : a.found(found.lines.length, found.isAll)}</p>}
        {found === undefined && fault.value === undefined && <p>{words.value.working}</p>}
      </div>
      <Charts client={client} />
      {found !== undefined && found.lines.length > 0 && <Results found={found} grow={(next) => (last.value = next)} />}
    </section>
  )
}

function Results({ found, grow }: { found: Found; grow: (next: Found) => void }) {
  const a = auditorWords.value
  return (
    <>
      <Entries lines={found.lines} />
      <div class="buttons">
        {!found.isAll && <Action kind="plain" run={async () => grow(await further(found, pageSize))}>{a.more}</Action>}
        <button type="button" class="plain" onClick={() => save('log.csv', 'text/csv;charset=utf-8', [csvOf(found.lines)])}>{a.saveList}</button>
      </div>
    </>
  )
}

function Form() {
  const a = auditorWords.value
  const typed = useSignal<Fields>(searched.value)
  const bound = (name: keyof Fields) => ({
    name, autocomplete: 'off', spellcheck: false, value: typed.value[name],
    onInput: (e: { currentTarget: HTMLInputElement }) => {
      typed.value = { ...typed.value, [name]: e.currentTarget.value.trim() }
    },
  })
  return (
    <form
      class="filter"
      role="search"
      onSubmit={(e) => {
        e.preventDefault()
        searched.value = { ...typed.value }
      }}
    >
      <label>{a.patient}<input {...bound('patient')} /></label>
      <label>{a.actor}<input {...bound('actor')} /></label>
      <label>{a.record}<input {...bound('record')} /></label>
      <label>{a.unlock}<input {...bound('unlock')} /></label>
      <label>
        {a.hospital}
        <select name="hospital" value={typed.value.hospital} onChange={(e) => (typed.value = { ...typed.value, hospital: e.currentTarget.value })}>
          <option value="">{a.anyHospital}</option>
          {[...hospitals.value].map(([number, name]) => <option key={String(number)} value={String(number)}>{name}</option>)}
        </select>
      </label>
      <label>{a.kind}<input list="kinds" {...bound('kind')} /></label>
      <label>{a.purpose}<input list="purposes" {...bound('purpose')} /></label>
      <label>{a.from}<input type="date" {...bound('from')} /></label>
      <label>{a.to}<input type="date" {...bound('to')} /></label>
      <datalist id="kinds">{kinds.map((kind) => <option key={kind} value={kind} />)}</datalist>
      <datalist id="purposes">{purposes.map((purpose) => <option key={purpose} value={purpose} />)}</datalist>
      <div class="buttons">
        <button type="submit" class="main">{a.search}</button>
        <button type="button" class="plain" onClick={() => ([typed.value, searched.value] = [noFields, { ...noFields }])}>{a.clear}</button>
      </div>
    </form>
  )
}

function Charts({ client }: { client: Client }) {
  const a = auditorWords.value
  const drawn = useSignal<{ of: Fields; tally: Tally } | undefined>(undefined)
  const draw = async () => {
    const of = searched.value
    drawn.value = { of, tally: tallyOf((await further(start(client, of), mostCharted)).lines) }
  }
  return (
    <details>
      <summary>{a.charts}</summary>
      <p>{a.chartsText}</p>
      <Action kind="plain" run={draw}>{a.draw}</Action>
      {drawn.value !== undefined && drawn.value.of === searched.value && <Drawn tally={drawn.value.tally} />}
    </details>
  )
}

function Drawn({ tally }: { tally: Tally }) {
  const a = auditorWords.value
  const [top] = tally.days.toSorted((one, other) => other.count - one.count)
  if (top === undefined) return <p>{a.none}</p>
  const summary = a.daySummary(tally.days.length, tally.days.reduce((sum, day) => sum + day.count, 0), top.name, top.count)
  const hospitalName = (number: string) => (number === '0' ? a.noHospital : (hospitals.value.get(BigInt(number)) ?? number))
  return (
    <div class="charts">
      <figure>
        <figcaption>{a.byDay}: {summary}</figcaption>
        <Columns counts={tally.days} summary={summary} />
        <p class="ends"><span>{tally.days[0]?.name}</span><span>{tally.days.at(-1)?.name}</span></p>
      </figure>
      <Bars title={a.byKind} unit={a.count} counts={tally.kinds} />
      <Bars title={a.byHospital} unit={a.count} counts={tally.hospitals.map(({ name, count }) => ({ name: hospitalName(name), count }))} />
      {tally.readers.length > 0 && (
        <>
          <Bars title={a.busiest} unit={a.patients} counts={tally.readers.map(({ day, actor, count }) => ({ name: `${day} …${actor.slice(-8)}`, count }))} />
          <p>{a.busiestText}</p>
        </>
      )}
    </div>
  )
}
