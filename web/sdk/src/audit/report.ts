import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { fieldOf, numberOf, textOf } from '../gateway/gateway.js'

// A gateway verifies the whole export before it answers, in milliseconds.
const reportTime = 300_000

/** Finding is a row of the table that a report is: what was found, and the columns that it fills, as text. */
export interface Finding {
  readonly finding: 'mass_reading' | 'after_hours' | 'emergency_unreviewed' | 'refused' | 'entries' | 'reads'
  /** The day in the hospital's time zone; of after_hours with the time of the first read. */
  readonly day: string
  readonly account: string
  readonly role: string
  readonly hospital: string
  readonly patient: string
  readonly kind: string
  readonly reason: string
  /** The sequence of the first entry. */
  readonly entry: string
  readonly count: string
  /** The medians of the reader's other days, and of the days of others with the role in the hospital. */
  readonly ownMedian: string
  readonly peerMedian: string
}

/** AuditReport is what officers and auditors should look at in the log of a time, by the thresholds that stand in it. */
export interface AuditReport {
  /** The period in unix seconds, from inclusive, 0 for the beginning of the log, to exclusive. */
  readonly from: bigint
  readonly until: bigint
  readonly entries: bigint
  /** The SHA-256 of the export, in hex. */
  readonly export: string
  readonly massPatients: number
  readonly massFactor: number
  /** Hours of the day; reads at others are after hours. */
  readonly dayFrom: number
  readonly dayTo: number
  /** IANA time zones by the number of the hospital. */
  readonly zones: ReadonlyMap<string, string>
  readonly findings: readonly Finding[]
}

/** auditReport has a gateway verify an export of a time and make its report, as an auditor. Whoever has the export makes the same report with the command. A file that proves nothing, or is not of a time, is answered with a Problem. */
export async function auditReport(client: Client, file: Blob): Promise<AuditReport> {
  const said: unknown = await (await ask(client, file, 'json')).json()
  const rules = fieldOf(said, 'rules')
  const list = fieldOf(said, 'findings')
  if (!Array.isArray(list)) throw new PhrdError('answer', 'a report has no list of findings')
  const zones = Object.entries(fieldOf(said, 'zones') ?? {}).map(([hospital, zone]): [string, string] => [hospital, String(zone)])
  return {
    from: numberOf(said, 'from'), until: numberOf(said, 'until'), entries: numberOf(said, 'entries'), export: textOf(said, 'export_sha256'),
    massPatients: Number(numberOf(rules, 'mass_patients')), massFactor: Number(numberOf(rules, 'mass_factor')), dayFrom: Number(numberOf(rules, 'day_from')), dayTo: Number(numberOf(rules, 'day_to')),
    zones: new Map(zones), findings: list.map(readFinding),
  }
}

/** auditReportFile is auditReport as a file: a page that prints, or a table. It is the one that the command makes of the same export, to the byte. */
export async function auditReportFile(client: Client, file: Blob, format: 'html' | 'csv'): Promise<Blob> {
  return (await ask(client, file, format)).blob()
}

async function ask(client: Client, file: Blob, format: string): Promise<Response> {
  const init = { body: file, headers: { 'Content-Type': 'application/x-ndjson' }, signal: AbortSignal.timeout(reportTime) }
  return client.gateways.try((gateway) => gateway.request('POST', `/audit-reports?format=${format}`, init))
}

const kinds: readonly string[] = ['mass_reading', 'after_hours', 'emergency_unreviewed', 'refused', 'entries', 'reads'] satisfies Finding['finding'][]

function readFinding(row: unknown): Finding {
  const finding = textOf(row, 'finding')
  if (!isFinding(finding)) throw new PhrdError('answer', `a report finds ${finding}`)
  const cell = (column: string) => (fieldOf(row, column) === undefined ? '' : textOf(row, column))
  return {
    finding, day: cell('day'), account: cell('account'), role: cell('role'), hospital: cell('hospital'), patient: cell('patient'), kind: cell('kind'), reason: cell('reason'),
    entry: cell('entry'), count: cell('count'), ownMedian: cell('own_median'), peerMedian: cell('peer_median'),
  }
}

function isFinding(text: string): text is Finding['finding'] {
  return kinds.includes(text)
}
