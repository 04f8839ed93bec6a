import type { Line } from './line'

const columns = ['sequence', 'height', 'time', 'kind', 'actor', 'role', 'hospital', 'patient', 'records', 'target', 'unlock', 'purpose', 'outcome', 'reason', 'count'] as const

/** csvOf is a table of entries (RFC 4180), with times in UTC. A cell that a spreadsheet would take for a formula begins with an apostrophe. */
export function csvOf(lines: readonly Line[]): string {
  return [columns.join(','), ...lines.map((line) => cellsOf(line).map(cell).join(',')), ''].join('\r\n')
}

function cellsOf(line: Line): string[] {
  const records = line.subjects.map(({ record, version }) => (version === 0n ? record : `${record}/${version}`)).join(' ')
  return [
    String(line.sequence), String(line.height), new Date(Number(line.time) * 1000).toISOString(), line.kind, line.actor, line.role, String(line.hospital), line.patient,
    records, line.target, line.unlock, line.purpose, line.isRefused ? 'refused' : 'ok', line.reason, String(line.count),
  ]
}

function cell(text: string): string {
  const plain = /^[=+\-@\t\r\n|]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
