import { useSignal } from '@preact/signals'
import { isKind } from '#sdk/errors.js'
import { type Admission, admitPepper } from '#sdk/vault/pepper.js'
import { Action } from '../view/action'
import { hospitalWords } from '../words/hospital/words'
import { timeText } from '../words/words'
import type { Person } from './staff'

/** Admit gives a patient whose papers were looked at a word, with which the own device gets what the wallet needs to open the vault there. */
export function Admit({ client }: Person) {
  const w = hospitalWords.value
  const patient = useSignal('')
  const looked = useSignal(false)
  const made = useSignal<Admission | undefined>(undefined)
  const type = (number: string) => {
    patient.value = number
    made.value = undefined // a word is that of the number beside it
  }
  const admit = async () => {
    made.value = undefined
    made.value = await admitted(() => admitPepper(client, patient.value.trim()))
    looked.value = false // at the papers of this person, and not of the next one
  }
  return (
    <section class="form">
      <h1>{w.admit}</h1>
      <p>{w.admitText}</p>
      <label for="admitted">{w.patientNumber}</label>
      <input id="admitted" autocomplete="off" spellcheck={false} value={patient.value} onInput={(e) => type(e.currentTarget.value)} />
      <p>
        <label class="choice"><input type="checkbox" class="box" checked={looked.value} onChange={(e) => (looked.value = e.currentTarget.checked)} /> {w.lookedAtPapers}</label>
      </p>
      <Action disabled={patient.value.trim() === '' || !looked.value} run={admit}>{w.admitNow}</Action>
      <div role="status" aria-live="polite">
        {made.value !== undefined && <Word admission={made.value} hide={() => (made.value = undefined)} />}
      </div>
    </section>
  )
}

async function admitted(ask: () => Promise<Admission>): Promise<Admission> {
  try {
    return await ask()
  } catch (cause) {
    throw isKind(cause, 'not found') ? new Error(hospitalWords.value.notKeptHere, { cause }) : cause
  }
}

function Word({ admission, hide }: { admission: Admission; hide: () => void }) {
  const w = hospitalWords.value
  return (
    <article aria-label={w.admissionWord}>
      <h2>{w.admissionWord}</h2>
      <p class="spoken"><output translate={false}>{admission.word}</output></p>
      <p>{w.admissionText(timeText(admission.expires))}</p>
      <div class="buttons"><button type="button" class="plain" onClick={hide}>{w.hide}</button></div>
    </article>
  )
}
