import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import { endEmergency } from '#sdk/emergency/decide.js'
import { emergencies } from '#sdk/emergency/list.js'
import { emergencyPurposes, emergencyReasons, longestEmergency, requestEmergency } from '#sdk/emergency/request.js'
import { isKind } from '#sdk/errors.js'
import { type EmergencyTerms, EmergencyStatus } from '#sdk/generated/phrd/access/v1/emergency_pb.js'
import { Query as Access, type QueryEmergencyAccessResponse } from '#sdk/generated/phrd/access/v1/query_pb.js'
import type { UnlockVersion } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { Class, type Record as Stored, type Version } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { parseIDText } from '#custody/id.js'
import { collect } from '#sdk/pages.js'
import { records, versions } from '#sdk/records/list.js'
import { parseRef } from '#sdk/records/ref.js'
import { unlockAt } from '#sdk/unlock/checked.js'
import { holdsSession } from '#sdk/unlock/session.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { Viewer } from '../../viewer/viewer'
import { hospitalWords } from '../../words/hospital/words'
import { spanText } from '../../words/patient/words'
import { words } from '../../words/words'
import { EmergencyFacts, hospitalName } from '../emergency'
import { Openings } from '../opening'
import type { Person } from '../staff'

const hour = 3600n
const lifetimes = [hour, 12n * hour, 24n * hour, longestEmergency] as const

/** EmergencyPage asks for records of a patient who can't answer, opens them, and ends it. */
export function EmergencyPage({ client }: Person) {
  const w = hospitalWords.value
  const opened = useSignal<OpenedFile | undefined>(undefined)
  const said = useSignal('')
  const done = (text: string) => {
    said.value = text
    refreshed.value++
  }
  if (opened.value !== undefined) return <Viewer file={opened.value} close={() => (opened.value = undefined)} />
  return (
    <section>
      <h1>{w.emergency}</h1>
      <p>{w.emergencyText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <LookUp client={client} done={done} />
      <h2>{w.yourEmergencies}</h2>
      <Loaded ask={() => own(client)} again={refreshed.value}>
        {(found) => (
          <>
            {found.length === 0 && <p>{w.noEmergencies}</p>}
            <ul class="cards">
              {found.map((mine) => <li key={mine.seen.emergency?.id}><EmergencyCard client={client} mine={mine} done={done} show={(file) => (opened.value = file)} /></li>)}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

/** Sealed is what a patient agreed to, and the newest versions that are sealed for emergencies, by record. */
interface Sealed {
  readonly terms: EmergencyTerms
  readonly versions: readonly { readonly record: Stored; readonly version: Version }[]
}

// Of who did not agree a clinician sees no list.
async function sealedOf(client: Client, patient: string): Promise<Sealed | 'not agreed'> {
  const { terms } = await client.gateways.query(Access.method.emergencyTerms, { patient })
  if (terms === undefined || terms.disabledAt !== 0n) return 'not agreed'
  const found: { record: Stored; version: Version }[] = []
  for await (const record of records(client, patient)) {
    const version = (await collect(versions(client, parseIDText(record.id)))).findLast((v) => v.tombstone === undefined && v.box !== undefined)
    if (version !== undefined) found.push({ record, version })
  }
  return { terms, versions: found }
}

function LookUp({ client, done }: { client: Client; done: (text: string) => void }) {
  const w = hospitalWords.value
  const number = useSignal('')
  const found = useSignal<Sealed | 'not agreed' | undefined>(undefined)
  const look = async () => {
    found.value = undefined
    try {
      found.value = await sealedOf(client, number.value.trim().toUpperCase())
    } catch (cause) {
      if (!isKind(cause, 'not found', 'forbidden')) throw cause
      found.value = 'not agreed'
    }
  }
  return (
    <>
      <label for="emergency-of">{w.patientNumber}</label>
      <input id="emergency-of" class="field" autocomplete="off" spellcheck={false} maxLength={64} value={number.value} onInput={(e) => (number.value = e.currentTarget.value)} />
      <Action disabled={number.value.trim() === ''} run={look}>{w.lookUp}</Action>
      <div aria-live="polite">
        {found.value === 'not agreed' && <p class="note">{w.notAgreed}</p>}
        {typeof found.value === 'object' && found.value.versions.length === 0 && <p class="note">{w.noneSealed}</p>}
        {typeof found.value === 'object' && found.value.versions.length > 0 && (
          <AskForm client={client} sealed={found.value} asked={() => {
            found.value = undefined
            done(w.emergencyAsked)
          }} />
        )}
      </div>
    </>
  )
}

function AskForm({ client, sealed, asked }: { client: Client; sealed: Sealed; asked: () => void }) {
  const w = hospitalWords.value
  const refs = sealed.versions.map(({ version }) => `${version.record}/${version.version}`)
  const chosen = useSignal<readonly string[]>(refs)
  const reason = useSignal<(typeof emergencyReasons)[number]>(emergencyReasons[0])
  const purpose = useSignal<(typeof emergencyPurposes)[number]>(emergencyPurposes[0])
  const lifetime = useSignal<bigint>(lifetimes[1])
  // What several hospitals keep is asked for side by side.
  const ask = async () => {
    const of = sealed.versions.filter(({ version }) => chosen.value.includes(`${version.record}/${version.version}`))
    for (const custodian of new Set(of.map(({ record }) => record.custodian))) {
      const named = of.filter(({ record }) => record.custodian === custodian).map(({ version }) => parseRef(`${version.record}/${version.version}`))
      await requestEmergency(client, { versions: named, purpose: purpose.value, reason: reason.value, lifetime: lifetime.value })
    }
    asked()
  }
  return (
    <article class="form" aria-label={w.askEmergency}>
      <p>{w.termsAre(sealed.terms.approvals, spanText(Number(sealed.terms.delay)))}</p>
      <fieldset>
        <legend>{w.which}</legend>
        {sealed.versions.map(({ record, version }) => {
          const ref = `${version.record}/${version.version}`
          return (
            <label key={ref} class="choice">
              <input
                type="checkbox"
                class="box"
                checked={chosen.value.includes(ref)}
                onChange={(e) => (chosen.value = e.currentTarget.checked ? [...chosen.value, ref] : chosen.value.filter((other) => other !== ref))}
              />
              {words.value.classes[Class[record.class]]}, {hospitalName(record.custodian)} <span class="long">{ref}</span>
            </label>
          )
        })}
      </fieldset>
      <label for="reason">{w.reason}</label>
      <select id="reason" value={reason.value} onChange={(e) => (reason.value = emergencyReasons.find((r) => r === e.currentTarget.value) ?? emergencyReasons[0])}>
        {emergencyReasons.map((r) => <option key={r} value={r}>{w.reasons[r] ?? r}</option>)}
      </select>
      <label for="emergency-purpose">{words.value.purpose}</label>
      <select id="emergency-purpose" value={purpose.value} onChange={(e) => (purpose.value = emergencyPurposes.find((p) => p === e.currentTarget.value) ?? emergencyPurposes[0])}>
        {emergencyPurposes.map((p) => <option key={p} value={p}>{w.purposes[p] ?? p}</option>)}
      </select>
      <label for="emergency-lifetime">{w.openFor}</label>
      <select id="emergency-lifetime" value={String(lifetime.value)} onChange={(e) => (lifetime.value = BigInt(e.currentTarget.value))}>
        {lifetimes.map((s) => <option key={String(s)} value={String(s)}>{w.hours(Number(s / hour))}</option>)}
      </select>
      <div class="buttons"><Action disabled={chosen.value.length === 0} run={ask}>{w.askEmergency}</Action></div>
    </article>
  )
}

interface Mine {
  readonly seen: QueryEmergencyAccessResponse
  readonly versions: readonly UnlockVersion[]
  /** Whether this device can open it. */
  readonly isHere: boolean
}

async function own(client: Client): Promise<Mine[]> {
  const found: Mine[] = []
  for await (const seen of emergencies(client, { requester: client.signer.address })) {
    const e = seen.emergency
    if (e === undefined) continue
    const isHere = (await holdsSession(client.secrets, e.id)) && (await holdsSession(client.secrets, e.boxUnlock))
    found.push({ seen, isHere, versions: (await unlockAt(client.gateways, e.id)).unlock.versions })
  }
  return found
}

function EmergencyCard({ client, mine, done, show }: { client: Client; mine: Mine; done: (text: string) => void; show: (file: OpenedFile) => void }) {
  const w = hospitalWords.value
  const { seen, versions: named, isHere } = mine
  const e = seen.emergency
  if (e === undefined) return null
  const isReleased = seen.status === EmergencyStatus.RELEASED
  return (
    <article aria-label={e.id.slice(0, 8)}>
      <EmergencyFacts seen={seen} />
      <Openings client={client} unlock={e.id} versions={named} isOpen={isReleased && isHere} show={show} />
      {isReleased && !isHere && <p class="note">{w.otherDevice}</p>}
      {e.usedAt !== 0n && e.review === undefined && <p class="note">{w.reviewOpen}</p>}
      {seen.status !== EmergencyStatus.ENDED && (
        <div class="buttons">
          <Action
            kind={isReleased ? 'main' : 'danger'}
            run={async () => {
              await endEmergency(client, e.id)
              done(w.emergencyEnded)
            }}
          >
            {isReleased ? w.endEmergency : w.stopEmergency}
          </Action>
        </div>
      )}
    </article>
  )
}
