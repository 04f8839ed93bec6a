import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { consentFor, useConsent } from '#sdk/consents/use.js'
import type { OpenedFile } from '#sdk/content/file.js'
import { type Unlock, UnlockStatus } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { withdraw } from '#sdk/unlock/approve.js'
import { isOpen } from '#sdk/unlock/checked.js'
import { unlocks } from '#sdk/unlock/inbox.js'
import { holdsSession } from '#sdk/unlock/session.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { Viewer } from '../../viewer/viewer'
import { hospitalWords } from '../../words/hospital/words'
import { timeText, words } from '../../words/words'
import { Openings } from '../opening'
import type { Person } from '../staff'

const mostShown = 50

interface Request {
  readonly unlock: Unlock
  readonly status: UnlockStatus
  /** Whether this device can open it. */
  readonly isHere: boolean
}

async function ownRequests(client: Client): Promise<Request[]> {
  const found: Request[] = []
  for await (const { unlock, status } of unlocks(client, { requester: client.signer.address })) {
    // An emergency is shown as what it is, and not by the unlocks that it consists of.
    if (unlock !== undefined && unlock.emergency === '') found.push({ unlock, status, isHere: await holdsSession(client.secrets, unlock.id) })
    if (found.length === mostShown) break
  }
  return found
}

/** OwnRequests is what a clinician asked for, and how it stands. */
export function OwnRequests({ client }: Person) {
  const w = hospitalWords.value
  const opened = useSignal<OpenedFile | undefined>(undefined)
  if (opened.value !== undefined) return <Viewer file={opened.value} close={() => (opened.value = undefined)} />
  return (
    <section>
      <h1>{w.ownRequests}</h1>
      <Loaded ask={() => ownRequests(client)} again={refreshed.value}>
        {(found) => (
          <>
            {found.length === 0 && <p>{w.nothingAsked}</p>}
            <ul class="cards">
              {found.map((request) => <li key={request.unlock.id}><RequestCard client={client} request={request} show={(file) => (opened.value = file)} /></li>)}
            </ul>
            {found.length === mostShown && <p>{w.newestOnly(mostShown)}</p>}
          </>
        )}
      </Loaded>
    </section>
  )
}

// byConsent has a consent stand in for the patient, where one does, and says what came of it.
async function byConsent(client: Client, unlock: string): Promise<string> {
  const consent = await consentFor(client, unlock)
  if (consent === undefined) return hospitalWords.value.noConsentFits
  await useConsent(client, unlock, consent.number)
  refreshed.value++
  return hospitalWords.value.consented
}

function RequestCard({ client, request, show }: { client: Client; request: Request; show: (file: OpenedFile) => void }) {
  const w = hospitalWords.value
  const { unlock, status, isHere } = request
  const said = useSignal('')
  const name = UnlockStatus[status]
  const isApproved = status === UnlockStatus.APPROVED || status === UnlockStatus.RELEASED
  return (
    <article aria-label={unlock.id.slice(0, 8)}>
      <dl>
        <dt>{words.value.status}</dt><dd><span role="status">{w.statuses[name] ?? name}</span></dd>
        <dt>{words.value.purpose}</dt><dd>{words.value.purposes[unlock.purpose] ?? unlock.purpose}</dd>
        <dt>{w.asked}</dt><dd>{timeText(unlock.proposedAt)}</dd>
        <dt>{words.value.until}</dt><dd>{timeText(unlock.expiresAt)}</dd>
      </dl>
      <Openings client={client} unlock={unlock.id} versions={unlock.versions} isOpen={isApproved && isHere} show={show} />
      {isApproved && !isHere && <p class="note">{w.otherDevice}</p>}
      <p role="status" aria-live="polite">{said.value}</p>
      {isOpen(status) && (
        <div class="buttons">
          {status === UnlockStatus.ENDORSED && isHere && <Action run={async () => void (said.value = await byConsent(client, unlock.id))}>{w.byConsent}</Action>}
          <Action
            kind="plain"
            run={async () => {
              await withdraw(client, unlock.id)
              refreshed.value++
            }}
          >
            {isApproved ? w.closeRequest : words.value.withdraw}
          </Action>
        </div>
      )}
    </article>
  )
}
