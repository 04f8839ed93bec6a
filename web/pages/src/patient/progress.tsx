import { patientWords } from '../words/patient/words'
import type { Work } from './work'

/** WorkBar shows how far a work is, and stops it; nothing while nothing is done. */
export function WorkBar({ work, say }: { work: Work; say: (done: number, all: number) => string }) {
  const now = work.progress.value
  if (now === undefined) return null
  const text = say(now.done, now.all)
  return (
    <div class="work">
      <p role="status" aria-live="polite">{now.all > 0 && text}</p>
      {now.all > 0 ? <progress aria-label={text} max={now.all} value={now.done} /> : <progress aria-label={text} />}
      <div class="buttons"><button type="button" class="plain" onClick={() => work.stop()}>{patientWords.value.stop}</button></div>
    </div>
  )
}
