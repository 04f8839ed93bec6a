import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Client } from '#sdk/client.js'
import { type Unlock, UnlockStatus } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { approve, deny, unfinished, withdraw } from '#sdk/unlock/approve.js'
import { isOpen } from '#sdk/unlock/checked.js'
import { unlocks } from '#sdk/unlock/inbox.js'
import { ownReading, review, type Review } from '#sdk/unlock/review.js'
import { refText } from '#sdk/records/ref.js'
import type { Vault } from '#sdk/vault/open.js'
import { refreshed } from '../live'
import { AsConsent } from '../patient/grant'
import { walletWords } from '../words/wallet/words'
import { timeText, words } from '../words/words'
import { Action, Loaded } from './action'

interface Request {
  readonly unlock: Unlock
  readonly status: UnlockStatus
  /** It was approved here, and its capsule is here still. */
  readonly isUnfinished: boolean
}

async function openRequests(client: Client, patient: string): Promise<Request[]> {
  const [found, kept]: [Request[], ReadonlySet<string>] = [[], await unfinished(client)]
  for await (const { unlock, status } of unlocks(client, { patient })) {
    // An emergency is shown as what it is, and not by the unlocks that it consists of.
    if (unlock !== undefined && unlock.emergency === '' && isOpen(status)) found.push({ unlock, status, isUnfinished: isApproved(status) && kept.has(unlock.id) })
  }
  return found
}

function isApproved(status: UnlockStatus): boolean {
  return status === UnlockStatus.APPROVED || status === UnlockStatus.RELEASED
}

/** Requests is the inbox: who asks for what, why and until when; the children are what comes before. */
export function Requests({ client, patient, vault, children }: { client: Client; patient: string; vault: Vault; children?: ComponentChildren }) {
  const w = words.value
  const said = useSignal('')
  return (
    <section>
      <h1>{w.requests}</h1>
      {children}
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => openRequests(client, patient)} again={refreshed.value}>
        {(found) => (
          <>
            {found.length === 0 && <p>{w.noRequests}</p>}
            <ul class="cards">
              {found.map((request) => (
                <li key={request.unlock.id}>
                  <RequestCard client={client} request={request} vault={vault} said={(text) => (said.value = text)} />
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function RequestCard({ client, request: { unlock, status, ...request }, vault, said }: { client: Client; request: Request; vault: Vault; said: (text: string) => void }) {
  const w = words.value
  const seen = useSignal<Review | undefined>(undefined)
  const approving = useSignal(false)
  const isUnfinished = request.isUnfinished && !approving.value
  const name = UnlockStatus[status]
  const after = (text: string) => {
    said(text)
    seen.value = undefined
    refreshed.value++
  }
  return (
    <article aria-label={unlock.id.slice(0, 8)}>
      <dl>
        <dt>{w.status}</dt><dd>{w.statuses[name] ?? name}</dd>
        <dt>{w.purpose}</dt><dd>{w.purposes[unlock.purpose] ?? unlock.purpose}</dd>
        <dt>{w.records}</dt><dd>{unlock.versions.length}</dd>
        <dt>{w.until}</dt><dd>{timeText(unlock.expiresAt)}</dd>
      </dl>
      {isUnfinished && <p class="note">{walletWords.value.unfinished}</p>}
      {((status === UnlockStatus.ENDORSED && seen.value === undefined) || isUnfinished) && (
        <Action run={async () => void (seen.value = await review(client, unlock.id))}>{w.check}</Action>
      )}
      {seen.value !== undefined && <Reviewed review={seen.value} />}
      {status === UnlockStatus.ENDORSED && <AsConsent unlock={unlock} />}
      <div class="buttons">
        {seen.value !== undefined && (
          <Action
            run={async () => {
              said('')
              approving.value = true
              try {
                if (seen.value !== undefined) await approve(client, seen.value, vault)
              } finally {
                approving.value = false
              }
              after(w.approvedNow)
            }}
          >
            {isUnfinished ? walletWords.value.finish : w.approve}
          </Action>
        )}
        {(status === UnlockStatus.PROPOSED || status === UnlockStatus.ENDORSED) && (
          <Action
            kind="danger"
            run={async () => {
              await deny(client, unlock.id)
              after(w.deniedNow)
            }}
          >
            {w.deny}
          </Action>
        )}
        {isApproved(status) && (
          <Action
            kind="danger"
            run={async () => {
              await withdraw(client, unlock.id)
              after(w.withdrawnNow)
            }}
          >
            {w.withdraw}
          </Action>
        )}
      </div>
    </article>
  )
}

/** Reviewed shows what was checked of an unlock. Only what two hospitals showed alike stands here. */
export function Reviewed({ review: r }: { review: Review }) {
  const w = words.value
  return (
    <div class="reviewed">
      <h2>{r.hospital === ownReading ? w.ownReading : w.asks(r.hospital)}</h2>
      <dl>
        <dt>{w.requester}</dt><dd class="long">{r.requester}</dd>
        <dt>{w.records}</dt><dd class="long">{r.versions.map(refText).join(', ')}</dd>
        <dt>{w.endorsed}</dt><dd class="long">{r.endorsedBy.join(', ')}</dd>
      </dl>
      <h3>{w.checks}: {r.witnesses.join(', ')}</h3>
      <ul class="checks">
        {r.checks.map((check) => (
          <li key={check.name} class={check.passed ? 'passed' : 'failed'}>
            <span>{w.checkNames[check.name] ?? check.name}</span> <strong>{check.passed ? w.passed : `${w.notPassed}: ${check.why}`}</strong>
          </li>
        ))}
      </ul>
    </div>
  )
}
