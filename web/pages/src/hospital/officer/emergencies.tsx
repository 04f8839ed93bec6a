import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Client } from '#sdk/client.js'
import { approveEmergency, reviewEmergency } from '#sdk/emergency/decide.js'
import { emergencies } from '#sdk/emergency/list.js'
import { EmergencyStatus } from '#sdk/generated/phrd/access/v1/emergency_pb.js'
import type { QueryEmergencyAccessResponse } from '#sdk/generated/phrd/access/v1/query_pb.js'
import { withdraw } from '#sdk/unlock/approve.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { EmergencyFacts, hospitalName } from '../emergency'
import type { Person } from '../staff'

// How many of those with which there is nothing to do are shown.
const mostOthers = 20

interface Sorted {
  readonly toApprove: readonly QueryEmergencyAccessResponse[]
  readonly toReview: readonly QueryEmergencyAccessResponse[]
  readonly others: readonly QueryEmergencyAccessResponse[]
}

/** sorted puts emergencies where an officer of a hospital finds what there is to do. Those that still run are all read, and of those that are over the newest. */
async function sorted(client: Client, hospital: bigint): Promise<Sorted> {
  const found = { toApprove: [] as QueryEmergencyAccessResponse[], toReview: [] as QueryEmergencyAccessResponse[], others: [] as QueryEmergencyAccessResponse[] }
  for await (const seen of emergencies(client, { unreviewed: true })) if (mayReview(seen, hospital)) found.toReview.push(seen)
  for await (const seen of emergencies(client, {})) {
    const isOver = seen.status === EmergencyStatus.ENDED
    if (mayApprove(seen, hospital)) found.toApprove.push(seen)
    else if (!mayReview(seen, hospital) && (!isOver || found.others.length < mostOthers)) found.others.push(seen)
  }
  return found
}

// Officers of every hospital but that of who asks approve, each hospital once.
function mayApprove({ emergency: e, status }: QueryEmergencyAccessResponse, hospital: bigint): boolean {
  return e !== undefined && status === EmergencyStatus.REQUESTED && e.hospital !== hospital && !e.approvals.some((a) => a.hospital === hospital)
}

// Once it has ended officers of the hospital that keeps the records, and of those that approved, review its use.
function mayReview({ emergency: e, status, reviewDue }: QueryEmergencyAccessResponse, hospital: bigint): boolean {
  if (e === undefined || reviewDue === 0n || status !== EmergencyStatus.ENDED || e.hospital === hospital) return false
  return e.custodian === hospital || e.approvals.some((a) => a.hospital === hospital)
}

/** Emergencies is where an officer approves emergencies of other hospitals, stops them, and reviews them. */
export function Emergencies({ client, hospital }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  const cards = (list: readonly QueryEmergencyAccessResponse[], buttons: (id: string) => ComponentChildren) => (
    <ul class="cards">
      {list.map((seen) => <li key={seen.emergency?.id}><Card seen={seen}>{buttons(seen.emergency?.id ?? '')}<Stop client={client} hospital={hospital} seen={seen} done={done} /></Card></li>)}
    </ul>
  )
  return (
    <section>
      <h1>{w.emergencies}</h1>
      <p>{w.emergenciesText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => sorted(client, hospital)} again={refreshed.value}>
        {({ toApprove, toReview, others }) => (
          <>
            {toApprove.length + toReview.length === 0 && <p>{w.queueEmpty}</p>}
            {toApprove.length > 0 && <h2>{w.toApprove}</h2>}
            {cards(toApprove, (id) => <Action run={async () => {
              await approveEmergency(client, id)
              done(w.emergencyApproved)
            }}>{w.approveEmergency}</Action>)}
            {toReview.length > 0 && <><h2>{w.toReview}</h2><p>{w.reviewText}</p></>}
            {cards(toReview, (id) => <Review client={client} id={id} done={done} />)}
            {others.length > 0 && <h2>{w.otherEmergencies}</h2>}
            {cards(others, () => null)}
          </>
        )}
      </Loaded>
    </section>
  )
}

function Card({ seen, children }: { seen: QueryEmergencyAccessResponse; children: ComponentChildren }) {
  const w = hospitalWords.value
  const e = seen.emergency
  if (e === undefined) return null
  return (
    <article aria-label={e.id.slice(0, 8)}>
      <h3>{w.asksInEmergency(hospitalName(e.hospital))}</h3>
      <EmergencyFacts seen={seen} />
      <div class="buttons">{children}</div>
    </article>
  )
}

function Review({ client, id, done }: { client: Client; id: string; done: (text: string) => void }) {
  const w = hospitalWords.value
  const find = async (finding: 'justified' | 'not_justified') => {
    await reviewEmergency(client, id, finding)
    done(w.reviewed)
  }
  return (
    <>
      <Action kind="plain" run={() => find('justified')}>{w.justified}</Action>
      <Action kind="danger" run={() => find('not_justified')}>{w.notJustified}</Action>
    </>
  )
}

// An officer of the hospital that keeps the records ends an emergency as any unlock.
function Stop({ client, hospital, seen: { emergency: e, status }, done }: { client: Client; hospital: bigint; seen: QueryEmergencyAccessResponse; done: (text: string) => void }) {
  const w = hospitalWords.value
  if (e === undefined || e.custodian !== hospital || status === EmergencyStatus.ENDED) return null
  return (
    <Action kind="danger" run={async () => {
      await withdraw(client, e.id)
      done(w.emergencyStopped)
    }}>{w.stopEmergency}</Action>
  )
}
