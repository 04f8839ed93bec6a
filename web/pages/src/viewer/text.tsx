import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { hospitalWords } from '../words/hospital/words'

// How many characters are laid out at once.
const mostShown = 1_000_000

/** TextView shows text as it is. What is not UTF-8 is read as Western European. */
export function TextView({ content }: { content: Blob }) {
  const w = hospitalWords.value
  const text = useSignal('')
  useEffect(() => {
    void content.arrayBuffer().then((bytes) => (text.value = decode(bytes)))
  }, [content])
  return (
    <>
      {text.value.length > mostShown && <p class="note">{w.textCut(mostShown)}</p>}
      <pre class="text" tabIndex={0}>{text.value.slice(0, mostShown)}</pre>
    </>
  )
}

function decode(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}
