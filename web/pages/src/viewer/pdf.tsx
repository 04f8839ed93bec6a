import { useSignal } from '@preact/signals'
import type { PDFDocumentProxy } from 'pdfjs-dist'
import { useEffect, useRef } from 'preact/hooks'
import { hospitalWords } from '../words/hospital/words'

/** PDFView shows a document page by page, each as a picture with its text behind it for screen readers. Nothing in a document runs. */
export function PDFView({ content, name }: { content: Blob; name: string }) {
  const w = hospitalWords.value
  const document = useSignal<PDFDocumentProxy | undefined>(undefined)
  const fault = useSignal('')
  useEffect(() => {
    let opened: PDFDocumentProxy | undefined
    let isCurrent = true
    open(content).then(
      (found) => {
        opened = found
        if (isCurrent) document.value = found
        else void found.loadingTask.destroy()
      },
      (cause: unknown) => (fault.value = cause instanceof Error ? cause.message : String(cause)),
    )
    return () => {
      isCurrent = false
      void opened?.loadingTask.destroy()
    }
  }, [content])
  if (fault.value !== '') return <p role="alert" class="note">{w.pdfUnknown(fault.value)}</p>
  if (document.value === undefined) return <p role="status">{w.loading}</p>
  return <Pages document={document.value} name={name} />
}

// The reader of documents is a megabyte, and comes when the first one is shown. It works on this thread: the page's policy lets nothing make workers.
async function open(content: Blob): Promise<PDFDocumentProxy> {
  const [{ getDocument, version }] = await Promise.all([import('pdfjs-dist/legacy/build/pdf.mjs'), import('pdfjs-dist/legacy/build/pdf.worker.mjs')])
  const data = new Uint8Array(await content.arrayBuffer())
  const decoders = new URL(`assets/pdf-${version}/`, window.document.baseURI).href
  return getDocument({ data, wasmUrl: decoders, useWasm: false, enableXfa: false, stopAtErrors: false, verbosity: 0 }).promise
}

function Pages({ document, name }: { document: PDFDocumentProxy; name: string }) {
  const w = hospitalWords.value
  const number = useSignal(1)
  const text = useSignal('')
  const fault = useSignal('')
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const place = canvas.current
    if (place === null) return undefined
    const stop = new AbortController()
    draw(document, number.value, place, stop.signal).then(
      (found) => {
        if (!stop.signal.aborted) text.value = found
      },
      (cause: unknown) => {
        if (!stop.signal.aborted) fault.value = cause instanceof Error ? cause.message : String(cause)
      },
    )
    return () => stop.abort()
  }, [document, number.value])
  const turn = (to: number) => (number.value = Math.min(document.numPages, Math.max(1, to)))
  return (
    <>
      <div class="buttons">
        <button type="button" class="plain" disabled={number.value === 1} onClick={() => turn(number.value - 1)}>{w.previous}</button>
        <label>
          {w.pdfPage} <input type="number" class="number" min={1} max={document.numPages} value={number.value} onChange={(e) => turn(e.currentTarget.valueAsNumber || 1)} /> {w.pdfOf(document.numPages)}
        </label>
        <button type="button" class="plain" disabled={number.value === document.numPages} onClick={() => turn(number.value + 1)}>{w.next}</button>
      </div>
      {fault.value !== '' && <p role="alert" class="note">{w.pdfUnknown(fault.value)}</p>}
      <canvas ref={canvas} class="page" role="img" aria-label={`${name}, ${w.pdfPage} ${number.value}`} aria-describedby="page-text" />
      <p id="page-text" class="hidden">{text.value}</p>
    </>
  )
}

// draw renders a page as wide as its place, and gives its text.
async function draw(document: PDFDocumentProxy, number: number, canvas: HTMLCanvasElement, signal: AbortSignal): Promise<string> {
  const page = await document.getPage(number)
  const width = (canvas.parentElement?.clientWidth ?? 800) * devicePixelRatio
  const viewport = page.getViewport({ scale: width / page.getViewport({ scale: 1 }).width })
  signal.throwIfAborted()
  ;[canvas.width, canvas.height] = [Math.floor(viewport.width), Math.floor(viewport.height)]
  const task = page.render({ canvas, viewport })
  signal.addEventListener('abort', () => task.cancel(), { once: true })
  await task.promise
  const { items } = await page.getTextContent()
  return items.map((item) => ('str' in item ? item.str : '')).join(' ')
}
