import { useSignal } from '@preact/signals'
import type { ComponentChild } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { OpenedFile } from '#sdk/content/file.js'
import { Action, ErrorNote } from '../view/action'
import { hospitalWords } from '../words/hospital/words'
import { sizeText } from '../words/words'
import { DICOMView } from './dicom/view'
import { type Kind, kindOf, sniffLength } from './kind'
import { PDFView } from './pdf'
import { TextView } from './text'

// Larger files are not held in the memory of a page.
const mostShown = 512n << 20n

/** Viewer shows a file that was opened, from memory alone. */
export function Viewer({ file, close }: { file: OpenedFile; close: () => void }) {
  const w = hospitalWords.value
  const heading = useRef<HTMLHeadingElement>(null)
  const saved = useRef<string[]>([])
  useEffect(() => {
    heading.current?.focus()
    return () => saved.current.forEach((address) => URL.revokeObjectURL(address))
  }, [])
  return (
    <section class="viewer">
      <h1 ref={heading} tabIndex={-1} class="name">{file.name === '' ? w.unnamed : file.name}</h1>
      <p>{file.mediaType}, {sizeText(file.size)}</p>
      <div class="buttons">
        <button type="button" class="main" onClick={close}>{w.close}</button>
        <Action kind="plain" run={async () => void saved.current.push(await download(file))}>{w.download}</Action>
      </div>
      <p>{w.downloadNote}</p>
      {file.size > mostShown ? <p class="note">{w.tooLarge}</p> : <Content file={file} />}
    </section>
  )
}

interface Loaded {
  readonly kind: Kind
  readonly content: Blob
}

function Content({ file }: { file: OpenedFile }) {
  const w = hospitalWords.value
  const loaded = useSignal<Loaded | undefined>(undefined)
  const done = useSignal(0)
  const fault = useSignal<unknown>(undefined)
  useEffect(() => {
    const stop = new AbortController()
    load(file, stop.signal, (bytes) => (done.value = bytes)).then(
      (found) => (loaded.value = found),
      (cause: unknown) => {
        if (!stop.signal.aborted) fault.value = cause
      },
    )
    return () => stop.abort()
  }, [file])
  if (fault.value !== undefined) return <ErrorNote cause={fault.value} />
  if (loaded.value === undefined) {
    return (
      <p role="status">
        {w.loading} <progress aria-label={w.loading} max={1} value={done.value / Math.max(1, Number(file.size))} />
      </p>
    )
  }
  return <Shown {...loaded.value} name={file.name} />
}

function Shown({ kind, content, name }: Loaded & { name: string }) {
  const w = hospitalWords.value
  switch (kind) {
    case 'dicom':
      return <DICOMView content={content} />
    case 'pdf':
      return <PDFView content={content} name={name} />
    case 'image':
      return <Addressed content={content}>{(address) => <img src={address} alt={name} />}</Addressed>
    case 'audio':
      return <Addressed content={content}>{(address) => <audio controls src={address} aria-label={name} />}</Addressed>
    case 'video':
      return <Addressed content={content}>{(address) => <video controls src={address} aria-label={name} />}</Addressed>
    case 'text':
      return <TextView content={content} />
    case 'other':
      return <p class="note">{w.cannotShow}</p>
  }
}

// The content has an address as long as it is shown.
function Addressed({ content, children }: { content: Blob; children: (address: string) => ComponentChild }) {
  const address = useSignal('')
  useEffect(() => {
    const made = URL.createObjectURL(content)
    address.value = made
    return () => URL.revokeObjectURL(made)
  }, [content])
  return address.value === '' ? null : <>{children(address.value)}</>
}

async function load(file: OpenedFile, signal: AbortSignal, progress: (bytes: number) => void): Promise<Loaded> {
  const first = await file.bytes(0n, file.size < BigInt(sniffLength) ? file.size : BigInt(sniffLength))
  const kind = kindOf(file.mediaType, first)
  if (kind === 'other') return { kind, content: new Blob() }
  const parts: Uint8Array<ArrayBuffer>[] = []
  let done = 0
  await file.stream().pipeTo(new WritableStream({
    write(part) {
      parts.push(part)
      progress((done += part.length))
    },
  }), { signal })
  return { kind, content: new Blob(parts, { type: file.mediaType }) }
}

// The name is somebody else's: the browser makes a file name of it. The type is that of nothing that a browser would run. The address that it gives
// is good until it is revoked: when a browser has read all of it nobody is told.
async function download(file: OpenedFile): Promise<string> {
  const content = new Blob([await new Response(file.stream()).blob()], { type: 'application/octet-stream' })
  const address = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = address
  link.download = file.name === '' ? 'record' : file.name
  link.click()
  return address
}
