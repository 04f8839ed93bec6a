import { signal as state, useSignal } from '@preact/signals'
import { archiveOwn } from '#sdk/archive/own.js'
import { Action } from '../view/action'
import { patientWords } from '../words/patient/words'
import { sizeText } from '../words/words'
import type { Openers } from './age'
import type { Open } from './pages'
import { clearPlace, keepPlace } from './place'
import { WorkBar } from './progress'
import { Work } from './work'

// The archive has the name that the command's examples have.
const fileName = 'records.tar.age'
const shortest = 12

const archiving = new Work()

interface Made {
  /** Whose it is. */
  readonly patient: string
  readonly file: File
  readonly versions: number
}

// What was made stays while other pages are looked at.
const made = state<Made | undefined>(undefined)

/** ArchivePage has a patient take all records along, in one encrypted file. */
export function ArchivePage({ open }: { open: Open }) {
  const w = patientWords.value
  const said = useSignal('')
  const mine = made.value?.patient === open.patient ? made.value : undefined
  return (
    <section>
      <h1>{w.archive}</h1>
      <p>{w.archiveText}</p>
      <pre class="command" translate={false}>age -d {fileName} | tar x</pre>
      <p>{w.archiveSigns}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <WorkBar work={archiving} say={w.archiving} />
      {mine === undefined ? <Wish make={async (openers) => {
        said.value = ''
        await make(open, openers)
      }} /> : <Ready made={mine} remove={async () => {
        await clearPlace()
        made.value = undefined
        said.value = w.archiveRemoved
      }} />}
    </section>
  )
}

// make archives, encrypts and keeps: none of the three holds more than a few leaves of a file.
async function make({ client, patient, vault }: Open, openers: Openers): Promise<void> {
  const { encrypter } = await import('./age')
  const sealed = encrypter(openers, (key) => new Error(patientWords.value.ageKeyWrong(key)))
  await archiving.run(async (signal, tell) => {
    let versions = 0
    const archive = archiveOwn(client, vault, {
      signal, tell: (done, all) => {
        versions = done
        tell({ done, all })
      },
    })
    const file = await keepPlace(fileName, await sealed.encrypt(streamOf(archive)), signal)
    made.value = { patient, file, versions }
  })
}

function streamOf(parts: AsyncGenerator<Uint8Array, undefined>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await parts.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await parts.return(undefined)
    },
  }, { highWaterMark: 0 })
}

function Wish({ make: start }: { make: (openers: Openers) => Promise<void> }) {
  const w = patientWords.value
  const by = useSignal<'passphrase' | 'keys'>('passphrase')
  const [passphrase, again, keys] = [useSignal(''), useSignal(''), useSignal('')]
  const choice = (of: typeof by.value, text: string) => (
    <label class="choice"><input type="radio" name="by" checked={by.value === of} onChange={() => (by.value = of)} /> {text}</label>
  )
  const openers = (): Openers => {
    if (by.value === 'keys') return { keys: keys.value.split(/\s+/).filter((key) => key !== '') }
    if (passphrase.value.length < shortest) throw new Error(w.passphraseShort)
    if (passphrase.value !== again.value) throw new Error(w.passphraseOther)
    return { passphrase: passphrase.value }
  }
  return (
    <article class="form" aria-label={w.archiveBy}>
      <fieldset>
        <legend>{w.archiveBy}</legend>
        {choice('passphrase', w.byPassphrase)}
        {choice('keys', w.byKeys)}
      </fieldset>
      {by.value === 'passphrase' ? (
        <>
          <label for="passphrase">{w.passphrase}</label>
          <input id="passphrase" type="password" autocomplete="new-password" value={passphrase.value} onInput={(e) => (passphrase.value = e.currentTarget.value)} />
          <label for="passphrase-again">{w.passphraseAgain}</label>
          <input id="passphrase-again" type="password" autocomplete="new-password" value={again.value} onInput={(e) => (again.value = e.currentTarget.value)} />
        </>
      ) : (
        <>
          <label for="age-keys">{w.ageKeys}</label>
          <textarea id="age-keys" rows={3} autocomplete="off" spellcheck={false} value={keys.value} onInput={(e) => (keys.value = e.currentTarget.value)} />
        </>
      )}
      <div class="buttons">
        <Action disabled={archiving.progress.value !== undefined || (by.value === 'keys' && keys.value.trim() === '')} run={async () => {
          await start(openers())
          passphrase.value = again.value = ''
        }}>{w.makeArchive}</Action>
      </div>
    </article>
  )
}

function Ready({ made: { file, versions }, remove }: { made: Made; remove: () => Promise<void> }) {
  const w = patientWords.value
  return (
    <article aria-label={w.saveArchive}>
      <p role="status" aria-live="polite">{w.archiveMade(versions, sizeText(BigInt(file.size)))}</p>
      <p>{w.archiveKept}</p>
      <div class="buttons">
        <button type="button" class="main" onClick={() => save(file)}>{w.saveArchive}</button>
        <Action kind="plain" run={remove}>{w.removeArchive}</Action>
      </div>
    </article>
  )
}

// The address of the file goes with the page: a browser may read from it for as long as it saves.
function save(file: File): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = fileName
  link.click()
}
