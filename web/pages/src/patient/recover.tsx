import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { RecoveryStatus, RecoveryWay } from '#sdk/generated/phrd/access/v1/recovery_pb.js'
import { finishRecovery, prepareRecovered, readyVault } from '#sdk/recovery/finish.js'
import { cancelRecovery, isOpenRecovery, type SeenRecovery } from '#sdk/recovery/list.js'
import { proposeRecovery } from '#sdk/recovery/propose.js'
import type { NextVault } from '#sdk/vault/write.js'
import { refreshed } from '../live'
import { hospitals, takeVault } from '../session'
import { Action } from '../view/action'
import { NewCode } from '../view/code'
import { NewVault } from '../view/visit'
import { patientWords } from '../words/patient/words'
import { timeText } from '../words/words'

// How long approvals may take beside the delay, in seconds.
const wait = 14n * 86_400n

/** RecoveryFacts is where a recovery stands. */
export function RecoveryFacts({ seen: { recovery: r, status } }: { seen: SeenRecovery }) {
  const w = patientWords.value
  const name = RecoveryStatus[status]
  return (
    <dl>
      <dt>{w.recovery}</dt><dd>{String(r.number)}</dd>
      <dt>{w.status}</dt><dd>{w.recoveryStatuses[name] ?? name}</dd>
      <dt>{w.forPatient}</dt><dd class="long">{r.patient}</dd>
      <dt>{w.account}</dt><dd class="long">{r.account}</dd>
      <dt>{w.invitedBy}</dt><dd>{hospitals.value.get(r.inviter) ?? String(r.inviter)}</dd>
      <dt>{w.approvedLabel}</dt><dd>{w.approvedOf(r.approvals.length, r.needed)} {r.way === RecoveryWay.GUARDIANS ? w.byGuardians : w.byHospitals}</dd>
      {r.due !== 0n && <><dt>{w.delayOver}</dt><dd>{timeText(r.due)}</dd></>}
      <dt>{w.ends}</dt><dd>{timeText(r.expiresAt)}</dd>
      {r.mayBeOpened && <><dt>{w.vault}</dt><dd><strong>{w.mayBeOpened}</strong></dd></>}
    </dl>
  )
}

/** Ask lets somebody whose wallet is lost ask to be that patient again. */
export function Ask({ client, back }: { client: Client; back: () => void }) {
  const w = patientWords.value
  const number = useSignal('')
  return (
    <section>
      <h1>{w.recovery}</h1>
      <p>{w.lostWalletText}</p>
      <label for="patient">{w.patientNumber}</label>
      <input id="patient" class="wide" autocomplete="off" spellcheck={false} value={number.value} onInput={(e) => (number.value = e.currentTarget.value)} />
      <div class="buttons">
        <Action disabled={number.value.trim() === ''} run={async () => {
          await proposeRecovery(client, number.value.trim(), wait)
          refreshed.value++
        }}>{w.askRecovery}</Action>
        <button type="button" class="plain" onClick={back}>{w.back}</button>
      </div>
    </section>
  )
}

/** Recovering shows who asked where it stands, and when it is ready brings the account back. */
export function Recovering({ client, seen }: { client: Client; seen: SeenRecovery }) {
  const w = patientWords.value
  const code = useSignal('')
  const next = useSignal<NextVault | undefined>(undefined)
  const { number, way } = seen.recovery
  const made = next.value
  if (made !== undefined) {
    return (
      <NewCode made={made} finish={async () => {
        await finishRecovery(client, number, made.file)
        await takeVault(client, made.file, made.vault)
      }}>{w.finishRecovery}</NewCode>
    )
  }
  if (!isOpenRecovery(seen.status)) {
    return (
      <>
        <section>
          <h1>{w.recovery}</h1>
          <RecoveryFacts seen={seen} />
        </section>
        <NewVault client={client} />
      </>
    )
  }
  const isReady = seen.status === RecoveryStatus.READY
  const needsWords = way === RecoveryWay.HOSPITALS
  return (
    <section>
      <h1>{w.recovery}</h1>
      <p role="status" aria-live="polite">{w.tellThem(String(number))}</p>
      <RecoveryFacts seen={seen} />
      {isReady && needsWords && (
        <>
          <label for="words">{w.wordsNeeded}</label>
          <textarea id="words" rows={3} autocomplete="off" spellcheck={false} value={code.value} onInput={(e) => (code.value = e.currentTarget.value)} />
        </>
      )}
      <div class="buttons">
        {isReady && (
          <Action disabled={needsWords && code.value.trim() === ''} run={async () => {
            next.value = await prepareRecovered(client, number, await readyVault(client, number, code.value))
          }}>{w.openMine}</Action>
        )}
        <Action kind="danger" run={async () => {
          await cancelRecovery(client, number)
          refreshed.value++
        }}>{w.cancelAsked}</Action>
      </div>
    </section>
  )
}
