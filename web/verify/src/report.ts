import type { Report } from './verify.js'
import type { Trust } from './trust.js'

/** ReportWords are the texts of a report in one language. */
export interface ReportWords {
  readonly names: Readonly<Record<'chain' | 'network' | 'entries' | 'log' | 'witness' | 'block' | 'signed' | 'trusted', string>>
  readonly patient: (entries: string, patient: string, height: string) => string
  readonly period: (entries: string, from: string | undefined, until: string) => string
  readonly growth: (size: string) => string
  readonly selection: (entries: string) => string
  readonly log: (size: string, root: string) => string
  readonly witness: (name: string, size: string, height: string, signed: string | undefined) => string
  readonly block: (height: string, time: string, hash: string) => string
  readonly signed: (votes: string, of: string) => string
  readonly genesis: (hash: string) => string
  readonly trusted: (height: string, hash: string) => string
}

/** english are the words of `phrd audit verify`. */
export const english: ReportWords = {
  names: { chain: 'chain', network: 'network', entries: 'entries', log: 'log', witness: 'witness', block: 'block', signed: 'signed', trusted: 'trusted' },
  patient: (entries, patient, height) => `${entries}, all about patient ${patient} up to block ${height}`,
  period: (entries, from, until) => `${entries}, all from ${from ?? 'the beginning of the log'} until ${until}`,
  growth: (size) => `none; the log of ${size} goes on`,
  selection: (entries) => `${entries}, a selection: there may be others that match`,
  log: (size, root) => `${size} entries, root ${root}`,
  witness: (name, size, height, signed) =>
    `${name}, the log up to entry ${size} at block ${height}, ${signed === undefined ? 'whose key was not given' : `signed ${signed}`}`,
  block: (height, time, hash) => `${height} of ${time}, ${hash}`,
  signed: (votes, of) => `with ${votes} of ${of} votes`,
  genesis: (hash) => `the genesis file, ${hash}`,
  trusted: (height, hash) => `block ${height}, ${hash}`,
}

/** reportLines say to people what a file proves and under what it was verified, each a word and what it stands for. */
export function reportLines({ tip, seen, ...report }: Report, trust: Trust, words = english): [string, string][] {
  const { names } = words
  const { header } = tip.block
  const lines: [string, string][] = [[names.chain, header.chainID]]
  if ('network' in trust.from) lines.push([names.network, hex(trust.from.network)])
  lines.push([names.entries, entriesText({ tip, seen, ...report }, words)])
  if ('root' in report.state && report.state.size > 0n) lines.push([names.log, words.log(String(report.state.size), hex(report.state.root))])
  for (const { checkpoint, cosignatures } of seen) {
    for (const { name, witness, time } of cosignatures) {
      lines.push([names.witness, words.witness(name, String(checkpoint.size), String(checkpoint.height), witness === undefined ? undefined : timeText(time))])
    }
  }
  const trusted = 'hash' in trust.from && 'height' in trust.from ? words.trusted(String(trust.from.height), hex(trust.from.hash)) : words.genesis(hex(trust.from.hash))
  lines.push([names.block, words.block(String(header.height), timeText(header.time.seconds), hex(tip.hash))])
  lines.push([names.signed, words.signed(String(tip.signed.votes), String(tip.signed.allVotes))])
  return [...lines, [names.trusted, trusted]]
}

function entriesText({ head, entries, tip, until }: Report, words: ReportWords): string {
  const found = String(entries)
  switch (head.kind) {
    case 'patient':
      return words.patient(found, head.patient, String(tip.block.header.height))
    case 'period':
      return words.period(found, head.from === 0n ? undefined : timeText(head.from), timeText(until))
    case 'growth':
      return words.growth(String(head.size))
    case 'selection':
      return words.selection(found)
  }
}

function timeText(seconds: bigint): string {
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
