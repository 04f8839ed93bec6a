import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { agree, type Agreed, agreed, boxesDue, disagree, sealEmergency } from '#sdk/emergency/agree.js'
import { emergencies } from '#sdk/emergency/list.js'
import { EmergencyStatus } from '#sdk/generated/phrd/access/v1/emergency_pb.js'
import type { QueryEmergencyAccessResponse } from '#sdk/generated/phrd/access/v1/query_pb.js'
import { collect } from '#sdk/pages.js'
import { withdraw } from '#sdk/unlock/approve.js'
import { refreshed } from '../live'
import { chain, hospitals } from '../session'
import { Action, Loaded } from '../view/action'
import { isDemo } from '../wallet/demo'
import { patientWords, spanText } from '../words/patient/words'
import { timeText } from '../words/words'
import type { Open } from './pages'

const delays = [60, 600, 1_800, 3_600, 21_600, 86_400]
// Where things are tried out nobody wants to wait.
const demoDelays = [10, ...delays]
const approvals = [2, 3, 4, 5, 6, 7, 8] as const

interface Shown {
  readonly is: Agreed
  readonly due: number
  readonly happened: readonly QueryEmergencyAccessResponse[]
}

async function shown({ client, patient, vault }: Open): Promise<Shown> {
  return { is: await agreed(client, patient), due: (await boxesDue(client, vault)).length, happened: await collect(emergencies(client, { patient })) }
}

/** Emergency says what holds when the patient can't answer, and lets it be agreed to and ended. */
export function Emergency({ open }: { open: Open }) {
  const w = patientWords.value
  const { client, vault } = open
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  const seal = async (first: string) => {
    done(first)
    const sealed = await sealEmergency(client, vault)
    if (sealed > 0) done(`${first} ${w.sealed(sealed)}`)
  }
  return (
    <section>
      <h1>{w.emergency}</h1>
      <p>{w.emergencyText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => shown(open)} again={refreshed.value}>
        {({ is, due, happened }) => (
          <>
            {is.inForce ? <InForce is={is} end={async () => {
              await disagree(client)
              await seal(w.disagreeDone)
            }} /> : <NotAgreed is={is} isSealed={due > 0} agree={async (wish) => {
              await agree(client, wish)
              await seal(w.agreeDone)
            }} />}
            {due > 0 && (
              <div class="note">
                <p>{is.inForce ? w.boxesLeft(due) : w.boxesLeftOff(due)}</p>
                <Action run={async () => done(w.sealed(await sealEmergency(client, vault)))}>{w.sealBoxes}</Action>
              </div>
            )}
            <h2>{w.happened}</h2>
            {happened.length === 0 && <p>{w.noEmergencies}</p>}
            <ul class="cards">
              {happened.map((seen) => <li key={seen.emergency?.id}><EmergencyCard seen={seen} client={client} done={done} /></li>)}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function InForce({ is, end }: { is: Agreed; end: () => Promise<void> }) {
  const w = patientWords.value
  const { terms, unseen } = is
  if (terms === undefined) return null
  const needs = unseen === undefined ? undefined : unseen.emergency > unseen.records ? unseen.emergency : unseen.records
  return (
    <article aria-label={w.agreedNow}>
      <h2>{w.agreedNow}</h2>
      <p>{w.agreedMeans(terms.approvals, spanText(Number(terms.delay)))}</p>
      <p>{needs === undefined ? w.noEmergencyKey : w.unseen(String(needs))}</p>
      <p>{w.clinicianSees}</p>
      <div class="buttons"><Action kind="danger" run={end}>{w.disagree}</Action></div>
    </article>
  )
}

// As long as something is sealed for emergencies, opening it is refused and not impossible, which is said below.
function NotAgreed({ is, isSealed, agree: sign }: { is: Agreed; isSealed: boolean; agree: (wish: { approvals: number; delay: number }) => Promise<void> }) {
  const w = patientWords.value
  const wish = useSignal({ approvals: 2, delay: 600 })
  return (
    <article class="form">
      <p><strong>{isSealed ? w.agreementOver : w.notAgreed}</strong></p>
      <p>{w.agreedMeans(wish.value.approvals, spanText(wish.value.delay))}</p>
      <p>{is.wouldTake === undefined ? w.noEmergencyKey : w.unseenBefore(String(is.wouldTake))}</p>
      <p>{w.clinicianSees}</p>
      <label for="approvals">{w.approvals}</label>
      <select id="approvals" value={String(wish.value.approvals)} onChange={(e) => (wish.value = { ...wish.value, approvals: Number(e.currentTarget.value) })}>
        {approvals.map((n) => <option key={n} value={String(n)}>{n}</option>)}
      </select>
      <label for="delay">{w.delay}</label>
      <select id="delay" value={String(wish.value.delay)} onChange={(e) => (wish.value = { ...wish.value, delay: Number(e.currentTarget.value) })}>
        {(isDemo(chain.value?.chainID ?? '') ? demoDelays : delays).map((n) => <option key={n} value={String(n)}>{spanText(n)}</option>)}
      </select>
      <div class="buttons"><Action run={() => sign(wish.value)}>{w.agree}</Action></div>
    </article>
  )
}

function EmergencyCard({ seen, client, done }: { seen: QueryEmergencyAccessResponse; client: Client; done: (text: string) => void }) {
  const w = patientWords.value
  const e = seen.emergency
  if (e === undefined) return null
  const name = EmergencyStatus[seen.status]
  const by = (number: bigint) => hospitals.value.get(number) ?? String(number)
  const review = e.review === undefined ? (seen.reviewDue === 0n ? '–' : w.reviewDue(timeText(seen.reviewDue))) : `${w.findings[e.review.finding] ?? e.review.finding} (${by(e.review.hospital)})`
  return (
    <article aria-label={e.id.slice(0, 8)}>
      <h3>{w.emergencyBy(by(e.hospital))}</h3>
      <dl>
        <dt>{w.status}</dt><dd>{w.emergencyStatuses[name] ?? name}</dd>
        <dt>{w.reason}</dt><dd>{w.reasons[e.reason] ?? e.reason}</dd>
        <dt>{w.approvedBy}</dt><dd>{e.approvals.map((a) => by(a.hospital)).join(', ') || '–'} ({w.approvedOf(e.approvals.length, e.approvalsNeeded)})</dd>
        {seen.releaseAt !== 0n && e.usedAt === 0n && seen.status !== EmergencyStatus.ENDED && <><dt>{w.opensAt}</dt><dd>{timeText(seen.releaseAt)}</dd></>}
        <dt>{w.used}</dt><dd>{e.usedAt === 0n ? w.notUsed : timeText(e.usedAt)}</dd>
        <dt>{w.review}</dt><dd>{review}</dd>
      </dl>
      {seen.status !== EmergencyStatus.ENDED && (
        <div class="buttons">
          <Action kind="danger" run={async () => {
            await withdraw(client, e.id)
            done(w.emergencyStopped)
          }}>{w.stopEmergency}</Action>
        </div>
      )}
    </article>
  )
}

/** OpenEmergencies shows those that are not over, above the requests. */
export function OpenEmergencies({ client, patient, done }: { client: Client; patient: string; done: (text: string) => void }) {
  const running = async () => (await collect(emergencies(client, { patient }))).filter(({ status }) => status !== EmergencyStatus.ENDED)
  return (
    <Loaded ask={running} again={refreshed.value}>
      {(found) => <ul class="cards">{found.map((seen) => <li key={seen.emergency?.id}><EmergencyCard seen={seen} client={client} done={done} /></li>)}</ul>}
    </Loaded>
  )
}
