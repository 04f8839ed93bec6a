import { useSignal } from '@preact/signals'
import { parseIDText } from '#custody/id.js'
import type { Client } from '#sdk/client.js'
import { type Grant, grantConsent, type GrantReview, reviewGrant } from '#sdk/consents/grant.js'
import { sealConsented } from '#sdk/consents/seal.js'
import type { Unlock } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { Class, type Record as Stored } from '#sdk/generated/phrd/records/v1/record_pb.js'
import { collect } from '#sdk/pages.js'
import { records } from '#sdk/records/list.js'
import { unlockAt } from '#sdk/unlock/checked.js'
import { hospitals } from '../session'
import { Action, Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import { timeText, words } from '../words/words'
import type { Open } from './pages'

const day = 86_400n
const spans = [30, 90, 180, 365, 730] as const
const purposes = ['TREAT', 'HPAYMT', 'HRESCH'] as const
const classes = [Class.IMAGING, Class.DOCUMENT, Class.RECORDING, Class.RESULT, Class.OTHER] as const

/** AsConsent leads from a request to a consent for the same. */
export function AsConsent({ unlock }: { unlock: Unlock }) {
  if (unlock.hospital === 0n) return null // the patient's own reading
  return <p><a href={`#/consents/new/${unlock.id}`}>{patientWords.value.asConsent}</a></p>
}

interface Start {
  readonly own: readonly Stored[]
  readonly unlock: Unlock | undefined
}

async function start(client: Client, patient: string, unlock: string | undefined): Promise<Start> {
  const own = await collect(records(client, patient))
  return { own, unlock: unlock === undefined ? undefined : (await unlockAt(client.gateways, unlock)).unlock }
}

/** GrantForm has the patient say to whom a consent is given, for what and for how long. */
export function GrantForm({ open, unlock }: { open: Open; unlock: string | undefined }) {
  const w = patientWords.value
  return (
    <section>
      <h1>{w.newConsent}</h1>
      {unlock !== undefined && <p class="note">{w.asConsentText}</p>}
      <Loaded ask={() => start(open.client, open.patient, unlock)} again={unlock}>{(from) => <Form open={open} from={from} />}</Loaded>
    </section>
  )
}

// What is filled in. Numbers are text as long as somebody types.
interface Filled {
  readonly hospital: string
  readonly who: 'clinician' | 'ward' | 'all'
  readonly clinician: string
  readonly ward: string
  readonly by: 'class' | 'record'
  readonly classes: readonly Class[]
  readonly records: readonly string[]
  readonly purpose: string
  readonly days: string
  readonly uses: string
}

function filledFrom({ unlock }: Start): Filled {
  const empty: Filled = { hospital: '', who: 'clinician', clinician: '', ward: '', by: 'class', classes: [], records: [], purpose: 'TREAT', days: '90', uses: '3' }
  if (unlock === undefined) return empty
  const named = [...new Set(unlock.versions.map((v) => v.record))]
  return { ...empty, hospital: String(unlock.hospital), clinician: unlock.requester, by: 'record', records: named, purpose: unlock.purpose }
}

function grantOf(f: Filled, now: bigint): Grant {
  return {
    hospital: BigInt(f.hospital === '' ? 0 : f.hospital), purpose: f.purpose, until: now + BigInt(f.days) * day, usesADay: Number(f.uses),
    to: f.who === 'all' ? 'all clinicians' : f.who === 'ward' ? { ward: Number(f.ward) } : { clinician: f.clinician.trim() },
    what: f.by === 'class' ? { classes: f.classes } : { records: f.records.map(parseIDText) },
  }
}

function Form({ open: { client, vault }, from }: { open: Open; from: Start }) {
  const w = patientWords.value
  const filled = useSignal(filledFrom(from))
  const reviewed = useSignal<GrantReview | undefined>(undefined)
  const granted = useSignal<bigint | undefined>(undefined)
  const said = useSignal<readonly string[]>([])
  const f = filled.value
  const set = (next: Partial<Filled>) => (filled.value = { ...filled.peek(), ...next })
  if (said.value.length > 0) {
    return (
      <div role="status">
        {said.value.map((line) => <p key={line}>{line}</p>)}
        <p><a href="#/consents">{w.consents}</a> · <a href="#/">{words.value.requests}</a></p>
      </div>
    )
  }
  const r = reviewed.value
  if (r !== undefined) {
    return (
      <Signed review={r} granted={granted.value} back={() => (reviewed.value = undefined)} sign={async () => {
        // Where the sealing was cut, it goes on without another consent.
        const number = granted.value ?? (await grantConsent(client, r))
        granted.value = number
        const sealed = await sealConsented(client, vault)
        said.value = [w.granted(String(number)), w.sealed(sealed)]
      }} />
    )
  }
  const isWhole = f.hospital !== '' && (f.who === 'all' || (f.who === 'ward' ? f.ward : f.clinician) !== '') && (f.by === 'class' ? f.classes : f.records).length > 0
  return (
    <form class="form" onSubmit={(e) => e.preventDefault()}>
      <label for="hospital">{w.hospital}</label>
      <select id="hospital" value={f.hospital} onChange={(e) => set({ hospital: e.currentTarget.value })}>
        <option value="">{w.choose}</option>
        {[...hospitals.value].sort(([a], [b]) => Number(a - b)).map(([number, name]) => <option key={String(number)} value={String(number)}>{name}</option>)}
      </select>
      <Who f={f} set={set} />
      <What f={f} set={set} own={from.own} />
      <label for="purpose">{w.purpose}</label>
      <select id="purpose" value={f.purpose} onChange={(e) => set({ purpose: e.currentTarget.value })}>
        {purposes.map((code) => <option key={code} value={code}>{words.value.purposes[code] ?? code}</option>)}
      </select>
      <label for="days">{w.howLong}</label>
      <select id="days" value={f.days} onChange={(e) => set({ days: e.currentTarget.value })}>
        {spans.map((n) => <option key={n} value={String(n)}>{w.days(n)}</option>)}
      </select>
      <label for="uses">{w.usesADay}</label>
      <input id="uses" type="number" min={1} max={1000} value={f.uses} onInput={(e) => set({ uses: e.currentTarget.value })} />
      <Action disabled={!isWhole} run={async () => void (reviewed.value = await reviewGrant(client, grantOf(filled.peek(), await client.blockTime())))}>{w.checkConsent}</Action>
    </form>
  )
}

interface Part {
  readonly f: Filled
  readonly set: (next: Partial<Filled>) => void
}

function Who({ f, set }: Part) {
  const w = patientWords.value
  const ways = [['clinician', w.oneClinician], ['ward', w.aWard], ['all', w.allClinicians]] as const
  return (
    <fieldset>
      <legend>{w.who}</legend>
      {ways.map(([way, name]) => (
        <label key={way} class="choice"><input type="radio" name="who" checked={f.who === way} onChange={() => set({ who: way })} /> {name}</label>
      ))}
      {f.who === 'clinician' && (
        <>
          <label for="clinician">{w.clinicianAddress}</label>
          <input id="clinician" autocomplete="off" spellcheck={false} value={f.clinician} onInput={(e) => set({ clinician: e.currentTarget.value })} />
        </>
      )}
      {f.who === 'ward' && (
        <>
          <label for="ward">{w.wardNumber}</label>
          <input id="ward" type="number" min={1} max={65535} value={f.ward} onInput={(e) => set({ ward: e.currentTarget.value })} />
        </>
      )}
    </fieldset>
  )
}

function What({ f, set, own }: Part & { readonly own: readonly Stored[] }) {
  const w = patientWords.value
  const toggled = <T,>(list: readonly T[], one: T) => (list.includes(one) ? list.filter((other) => other !== one) : [...list, one])
  return (
    <fieldset>
      <legend>{w.what}</legend>
      <label class="choice"><input type="radio" name="by" checked={f.by === 'class'} onChange={() => set({ by: 'class' })} /> {w.byClass}</label>
      <label class="choice"><input type="radio" name="by" checked={f.by === 'record'} onChange={() => set({ by: 'record' })} /> {w.byRecord}</label>
      <div class="choices">
        {f.by === 'class'
          ? classes.map((of) => (
            <label key={of} class="choice">
              <input type="checkbox" checked={f.classes.includes(of)} onChange={() => set({ classes: toggled(f.classes, of) })} /> {w.classes[Class[of]] ?? Class[of]}
            </label>
          ))
          : own.map((record) => (
            <label key={record.id} class="choice">
              <input type="checkbox" checked={f.records.includes(record.id)} onChange={() => set({ records: toggled(f.records, record.id) })} />{' '}
              {w.classes[Class[record.class]] ?? Class[record.class]} <span class="long">{record.id}</span>
            </label>
          ))}
      </div>
    </fieldset>
  )
}

// What two hospitals showed alike, as the wallet will show it.
function Signed({ review: r, granted, sign, back }: { review: GrantReview; granted: bigint | undefined; sign: () => Promise<void>; back: () => void }) {
  const w = patientWords.value
  return (
    <article>
      <h2>{w.reviewedAt(r.witnesses.join(', '))}</h2>
      <dl>
        <dt>{w.hospital}</dt><dd>{r.hospital}</dd>
        <dt>{w.who}</dt><dd class="long">{r.to}</dd>
        <dt>{w.what}</dt><dd class="long">{r.what.join(', ')}</dd>
        <dt>{w.purpose}</dt><dd>{words.value.purposes[r.grant.purpose] ?? r.grant.purpose}</dd>
        <dt>{w.until}</dt><dd>{timeText(r.grant.until)}</dd>
        <dt>{w.aDay}</dt><dd>{r.grant.usesADay}</dd>
      </dl>
      <p role="status" aria-live="polite">{granted !== undefined && `${w.granted(String(granted))} ${w.sealing}`}</p>
      <div class="buttons">
        <Action run={sign}>{granted === undefined ? w.signConsent : w.sealNow}</Action>
        {granted === undefined && <button type="button" class="plain" onClick={back}>{w.change}</button>}
      </div>
    </article>
  )
}
