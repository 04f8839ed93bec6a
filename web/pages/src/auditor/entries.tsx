import type { ComponentChildren } from 'preact'
import { hospitals } from '../session'
import { timeText, words } from '../words/words'
import { auditorWords } from '../words/auditor/words'
import type { Line } from './line'

/** Entries is a list of entries, each with everything that it says. */
export function Entries({ lines }: { lines: readonly Line[] }) {
  return (
    <ol class="log entries">
      {lines.map((line) => <EntryItem key={String(line.sequence)} line={line} />)}
    </ol>
  )
}

function EntryItem({ line }: { line: Line }) {
  const [w, a] = [words.value, auditorWords.value]
  const records = line.subjects.map(({ record, version }) => (version === 0n ? record : `${record}/${version}`))
  return (
    <li>
      <p>
        <time datetime={new Date(Number(line.time) * 1000).toISOString()}>{timeText(line.time)}</time>
        <strong>{w.kinds[line.kind] ?? line.kind}</strong>
        {line.isRefused && <em>{a.refused}: {line.reason}</em>}
        <span class="number">#{String(line.sequence)}</span>
      </p>
      <dl>
        <Fact name={a.actor}>{line.actor === '' ? a.network : `${line.actor} (${w.roles[line.role] ?? line.role}${hospitalText(line)})`}</Fact>
        <Fact name={a.patient}>{line.patient}</Fact>
        <Fact name={a.record}>{records.join(', ')}</Fact>
        <Fact name={a.target}>{line.target}</Fact>
        <Fact name={a.unlock}>{line.unlock}</Fact>
        <Fact name={a.purpose}>{line.purpose === '' ? '' : `${line.purpose}${w.purposes[line.purpose] === undefined ? '' : `, ${w.purposes[line.purpose]}`}`}</Fact>
        <Fact name={a.quantity}>{line.count === 0n ? '' : String(line.count)}</Fact>
      </dl>
    </li>
  )
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === '') return null
  return (
    <>
      <dt>{name}</dt>
      <dd translate={false}>{children}</dd>
    </>
  )
}

function hospitalText({ hospital }: Line): string {
  return hospital === 0n ? '' : `, ${hospitals.value.get(hospital) ?? hospital}`
}
