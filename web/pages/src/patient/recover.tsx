import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Client } from '#sdk/client.js'
import { RecoveryStatus, RecoveryWay } from '#sdk/generated/phrd/access/v1/recovery_pb.js'
import { finishRecovery, prepareEmpty, prepareRecovered, readyVault } from '#sdk/recovery/finish.js'
import { monthStart } from '#sdk/recovery/handover.js'
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

/** RecoveryFacts is where a recovery stands, and what else somebody is told of it. */
export function RecoveryFacts({ seen: { recovery: r, status }, children }: { seen: SeenRecovery; children?: ComponentChildren }) {
  const w = patientWords.value
  const name = RecoveryStatus[status]
  return (
    <dl>
      <dt>{w.recovery}</dt><dd>{String(r.number)}</dd>
      <dt>{w.status}</dt><dd>{w.recoveryStatuses[name] ?? name}</dd>
      <dt>{w.forPatient}</dt><dd class="long">{r.patient}</dd>
      <dt>{w.takesOver}</dt><dd>{r.until === 0n ? w.asPatient : w.forPatientUntil(timeText(r.until))}</dd>
      <dt>{w.account}</dt><dd class="long">{r.account}</dd>
      <dt>{w.invitedBy}</dt><dd>{hospitals.value.get(r.inviter) ?? String(r.inviter)}</dd>
      <dt>{w.approvedLabel}</dt><dd>{w.approvedOf(r.approvals.length, r.needed)} {r.way === RecoveryWay.GUARDIANS ? w.byGuardians : w.byHospitals}</dd>
      {r.due !== 0n && <><dt>{w.delayOver}</dt><dd>{timeText(r.due)}</dd></>}
      <dt>{w.ends}</dt><dd>{timeText(r.expiresAt)}</dd>
      {r.mayBeOpened && <><dt>{w.vault}</dt><dd><strong>{w.mayBeOpened}</strong></dd></>}
      {children}
    </dl>
  )
}

/** Ask lets somebody ask to be a patient whose wallet is lost or somebody else's, or to act for one. */
export function Ask({ client, back }: { client: Client; back: () => void }) {
  const w = patientWords.value
  const [number, forOther, month] = [useSignal(''), useSignal(false), useSignal('')]
  const choice = (of: boolean, text: string) => (
    <label class="choice"><input type="radio" name="who" checked={forOther.value === of} onChange={() => (forOther.value = of)} /> {text}</label>
  )
  return (
    <section class="form">
      <h1>{w.recovery}</h1>
      <fieldset>
        <legend>{w.whoAsks}</legend>
        {choice(false, w.asksSelf)}
        {choice(true, w.asksOther)}
      </fieldset>
      <p>{forOther.value ? w.actsUntilText : w.lostWalletText}</p>
      <label for="patient">{w.patientNumber}</label>
      <input id="patient" autocomplete="off" spellcheck={false} value={number.value} onInput={(e) => (number.value = e.currentTarget.value)} />
      {forOther.value && (
        <>
          <label for="until-month">{w.actsUntil}</label>
          <input id="until-month" type="month" placeholder="2029-01" value={month.value} onInput={(e) => (month.value = e.currentTarget.value)} />
        </>
      )}
      <div class="buttons">
        <Action disabled={number.value.trim() === '' || (forOther.value && month.value === '')} run={async () => {
          await proposeRecovery(client, number.value.trim(), wait, forOther.value ? monthStart(month.value) : 0n)
          refreshed.value++
        }}>{forOther.value ? w.askToAct : w.askRecovery}</Action>
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
      {isReady && needsWords && <NoWords begin={async () => void (next.value = await prepareEmpty(client, number))} />}
    </section>
  )
}

// Who has no words any more is told what that means before anything is made.
function NoWords({ begin }: { begin: () => Promise<void> }) {
  const w = patientWords.value
  return (
    <details>
      <summary>{w.noWords}</summary>
      <article aria-label={w.emptyVault}>
        <p>{w.emptyVaultText}</p>
        <ul>
          <li>{w.emptyReads}</li>
          <li>{w.emptyShut}</li>
        </ul>
        <p>{w.emptyNext}</p>
        <div class="buttons"><Action kind="danger" run={begin}>{w.emptyVault}</Action></div>
      </article>
    </details>
  )
}
