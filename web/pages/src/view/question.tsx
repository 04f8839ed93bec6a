import { useEffect, useRef } from 'preact/hooks'
import { question } from '../wallet/demo'
import { words } from '../words/words'

/** DemoQuestion is the demo wallet's window: it shows what is signed, and nothing is without a click. */
export function DemoQuestion() {
  const dialog = useRef<HTMLDialogElement>(null)
  const asked = question.value
  useEffect(() => {
    if (asked !== undefined) dialog.current?.showModal()
    else dialog.current?.close()
  }, [asked])
  const w = words.value
  return (
    <dialog ref={dialog} aria-labelledby="demo-title" data-number={asked?.number} onCancel={() => asked?.answer(false)}>
      <h2 id="demo-title">{w.demoSigns}</h2>
      <dl>
        {asked?.lines.flatMap(([name, value], i) => [<dt key={`${i}n`}>{name}</dt>, <dd key={`${i}v`} class="long">{value}</dd>])}
      </dl>
      <div class="buttons">
        <button type="button" class="main" onClick={() => asked?.answer(true)}>{w.sign}</button>
        <button type="button" class="plain" onClick={() => asked?.answer(false)}>{w.reject}</button>
      </div>
    </dialog>
  )
}
