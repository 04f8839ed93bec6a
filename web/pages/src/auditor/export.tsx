import { useComputed, useSignal } from '@preact/signals'
import type { Claim } from '#sdk/audit/export.js'
import type { Client } from '#sdk/client.js'
import { reportLines } from '#verify/report.js'
import { Action } from '../view/action'
import { auditorWords } from '../words/auditor/words'
import { filterOf, searched, timesOf } from './filter'
import { type Made, makeFile } from './made'
import { save } from './save'
import { ScopeNote, useScope } from './scope'

type What = Claim['kind']

/** Export makes the file that proves entries of the log to somebody who trusts no hospital. */
export function Export({ client }: { client: Client }) {
  const a = auditorWords.value
  const scope = useScope(client)
  // Who sees a part of the log can't say that a part is all.
  const isPart = scope.value !== undefined && !scope.value.all
  const chosen = useSignal<What>('period')
  const what = useComputed<What>(() => (scope.value !== undefined && !scope.value.all ? 'selection' : chosen.value))
  const [from, to, patient] = [useSignal(''), useSignal(''), useSignal('')]
  const [count, made] = [useSignal(0), useSignal<Made | undefined>(undefined)]
  const choice = (kind: What, text: string) => (
    <label class="choice"><input type="radio" name="what" checked={what.value === kind} onChange={() => (chosen.value = kind)} /> {text}</label>
  )
  const make = async () => {
    ;[made.value, count.value] = [undefined, 0]
    const claim = claimOf(what.value, { from: from.value, to: to.value, patient: patient.value })
    made.value = await makeFile(client, claim, () => count.value++)
  }
  return (
    <section>
      <h1>{a.exports}</h1>
      <p>{a.exportText}</p>
      <ScopeNote client={client} />
      <div class="fields">
        <fieldset>
          <legend>{a.what}</legend>
          {!isPart && choice('period', a.period)}
          {!isPart && choice('patient', a.ofPatient)}
          {choice('selection', a.ofSearch)}
        </fieldset>
        {what.value === 'period' && (
          <>
            <label>{a.from}<input type="date" value={from.value} onInput={(e) => (from.value = e.currentTarget.value)} /></label>
            <label>{a.to}<input type="date" value={to.value} onInput={(e) => (to.value = e.currentTarget.value)} /></label>
          </>
        )}
        {what.value === 'patient' && (
          <label>{a.patient}<input class="long" autocomplete="off" spellcheck={false} value={patient.value} onInput={(e) => (patient.value = e.currentTarget.value.trim())} /></label>
        )}
      </div>
      <Action run={make}>{a.makeExport}</Action>
      <div aria-live="polite">
        {count.value > 0 && made.value === undefined && <p>{a.exporting(count.value)}</p>}
        {made.value !== undefined && <Ready made={made.value} name={what.value} />}
      </div>
    </section>
  )
}

function Ready({ made: { file, report, trust }, name }: { made: Made; name: string }) {
  const a = auditorWords.value
  return (
    <div class="verdict passed">
      <h2>{a.exported(String(report.entries))}</h2>
      <dl translate={false}>
        {reportLines(report, trust, a.report).flatMap(([word, text], i) => [<dt key={`${i} word`}>{word}</dt>, <dd key={`${i} text`}>{text}</dd>])}
      </dl>
      <p>{a.compareGenesis}</p>
      <button type="button" class="main" onClick={() => save(`${name}.ndjson`, 'application/x-ndjson', [file])}>{a.saveExport}</button>
    </div>
  )
}

function claimOf(what: What, typed: { from: string; to: string; patient: string }): Claim {
  const a = auditorWords.value
  if (what === 'period') return { kind: 'period', ...timesOf(typed) }
  if (what === 'patient') {
    if (typed.patient === '') throw new Error(a.needPatient)
    return { kind: 'patient', patient: typed.patient }
  }
  const { purpose, ...filter } = filterOf(searched.value)
  if (purpose !== '' || Object.values(filter).every((value) => !value)) throw new Error(a.needFilter)
  return { kind: 'selection', filter }
}
