import { useSignal } from '@preact/signals'
import { askForAll, dueRelocks, forgetAll, type RelocksDue, wanted } from '#sdk/records/due.js'
import type { Ref } from '#sdk/records/ref.js'
import { relock } from '#sdk/records/relock.js'
import { refreshed } from '../live'
import { Action, Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import type { Open } from './pages'
import { WorkBar } from './progress'
import { ShutText } from './shut'
import { Work } from './work'

const relocking = new Work()

/** RelockPage locks records anew: after a theft, when a consent has ended, and when the hospitals have another key. */
export function RelockPage({ open }: { open: Open }) {
  const w = patientWords.value
  const said = useSignal('')
  const { client, vault } = open
  const lock = async (refs: readonly Ref[]) => {
    said.value = ''
    try {
      const isWhole = await relocking.run((signal, tell) => {
        tell({ done: 0, all: refs.length })
        return relock(client, vault, refs, { signal, tell: (done) => tell({ done, all: refs.length }) })
      })
      if (!isWhole) return
      await forgetAll(client)
      said.value = w.relockDone(refs.length)
    } finally {
      refreshed.value++
    }
  }
  return (
    <section>
      <h1>{w.relock}</h1>
      <p>{w.relockText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <WorkBar work={relocking} say={w.relocked} />
      <Loaded ask={() => dueRelocks(client, vault)} again={refreshed.value}>
        {(due) => (
          <>
            <Due due={due} lock={() => lock(wanted(due))} leave={async () => {
              await forgetAll(client)
              refreshed.value++
            }} />
            {due.all.length > 0 && due.asked.length === 0 && (
              <Stolen all={due.all} lock={async () => {
                await askForAll(client)
                await lock(due.all)
              }} />
            )}
            <ShutText count={due.shut.length} />
          </>
        )}
      </Loaded>
    </section>
  )
}

function Due({ due, lock, leave }: { due: RelocksDue; lock: () => Promise<void>; leave: () => Promise<void> }) {
  const w = patientWords.value
  const isBusy = relocking.progress.value !== undefined
  const all = wanted(due)
  if (all.length === 0) return <p class="note">{w.nothingDue}</p>
  return (
    <article aria-label={w.relockNow(all.length)}>
      {due.ended.length > 0 && <p>{w.dueEnded(due.ended.length)}</p>}
      {due.former.length > 0 && <p>{w.dueFormer(due.former.length)}</p>}
      {due.asked.length > 0 && <p>{w.dueAsked(due.asked.length)}</p>}
      {due.waiting.length > 0 && !isBusy && <p>{w.dueWaiting(due.waiting.length)}</p>}
      <p>{w.relockSigns}</p>
      <div class="buttons">
        <Action disabled={isBusy} run={lock}>{w.relockNow(all.length)}</Action>
        {due.asked.length > 0 && !isBusy && <Action kind="plain" run={leave}>{w.leaveRest}</Action>}
      </div>
    </article>
  )
}

function Stolen({ all, lock }: { all: readonly Ref[]; lock: () => Promise<void> }) {
  const w = patientWords.value
  return (
    <article aria-label={w.stolen}>
      <h2>{w.stolen}</h2>
      <p>{w.stolenText}</p>
      <p>{w.relockSigns}</p>
      <p><a href="#/vault">{w.stolenVault}</a></p>
      <div class="buttons"><Action kind="danger" disabled={relocking.progress.value !== undefined} run={lock}>{w.relockAll(all.length)}</Action></div>
    </article>
  )
}
