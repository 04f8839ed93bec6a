import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Client } from '#sdk/client.js'
import { type Recovery, RecoveryStatus, RecoveryWay } from '#sdk/generated/phrd/access/v1/recovery_pb.js'
import { approveRecoveryForHospital } from '#sdk/recovery/approve.js'
import { cancelRecovery, isOpenRecovery, recoveries, type SeenRecovery } from '#sdk/recovery/list.js'
import { type RecoveryReview, reviewRecovery } from '#sdk/recovery/review.js'
import { refreshed } from '../../live'
import { RecoveryFacts } from '../../patient/recover'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { patientWords, spanText } from '../../words/patient/words'
import { timeText } from '../../words/words'
import { hospitalName } from '../emergency'
import type { Person } from '../staff'

interface Sorted {
  readonly toApprove: readonly SeenRecovery[]
  readonly others: readonly SeenRecovery[]
}

async function sorted(client: Client, hospital: bigint): Promise<Sorted> {
  const found = { toApprove: [] as SeenRecovery[], others: [] as SeenRecovery[] }
  for await (const seen of recoveries(client, { open: true })) {
    if (mayApprove(seen, hospital)) found.toApprove.push(seen)
    else if (isOpenRecovery(seen.status)) found.others.push(seen)
  }
  return found
}

// Where guardians do not decide, officers approve, each hospital once.
function mayApprove({ recovery: r, status }: SeenRecovery, hospital: bigint): boolean {
  return r.way === RecoveryWay.HOSPITALS && status === RecoveryStatus.PROPOSED && !hasApproved(r, hospital)
}

function hasApproved(r: Recovery, hospital: bigint): boolean {
  return r.approvals.some((a) => a.hospital === hospital)
}

/** Recoveries is where an officer approves who gets a patient's account, having seen them, and stops those whom the own hospital invited. */
export function Recoveries({ client, hospital }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  const card = (seen: SeenRecovery, approves: boolean) => (
    <li key={String(seen.recovery.number)}><Card client={client} hospital={hospital} seen={seen} approves={approves} done={done} /></li>
  )
  return (
    <section>
      <h1>{w.recoveries}</h1>
      <p>{w.recoveriesText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => sorted(client, hospital)} again={refreshed.value}>
        {({ toApprove, others }) => (
          <>
            {toApprove.length === 0 ? <p>{w.noRecoveries}</p> : <h2>{w.toApprove}</h2>}
            <ul class="cards">{toApprove.map((seen) => card(seen, true))}</ul>
            {others.length > 0 && <h2>{w.otherRecoveries}</h2>}
            <ul class="cards">{others.map((seen) => card(seen, false))}</ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function Card({ client, hospital, seen, approves, done }: { client: Client; hospital: bigint; seen: SeenRecovery; approves: boolean; done: (text: string) => void }) {
  const w = hospitalWords.value
  const p = patientWords.value
  const checked = useSignal<RecoveryReview | undefined>(undefined)
  const { recovery: r } = seen
  const review = approves ? checked.value : undefined
  return (
    <article aria-label={p.recoveryNumber(String(r.number))}>
      <h3>{r.until === 0n ? w.asksForAccount : w.asksToAct(timeText(r.until))}</h3>
      <Facts seen={review ?? seen} />
      {hasApproved(r, hospital) && <p>{w.yourHospitalApproved}</p>}
      {review !== undefined && (
        <CheckList review={review} approve={async () => {
          await approveRecoveryForHospital(client, review)
          done(w.recoveryApproved)
        }} />
      )}
      <div class="buttons">
        {approves && review === undefined && <Action run={async () => void (checked.value = await reviewRecovery(client, r.number))}>{p.checkRecovery}</Action>}
        {r.inviter === hospital && (
          <Action kind="danger" run={async () => {
            await cancelRecovery(client, r.number)
            done(p.recoveryStopped)
          }}>{w.stopRecovery}</Action>
        )}
      </div>
    </article>
  )
}

function Facts({ seen }: { seen: SeenRecovery }) {
  const w = hospitalWords.value
  const r = seen.recovery
  const approvedBy = r.approvals.filter((a) => a.hospital !== 0n).map((a) => hospitalName(a.hospital)).join(', ')
  return (
    <RecoveryFacts seen={seen}>
      <dt>{w.asked}</dt><dd>{timeText(r.proposedAt)}</dd>
      {r.due === 0n && <><dt>{w.delay}</dt><dd>{w.delayAfter(spanText(Number(r.delay)))}</dd></>}
      {approvedBy !== '' && <><dt>{w.approvedBy}</dt><dd>{approvedBy}</dd></>}
    </RecoveryFacts>
  )
}

// Each thing that an officer has looked at is said by itself, before the wallet is asked.
function CheckList({ review, approve }: { review: RecoveryReview; approve: () => Promise<void> }) {
  const w = hospitalWords.value
  const p = patientWords.value
  const r = review.recovery
  const seenSoFar = useSignal<ReadonlySet<number>>(new Set())
  const points = r.until === 0n ? [w.sawPerson, w.sawNumber, w.sawAccount(r.account)] : [w.sawActing, w.sawPaper(timeText(r.until)), w.sawNumberOfOther, w.sawAccount(r.account)]
  const tick = (point: number, is: boolean) => {
    const next = new Set(seenSoFar.value)
    if (is) next.add(point)
    else next.delete(point)
    seenSoFar.value = next
  }
  return (
    <fieldset>
      <legend>{w.whatYouSaw}</legend>
      <p class="reviewed">{p.recoveryChecked(review.witnesses.join(', '))} {p.invitedBy}: <strong>{review.invitedBy}</strong></p>
      <p>{w.approvalMeans(r.needed, spanText(Number(r.delay)))}</p>
      {points.map((text, i) => (
        <Point key={i} is={seenSoFar.value.has(i)} tick={(is) => tick(i, is)}>{text}</Point>
      ))}
      <Action disabled={seenSoFar.value.size < points.length} run={approve}>{w.approveRecovery}</Action>
    </fieldset>
  )
}

function Point({ is, tick, children }: { is: boolean; tick: (is: boolean) => void; children: ComponentChildren }) {
  return <label class="choice"><input type="checkbox" class="box" checked={is} onChange={(e) => tick(e.currentTarget.checked)} /> <span>{children}</span></label>
}
