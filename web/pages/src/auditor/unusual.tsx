import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { type AuditReport, auditReport, auditReportFile, type Finding } from '#sdk/audit/report.js'
import type { Client } from '#sdk/client.js'
import { hospitals } from '../session'
import { Action } from '../view/action'
import { auditorWords } from '../words/auditor/words'
import { timeText, words } from '../words/words'
import { monthOf, timesOfMonth } from './filter'
import { makeFile } from './made'
import { save } from './save'
import { useScope } from './scope'

interface Found {
  readonly month: string
  readonly report: AuditReport
  readonly file: Blob
}

/** Unusual makes the report of a month: what an officer or an auditor should look at. The rules are the gateway's, which are those of the command. */
export function Unusual({ client }: { client: Client }) {
  const a = auditorWords.value
  const scope = useScope(client).value
  const month = useSignal(monthOf(new Date()))
  const [count, found] = [useSignal(0), useSignal<Found | undefined>(undefined)]
  const make = async () => {
    ;[found.value, count.value] = [undefined, 0]
    const of = month.value
    const { file } = await makeFile(client, { kind: 'period', ...timesOfMonth(of) }, () => count.value++)
    found.value = { month: of, file, report: await auditReport(client, file) }
  }
  return (
    <section>
      <h1>{a.unusual}</h1>
      <p>{a.unusualText}</p>
      {/* Of a part of the log nobody can say what is missing. */}
      {scope !== undefined && !scope.all ? <p class="scope">{a.unusualPart}</p> : (
        <>
          <div class="fields">
            <label>{a.month}<input type="month" required placeholder="2027-01" value={month.value} onInput={(e) => (month.value = e.currentTarget.value)} /></label>
          </div>
          <Action disabled={month.value === ''} run={make}>{a.makeReport}</Action>
        </>
      )}
      <div aria-live="polite">
        {count.value > 0 && found.value === undefined && <p>{a.exporting(count.value)}</p>}
      </div>
      {found.value !== undefined && <Report client={client} found={found.value} />}
    </section>
  )
}

function Report({ client, found: { month, report: r, file } }: { client: Client; found: Found }) {
  const a = auditorWords.value
  const of = (...kinds: Finding['finding'][]) => r.findings.filter(({ finding }) => kinds.includes(finding))
  const saveAs = (format: 'html' | 'csv') => async () => {
    const made = await auditReportFile(client, file, format)
    save(`report-${month}.${format}`, made.type, [made])
  }
  const zones = [...r.zones].map(([hospital, zone]) => `${hospitalText(hospital)}: ${zone}`).join(', ')
  return (
    <div class="verdict">
      <h2>{a.reportOf(month)}</h2>
      <p role="status">{a.reportEntries(String(r.entries), timeText(r.until))}</p>
      <p>{a.thresholds(r.massPatients, r.massFactor, r.dayFrom, r.dayTo)} {zones !== '' && `${a.zones} ${zones}.`}</p>
      <Section title={a.mass} rows={of('mass_reading')}>
        {(f) => <><Who f={f} /><span>{a.massFound(f.count, f.ownMedian, f.peerMedian)}</span></>}
      </Section>
      <Section title={a.afterHours} rows={of('after_hours')}>
        {(f) => <><Who f={f} /><span>{a.readsFrom(f.count, f.entry)}</span></>}
      </Section>
      <Section title={a.unreviewed} rows={of('emergency_unreviewed')}>
        {(f) => <><time>{f.day}</time><strong class="long" translate={false}>{f.patient}</strong><span class="number">#{f.entry}</span></>}
      </Section>
      <Section title={a.refusals} rows={of('refused')}>
        {(f) => <><strong>{words.value.kinds[f.kind] ?? f.kind}</strong><span translate={false}>{f.reason}</span><span>{f.hospital === '0' ? a.noHospital : hospitalText(f.hospital)}</span><span class="number">{f.count} ×</span></>}
      </Section>
      <p>{a.sameByCommand}</p>
      <div class="buttons">
        <Action run={saveAs('html')}>{a.saveReport}</Action>
        <Action kind="plain" run={saveAs('csv')}>{a.saveTable}</Action>
        <button type="button" class="plain" onClick={() => save(`log-${month}.ndjson`, 'application/x-ndjson', [file])}>{a.saveItsExport}</button>
      </div>
    </div>
  )
}

function Section({ title, rows, children }: { title: string; rows: readonly Finding[]; children: (f: Finding) => ComponentChildren }) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {rows.length === 0 ? <p>{auditorWords.value.nothingFound}</p> : <ol class="log">{rows.map((f, i) => <li key={i}>{children(f)}</li>)}</ol>}
    </section>
  )
}

function Who({ f }: { f: Finding }) {
  return (
    <>
      <time>{f.day}</time>
      <strong>{words.value.roles[f.role] ?? f.role}, {hospitalText(f.hospital)}</strong>
      <span class="long" translate={false}>{f.account}</span>
    </>
  )
}

function hospitalText(number: string): string {
  return hospitals.value.get(BigInt(number)) ?? number
}
