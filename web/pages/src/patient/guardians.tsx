import { useSignal } from '@preact/signals'
import type { Guardians } from '#sdk/generated/phrd/access/v1/guardian_pb.js'
import { guarded, guardiansOf, leastDelay } from '#sdk/guardians/list.js'
import type { GuardianWish } from '#sdk/guardians/name.js'
import { checkGuardian } from '#sdk/guardians/share.js'
import { collect } from '#sdk/pages.js'
import { type NextVault, prepareVault, writeVault } from '#sdk/vault/write.js'
import { refreshed } from '../live'
import { takeVault } from '../session'
import { Action, Loaded } from '../view/action'
import { NewCode } from '../view/code'
import { patientWords, spanText } from '../words/patient/words'
import type { Open } from './pages'

const day = 86_400
const delays = [7 * day, 14 * day, 30 * day, 60 * day] as const

interface Found {
  readonly mine: Guardians | undefined
  readonly others: readonly Guardians[]
  /** The least delay that the network asks for, in seconds. */
  readonly least: number
}

async function found({ client, patient }: Open): Promise<Found> {
  return { mine: await guardiansOf(client, patient), others: await collect(guarded(client, patient)), least: Number(await leastDelay(client)) }
}

/** GuardiansPage says who brings the vault back, lets them be named, and says whose guardian the patient is. */
export function GuardiansPage({ open }: { open: Open }) {
  const w = patientWords.value
  const next = useSignal<NextVault | undefined>(undefined)
  const said = useSignal('')
  const made = next.value
  if (made !== undefined) {
    return (
      <>
        <NewCode made={made} finish={async () => {
          await writeVault(open.client, open.file, made.file)
          await takeVault(open.client, made.file, made.vault)
          next.value = undefined
          said.value = w.vaultWritten
          refreshed.value++
        }}>{w.writeVault}</NewCode>
        <p><button type="button" class="plain" onClick={() => (next.value = undefined)}>{w.cancel}</button></p>
      </>
    )
  }
  const prepare = async (guardians: GuardianWish | 'none') => {
    next.value = await prepareVault(open.client, open.file, open.vault, { guardians })
  }
  return (
    <section>
      <h1>{w.guardians}</h1>
      <p>{w.guardiansText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => found(open)} again={refreshed.value}>
        {({ mine, others, least }) => (
          <>
            {mine === undefined ? <p class="note">{w.noGuardians}</p> : <Named mine={mine} remove={() => prepare('none')} />}
            <Name key={String(mine?.revision)} mine={mine} least={least} name={prepare} />
            <h2>{w.youGuard}</h2>
            <p>{others.length === 0 ? w.guardNobody : w.youGuardText}</p>
            <ul class="cards">{others.map((g) => <li key={g.patient}><Guarded open={open} g={g} /></li>)}</ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function Named({ mine, remove }: { mine: Guardians; remove: () => Promise<void> }) {
  const w = patientWords.value
  return (
    <article aria-label={w.yourGuardians}>
      <h2>{w.yourGuardians}</h2>
      <ul>{mine.guardians.map((number) => <li key={number} class="long">{number}</li>)}</ul>
      <dl>
        <dt>{w.needed}</dt><dd>{w.neededOf(mine.threshold, mine.guardians.length)}</dd>
        <dt>{w.delayLabel}</dt><dd>{spanText(Number(mine.delay))}</dd>
      </dl>
      <div class="buttons"><Action kind="danger" run={remove}>{w.removeGuardians}</Action></div>
    </article>
  )
}

function Name({ mine, least, name }: { mine: Guardians | undefined; least: number; name: (wish: GuardianWish) => Promise<void> }) {
  const w = patientWords.value
  const numbers = useSignal(mine?.guardians.join('\n') ?? '')
  const threshold = useSignal(String(mine?.threshold ?? 2))
  const choices = [...new Set([least, ...delays.filter((n) => n >= least)])].sort((a, b) => a - b)
  const delay = useSignal(String(Number(mine?.delay ?? BigInt(choices.find((n) => n >= 7 * day) ?? least))))
  const given = numbers.value.split(/\s+/).filter((number) => number !== '')
  return (
    <article class="form">
      <label for="numbers">{w.guardianNumbers}</label>
      <textarea id="numbers" rows={4} autocomplete="off" spellcheck={false} value={numbers.value} onInput={(e) => (numbers.value = e.currentTarget.value)} />
      <label for="threshold">{w.threshold}</label>
      <input id="threshold" type="number" min={2} max={Math.max(2, given.length)} value={threshold.value} onInput={(e) => (threshold.value = e.currentTarget.value)} />
      <label for="guardian-delay">{w.delayDays}</label>
      <select id="guardian-delay" value={delay.value} onChange={(e) => (delay.value = e.currentTarget.value)}>
        {choices.map((n) => <option key={n} value={String(n)}>{spanText(n)}</option>)}
      </select>
      <p>{w.newWordsText}</p>
      <Action disabled={given.length < 2} run={() => name({ numbers: given, threshold: Number(threshold.value), delay: Number(delay.value) })}>{w.setGuardians}</Action>
    </article>
  )
}

function Guarded({ open, g }: { open: Open; g: Guardians }) {
  const w = patientWords.value
  const said = useSignal('')
  return (
    <article aria-label={g.patient}>
      <p class="long">{g.patient}</p>
      <p>{w.neededOf(g.threshold, g.guardians.length)}, {spanText(Number(g.delay))}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Action kind="plain" run={async () => {
        await checkGuardian(open.client, open.vault, g.patient)
        said.value = w.canHelp
      }}>{w.couldHelp}</Action>
    </article>
  )
}
