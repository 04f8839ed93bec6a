import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { ErrorNote } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { paint } from './paint.ts'
import { type Frame, type Picture, readPicture, Unshown, type Window } from './read.ts'

/** DICOMView shows the pictures of a DICOM file: grey values through a window that mouse and keys change. */
export function DICOMView({ content }: { content: Blob }) {
  const w = hospitalWords.value
  const picture = useSignal<Picture | undefined>(undefined)
  const fault = useSignal<unknown>(undefined)
  useEffect(() => {
    let isCurrent = true
    content.arrayBuffer().then((bytes) => readPicture(new Uint8Array(bytes))).then(
      (found) => {
        if (isCurrent) picture.value = found
      },
      (cause: unknown) => (fault.value = cause),
    )
    return () => {
      isCurrent = false
    }
  }, [content])
  if (fault.value instanceof Unshown) return <p role="alert" class="note">{w.dicomUnknown(fault.value.message)}</p>
  if (fault.value !== undefined) return <ErrorNote cause={fault.value} />
  if (picture.value === undefined) return <p role="status">{w.loading}</p>
  return <Shown picture={picture.value} />
}

function Shown({ picture }: { picture: Picture }) {
  const w = hospitalWords.value
  const at = useSignal(0)
  const window = useSignal<Window>(picture.window)
  const frame = useSignal<Frame | undefined>(undefined)
  const fault = useSignal('')
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    let isCurrent = true
    picture.frame(at.value).then(
      (found) => {
        if (isCurrent) frame.value = found
      },
      (cause: unknown) => (fault.value = cause instanceof Error ? cause.message : String(cause)),
    )
    return () => {
      isCurrent = false
    }
  }, [picture, at.value])
  useEffect(() => {
    const context = canvas.current?.getContext('2d')
    if (context === null || context === undefined || frame.value === undefined) return
    context.putImageData(new ImageData(paint(picture, frame.value, window.value), picture.columns, picture.rows), 0, 0)
  }, [picture, frame.value, window.value])
  const go = (to: number) => (at.value = Math.min(picture.frames - 1, Math.max(0, to)))
  const shift = (center: number, width: number) => {
    window.value = { center: window.value.center + center, width: Math.max(1, window.value.width + width) }
  }
  const step = picture.window.width / 32
  const keys: Readonly<Record<string, () => void>> = {
    ArrowUp: () => shift(-step, 0), ArrowDown: () => shift(step, 0), ArrowLeft: () => shift(0, step), ArrowRight: () => shift(0, -step),
    PageUp: () => go(at.value - 1), PageDown: () => go(at.value + 1), Home: () => go(0), End: () => go(picture.frames - 1), r: () => (window.value = picture.window),
  }
  const isGrey = frame.value?.samples !== 3
  return (
    <>
      <dl>
        {([[w.dicomPatient, picture.patient], [w.dicomStudy, picture.study], [w.dicomDate, picture.date], [w.dicomModality, picture.modality]] as const)
          .filter(([, value]) => value !== '').flatMap(([name, value]) => [<dt key={`${name}n`}>{name}</dt>, <dd key={`${name}v`}>{value}</dd>])}
      </dl>
      <p class="note">{w.notDiagnostic}</p>
      {fault.value !== '' && <p role="alert" class="note">{w.dicomUnknown(fault.value)}</p>}
      <canvas
        ref={canvas}
        class="picture"
        role="img"
        tabIndex={0}
        aria-label={w.dicomPicture(at.value + 1, picture.frames)}
        aria-describedby="picture-help"
        width={picture.columns}
        height={picture.rows}
        onKeyDown={(e) => {
          const act = keys[e.key.length === 1 ? e.key.toLowerCase() : e.key]
          if (act === undefined || e.ctrlKey || e.metaKey || e.altKey) return
          e.preventDefault()
          act()
        }}
        onWheel={(e) => {
          if (picture.frames === 1) return
          e.preventDefault()
          go(at.value + Math.sign(e.deltaY))
        }}
        onPointerDown={(e) => e.currentTarget.setPointerCapture(e.pointerId)}
        onPointerMove={(e) => {
          if (e.currentTarget.hasPointerCapture(e.pointerId)) shift((e.movementY * step) / 4, (e.movementX * step) / 4)
        }}
      />
      {picture.frames > 1 && (
        <label>
          {w.frame} <input type="range" min={1} max={picture.frames} value={at.value + 1} onInput={(e) => go(e.currentTarget.valueAsNumber - 1)} /> <output>{w.dicomPicture(at.value + 1, picture.frames)}</output>
        </label>
      )}
      {isGrey && (
        <div class="buttons">
          <label>{w.windowCenter} <input type="number" class="number" step="any" value={Math.round(window.value.center * 10) / 10} onChange={(e) => shift((e.currentTarget.valueAsNumber || 0) - window.value.center, 0)} /></label>
          <label>{w.windowWidth} <input type="number" class="number" min={1} step="any" value={Math.round(window.value.width * 10) / 10} onChange={(e) => shift(0, (e.currentTarget.valueAsNumber || 1) - window.value.width)} /></label>
          <button type="button" class="plain" onClick={() => (window.value = picture.window)}>{w.reset}</button>
        </div>
      )}
      <p id="picture-help">{w.dicomHelp}</p>
    </>
  )
}
