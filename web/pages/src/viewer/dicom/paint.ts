import type { Frame, Picture, Window } from './read.ts'

/** paint gives the pixels of a frame as a window shows it: linear from black to white (PS3.3 C.11.2.1.2). Colours are shown as they are. */
export function paint(picture: Picture, frame: Frame, window: Window): Uint8ClampedArray<ArrayBuffer> {
  const count = picture.rows * picture.columns
  const out = new Uint8ClampedArray(4 * count).fill(255)
  if (frame.samples === 3) {
    for (let i = 0; i < count; i++) for (let c = 0; c < 3; c++) out[4 * i + c] = frame.values[3 * i + c] ?? 0
    return out
  }
  const width = Math.max(1, window.width)
  const span = Math.max(width - 1, Number.EPSILON)
  for (let i = 0; i < count; i++) {
    const value = (frame.values[i] ?? 0) * picture.slope + picture.intercept
    const shade = ((value - (window.center - 0.5)) / span + 0.5) * 255
    const grey = picture.inverted ? 255 - Math.min(255, Math.max(0, shade)) : shade
    ;[out[4 * i], out[4 * i + 1], out[4 * i + 2]] = [grey, grey, grey]
  }
  return out
}
