import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { type Entry, Outcome } from '#sdk/generated/phrd/audit/v1/entry_pb.js'
import { log } from '#sdk/records/log.js'
import { refreshed } from '../live'
import { hospitals } from '../session'
import { timeText, words } from '../words/words'
import { Loaded } from './action'

const pageSize = 50

async function some(client: Client, patient: string, kind: string, limit: number): Promise<{ entries: Entry[]; isAll: boolean }> {
  const entries: Entry[] = []
  for await (const entry of log(client, kind === '' ? { patient } : { patient, kind })) {
    if (entries.length === limit) return { entries, isAll: false }
    entries.push(entry)
  }
  return { entries, isAll: true }
}

/** Log tells who did what with the patient's records, newest first. */
export function Log({ client, patient }: { client: Client; patient: string }) {
  const w = words.value
  const onlyLooks = useSignal(false)
  const limit = useSignal(pageSize)
  return (
    <section>
      <h1>{w.log}</h1>
      <p>{w.logText}</p>
      <label class="choice">
        <input type="checkbox" checked={onlyLooks.value} onChange={(e) => (onlyLooks.value = e.currentTarget.checked)} /> {w.onlyLooks}
      </label>
      <Loaded ask={() => some(client, patient, onlyLooks.value ? 'opened' : '', limit.value)} again={`${refreshed.value} ${onlyLooks.value} ${limit.value}`}>
        {({ entries, isAll }) => (
          <>
            {entries.length === 0 && <p>{w.nothing}</p>}
            <ol class="log">
              {entries.map((entry) => <LogEntry key={String(entry.sequence)} entry={entry} own={client.signer.address} />)}
            </ol>
            {!isAll && <button type="button" class="plain" onClick={() => (limit.value += pageSize)}>{w.more}</button>}
          </>
        )}
      </Loaded>
    </section>
  )
}

function actorText(entry: Entry, own: string): string {
  const w = words.value
  if (entry.actor === own) return w.you
  if (entry.actor === '') return w.theNetwork
  const hospital = entry.hospital === 0n ? '' : `, ${hospitals.value.get(entry.hospital) ?? entry.hospital}`
  return `${w.roles[entry.role] ?? entry.role}${hospital} (…${entry.actor.slice(-6)})`
}

function LogEntry({ entry, own }: { entry: Entry; own: string }) {
  const w = words.value
  return (
    <li>
      <time datetime={new Date(Number(entry.time) * 1000).toISOString()}>{timeText(entry.time)}</time>
      <strong>{actorText(entry, own)}</strong>
      <span>{w.kinds[entry.kind] ?? entry.kind}</span>
      {entry.outcome === Outcome.REFUSED && <em>{w.refusedEntry}: {entry.reason}</em>}
      {entry.target.endsWith('/server_restarted') && <span>{w.serverRestarted}</span>}
      {entry.purpose !== '' && <span>{w.purposes[entry.purpose] ?? entry.purpose}</span>}
      <span class="number">#{String(entry.sequence)}</span>
    </li>
  )
}
