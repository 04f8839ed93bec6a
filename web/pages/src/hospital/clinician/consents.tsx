import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { grantedConsents, type SeenConsent } from '#sdk/consents/list.js'
import { ConsentStatus } from '#sdk/generated/phrd/access/v1/consent_pb.js'
import { Class } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { publishVault, rotateVault, type StaffVault, staffVault } from '#sdk/vault/staff.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText, words } from '../../words/words'
import type { Person } from '../staff'

/** GrantedConsents lists what patients let the clinician open, with the vault to which they have it sealed. */
export function GrantedConsents({ client }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  return (
    <section>
      <h1>{w.consents}</h1>
      <p>{w.consentsText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => staffVault(client)} again={refreshed.value}>{(vault) => <VaultCard client={client} vault={vault} done={done} />}</Loaded>
      <Loaded ask={() => grantedConsents(client)} again={refreshed.value}>
        {(found) => (
          <>
            {found.length === 0 && <p>{w.noConsents}</p>}
            <ul class="cards">
              {found.map((seen) => <li key={String(seen.consent.number)}><ConsentCard seen={seen} /></li>)}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function VaultCard({ client, vault, done }: { client: Client; vault: StaffVault; done: (text: string) => void }) {
  const w = hospitalWords.value
  const make = async () => {
    await publishVault(client)
    done(w.vaultPublished)
  }
  const rotate = async () => {
    await rotateVault(client)
    done(w.vaultPublished)
  }
  return (
    <article aria-label={w.vault}>
      <h2>{w.vault}</h2>
      <p>{vault.epoch === 0n ? w.vaultNone : vault.isHere ? w.vaultHere : w.vaultElsewhere}</p>
      <div class="buttons">
        {vault.isHere ? <Action kind="plain" run={rotate}>{w.rotateVault}</Action> : <Action run={make}>{vault.epoch === 0n ? w.publishVault : w.publishAnother}</Action>}
      </div>
    </article>
  )
}

function ConsentCard({ seen: { consent: c, status } }: { seen: SeenConsent }) {
  const w = hospitalWords.value
  const name = ConsentStatus[status]
  const to = c.staff !== '' ? w.consentClinician : c.ward === 0 ? w.consentHospital : w.consentWard(c.ward)
  const what = [...c.classes.map((of) => words.value.classes[Class[of]] ?? Class[of]), ...c.records].join(', ')
  return (
    <article aria-label={w.consent(String(c.number))}>
      <h2>{w.consent(String(c.number))}</h2>
      <dl>
        <dt>{words.value.status}</dt><dd>{w.consentStates[name] ?? name}</dd>
        <dt>{w.patientNumber}</dt><dd class="long">{c.patient}</dd>
        <dt>{w.consentTo}</dt><dd>{to}</dd>
        <dt>{w.consentWhat}</dt><dd>{what}</dd>
        <dt>{words.value.purpose}</dt><dd>{words.value.purposes[c.purpose] ?? c.purpose}</dd>
        <dt>{words.value.until}</dt><dd>{timeText(c.until)}</dd>
        <dt>{w.usesADay}</dt><dd>{c.usesADay}</dd>
      </dl>
    </article>
  )
}
