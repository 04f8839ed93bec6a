import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { HandOver } from '#sdk/generated/phrd/access/v1/hand_over_pb.js'
import { handOverOf, monthStart, setHandOver } from '#sdk/recovery/handover.js'
import { refreshed } from '../live'
import { Action, Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import { timeText } from '../words/words'
import type { Open } from './pages'

/** HandOverPage says whose wallet this is, and lets parents say when theirs ends. */
export function HandOverPage({ open: { client, patient } }: { open: Open }) {
  const w = patientWords.value
  const said = useSignal('')
  return (
    <section>
      <h1>{w.handOver}</h1>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => handOverOf(client, patient)} again={refreshed.value}>
        {(found) => (
          <>
            <p class="note">{found === undefined ? w.ownWallet : endText(found)}</p>
            {found?.representative !== true && (
              <End client={client} done={() => {
                said.value = w.handOverSet
                refreshed.value++
              }} />
            )}
          </>
        )}
      </Loaded>
    </section>
  )
}

function endText({ due, representative }: HandOver): string {
  const w = patientWords.value
  return representative ? w.representsUntil(timeText(due)) : w.parentsUntil(timeText(due))
}

/** EndNote says until when the wallet is somebody else's; nothing where it is the patient's own. */
export function EndNote({ open: { client, patient } }: { open: Open }) {
  return (
    <Loaded ask={() => handOverOf(client, patient)} again={refreshed.value}>
      {(found) => found === undefined ? null : <p class="note">{endText(found)}{!found.representative && <> <a href="#/hand-over">{patientWords.value.handOver}</a></>}</p>}
    </Loaded>
  )
}

// What can't be taken back is shown once more, as the network will read it.
function End({ client, done }: { client: Client; done: () => void }) {
  const w = patientWords.value
  const month = useSignal('')
  const on = useSignal<bigint | undefined>(undefined)
  const chosen = on.value
  if (chosen !== undefined) {
    return (
      <article aria-label={w.handOverSign}>
        <p><strong>{w.handOverSure(timeText(chosen))}</strong></p>
        <p>{w.handOverWords}</p>
        <div class="buttons">
          <Action kind="danger" run={async () => {
            await setHandOver(client, chosen)
            on.value = undefined
            done()
          }}>{w.handOverSign}</Action>
          <button type="button" class="plain" onClick={() => (on.value = undefined)}>{w.cancel}</button>
        </div>
      </article>
    )
  }
  return (
    <article class="form" aria-label={w.handOver}>
      <p>{w.handOverText}</p>
      <p>{w.handOverWords}</p>
      <label for="end-month">{w.handOverMonth}</label>
      <input id="end-month" type="month" placeholder="2031-05" value={month.value} onInput={(e) => (month.value = e.currentTarget.value)} />
      <p class="small">{w.handOverHint}</p>
      <div class="buttons"><Action disabled={month.value === ''} run={async () => void (on.value = monthStart(month.value))}>{w.handOverNext}</Action></div>
    </article>
  )
}
