import { useSignal } from '@preact/signals'
import { RecoveryStatus } from '#sdk/generated/phrd/access/v1/recovery_pb.js'
import { collect } from '#sdk/pages.js'
import { approveRecovery } from '#sdk/recovery/approve.js'
import { cancelRecovery, isOpenRecovery, recoveries, type SeenRecovery } from '#sdk/recovery/list.js'
import { type RecoveryReview, reviewRecovery } from '#sdk/recovery/review.js'
import { refreshed } from '../live'
import { Action, Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import { OpenEmergencies } from './emergency'
import type { Open } from './pages'
import { RecoveryFacts } from './recover'

interface Found {
  readonly mine: readonly SeenRecovery[]
  readonly guarded: readonly SeenRecovery[]
}

async function found({ client, patient }: Open): Promise<Found> {
  const open = (list: readonly SeenRecovery[]) => list.filter(({ status }) => isOpenRecovery(status))
  const mine = await collect(recoveries(client, { patient }))
  // One that was stopped after the hospitals had given their half is said as long as it is the newest.
  const [newest] = mine
  const told = newest?.recovery.mayBeOpened === true && newest.status === RecoveryStatus.CANCELLED ? [newest] : open(mine)
  return { mine: told, guarded: open(await collect(recoveries(client, { guardian: patient }))) }
}

/** Alerts are what a patient should see before any request: somebody who asks for the wallet, emergencies, and the recoveries of those whom the patient guards. */
export function Alerts({ open }: { open: Open }) {
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  return (
    <div>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => found(open)} again={refreshed.value}>
        {({ mine, guarded }) => (
          <>
            {mine.map((seen) => <Alarm key={String(seen.recovery.number)} open={open} seen={seen} done={done} />)}
            {guarded.map((seen) => <Guard key={String(seen.recovery.number)} open={open} seen={seen} done={done} />)}
          </>
        )}
      </Loaded>
      <OpenEmergencies client={open.client} patient={open.patient} done={done} />
    </div>
  )
}

interface Card {
  readonly open: Open
  readonly seen: SeenRecovery
  readonly done: (text: string) => void
}

function Alarm({ open: { client }, seen, done }: Card) {
  const w = patientWords.value
  return (
    <article class="alarm" aria-label={w.alarm}>
      <h2>{w.alarm}</h2>
      <p>{w.alarmText}</p>
      <RecoveryFacts seen={seen} />
      {isOpenRecovery(seen.status) && (
        <div class="buttons">
          <Action kind="danger" run={async () => {
            await cancelRecovery(client, seen.recovery.number)
            done(w.recoveryStopped)
          }}>{w.stopRecovery}</Action>
        </div>
      )}
    </article>
  )
}

function Guard({ open: { client, patient, vault }, seen, done }: Card) {
  const w = patientWords.value
  const checked = useSignal<RecoveryReview | undefined>(undefined)
  const hasApproved = seen.recovery.approvals.some((a) => a.guardian === patient)
  return (
    <article aria-label={w.recoveryNumber(String(seen.recovery.number))}>
      <h2>{w.guardRequest}</h2>
      <p>{w.guardRequestText}</p>
      <RecoveryFacts seen={seen} />
      {checked.value !== undefined && (
        <p class="reviewed">{w.recoveryChecked(checked.value.witnesses.join(', '))} {w.invitedBy}: <strong>{checked.value.invitedBy}</strong></p>
      )}
      <div class="buttons">
        {hasApproved && <p>{w.youApproved}</p>}
        {!hasApproved && checked.value === undefined && (
          <Action run={async () => void (checked.value = await reviewRecovery(client, seen.recovery.number))}>{w.checkRecovery}</Action>
        )}
        {!hasApproved && checked.value !== undefined && (
          <Action run={async () => {
            if (checked.value !== undefined) await approveRecovery(client, checked.value, vault)
            checked.value = undefined
            done(w.recoveryApproved)
          }}>{w.approveRecovery}</Action>
        )}
      </div>
    </article>
  )
}
