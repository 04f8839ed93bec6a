import { useSignal } from '@preact/signals'
import { collect } from '#sdk/pages.js'
import { approveErasure, erasureRequests } from '#sdk/records/erase.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText, words } from '../../words/words'
import type { Person } from '../staff'

/** Erasures is what waits for the counter-signature of an officer before it is erased. */
export function Erasures({ client, hospital }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  return (
    <section>
      <h1>{w.erasures}</h1>
      <p>{w.erasuresText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => collect(erasureRequests(client, hospital))} again={refreshed.value}>
        {(found) => (
          <>
            {found.length === 0 && <p>{w.noErasures}</p>}
            <ul class="cards">
              {found.map((request) => (
                <li key={String(request.number)}>
                  <article aria-label={w.erasure(String(request.number))}>
                    <h2>{w.erasure(String(request.number))}</h2>
                    <dl>
                      <dt>{w.askedBy}</dt><dd class="long">{request.by}</dd>
                      <dt>{w.patientNumber}</dt><dd class="long">{request.patient === '' ? w.hospitalsOwn : request.patient}</dd>
                      <dt>{words.value.records}</dt><dd class="long">{request.versions.join(', ')}</dd>
                      <dt>{w.asked}</dt><dd>{timeText(request.at)}</dd>
                    </dl>
                    {request.by === client.signer.address ? <p>{w.askedByYou}</p> : (
                      <div class="buttons">
                        <Action
                          kind="danger"
                          run={async () => {
                            await approveErasure(client, request.number)
                            said.value = w.erasedNow
                            refreshed.value++
                          }}
                        >
                          {w.approveErasure}
                        </Action>
                      </div>
                    )}
                  </article>
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  )
}
