import { useSignal } from '@preact/signals'
import { type SeenConsent, consents } from '#sdk/consents/list.js'
import { withdrawConsent } from '#sdk/consents/grant.js'
import { consentsUnsealed, relocksDue, sealConsented } from '#sdk/consents/seal.js'
import { ConsentStatus } from '#sdk/generated/phrd/access/v1/consent_pb.js'
import { Class } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { collect } from '#sdk/pages.js'
import type { Ref } from '#sdk/records/ref.js'
import { refreshed } from '../live'
import { hospitals } from '../session'
import { Action, Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import { timeText, words } from '../words/words'
import type { Open } from './pages'

interface Standing {
  readonly granted: readonly SeenConsent[]
  /** Versions that are not sealed yet for those to whom a consent was given. */
  readonly unsealed: readonly Ref[]
  /** Versions that are still sealed to who may open nothing any more. */
  readonly relocks: readonly Ref[]
}

async function standing({ client, patient, vault }: Open): Promise<Standing> {
  const granted = await collect(consents(client, patient))
  if (granted.length === 0) return { granted, unsealed: [], relocks: [] }
  return { granted, unsealed: await consentsUnsealed(client, vault), relocks: await relocksDue(client, vault) }
}

/** Consents lists what the patient consented to. */
export function Consents({ open }: { open: Open }) {
  const { client, vault } = open
  const w = patientWords.value
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  return (
    <section>
      <h1>{w.consents}</h1>
      <p>{w.consentsText}</p>
      <p><a class="button" href="#/consents/new">{w.newConsent}</a></p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => standing(open)} again={refreshed.value}>
        {({ granted, unsealed, relocks }) => (
          <>
            {unsealed.length > 0 && (
              <div class="note">
                <p>{w.sealLeft}</p>
                <Action run={async () => done(w.sealed(await sealConsented(client, vault)))}>{w.sealNow}</Action>
              </div>
            )}
            {relocks.length > 0 && <p class="note">{w.relockDue(relocks.length)} <a href="#/relock">{w.relock}</a></p>}
            {granted.length === 0 && <p>{w.noConsents}</p>}
            <ul class="cards">
              {granted.map((seen) => (
                <li key={String(seen.consent.number)}>
                  <ConsentCard seen={seen} withdraw={async () => {
                    await withdrawConsent(client, seen.consent.number)
                    done(w.consentEnded)
                  }} />
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function ConsentCard({ seen: { consent, status }, withdraw }: { seen: SeenConsent; withdraw: () => Promise<void> }) {
  const w = patientWords.value
  const to = consent.staff !== '' ? consent.staff : consent.ward !== 0 ? w.wards(consent.ward) : w.allClinicians
  const name = ConsentStatus[status]
  const title = w.consentNumber(String(consent.number))
  return (
    <article aria-label={title}>
      <h2>{title}: {hospitals.value.get(consent.hospital) ?? String(consent.hospital)}</h2>
      <dl>
        <dt>{w.status}</dt><dd>{w.consentStatuses[name] ?? name}</dd>
        <dt>{w.who}</dt><dd class={consent.staff === '' ? '' : 'long'}>{to}</dd>
        <dt>{w.what}</dt><dd>{[...consent.classes.map((c) => w.classes[Class[c]] ?? Class[c]), ...consent.records].join(', ')}</dd>
        <dt>{w.purpose}</dt><dd>{words.value.purposes[consent.purpose] ?? consent.purpose}</dd>
        <dt>{w.until}</dt><dd>{timeText(consent.until)}</dd>
        <dt>{w.aDay}</dt><dd>{consent.usesADay}</dd>
      </dl>
      {status === ConsentStatus.LIVE && <div class="buttons"><Action kind="danger" run={withdraw}>{w.withdrawConsent}</Action></div>}
    </article>
  )
}
