import type { DataSet, Element } from 'dicom-parser'
import { type Codec, decode } from './codecs.ts'
import { decodeRLE } from './rle.ts'

/** Unshown says why a picture can't be shown here. */
export class Unshown extends Error {
  override readonly name = 'Unshown'
}

/** Picture is what a DICOM file shows, and what is said of it. */
export interface Picture {
  readonly patient: string
  readonly study: string
  readonly date: string
  readonly modality: string
  readonly rows: number
  readonly columns: number
  readonly frames: number
  /** Whether smaller values are brighter. */
  readonly inverted: boolean
  /** The window that the file names, or one over all values of the first frame. */
  readonly window: Window
  /** What window and values are in: value = stored · slope + intercept. */
  readonly slope: number
  readonly intercept: number
  /** frame decodes one frame, counted from 0. */
  frame(at: number): Promise<Frame>
}

/** Window is the range of values that is shown from black to white. */
export interface Window {
  readonly center: number
  readonly width: number
}

/** Frame is the values of one picture row by row: one a pixel, or red, green and blue. */
export interface Frame {
  readonly samples: 1 | 3
  readonly values: Int32Array | Uint8Array | Uint8ClampedArray
}

// Tags of PS3.6.
const tag = {
  syntax: 'x00020010', charset: 'x00080005', date: 'x00080020', modality: 'x00080060', study: 'x00081030', patient: 'x00100010', samples: 'x00280002', photometric: 'x00280004',
  planar: 'x00280006', frames: 'x00280008', rows: 'x00280010', columns: 'x00280011', allocated: 'x00280100', stored: 'x00280101', signed: 'x00280103', center: 'x00281050', width: 'x00281051',
  intercept: 'x00281052', slope: 'x00281053', pixels: 'x7fe00010',
} as const

type Syntax = 'raw' | 'big' | 'rle' | 'jpeg' | Codec

const syntaxes: Readonly<Record<string, Syntax>> = {
  '1.2.840.10008.1.2': 'raw', '1.2.840.10008.1.2.1': 'raw', '1.2.840.10008.1.2.2': 'big', '1.2.840.10008.1.2.5': 'rle', '1.2.840.10008.1.2.4.50': 'jpeg',
  '1.2.840.10008.1.2.4.57': 'lossless', '1.2.840.10008.1.2.4.70': 'lossless', '1.2.840.10008.1.2.4.80': 'jpegls', '1.2.840.10008.1.2.4.81': 'jpegls',
  '1.2.840.10008.1.2.4.90': 'jpeg2000', '1.2.840.10008.1.2.4.91': 'jpeg2000',
}

// Defined terms of Specific Character Set (PS3.3 C.12.1.1.2) that browsers can read.
const charsets: Readonly<Record<string, string>> = {
  'ISO_IR 192': 'utf-8', 'ISO_IR 100': 'iso-8859-1', 'ISO_IR 101': 'iso-8859-2', 'ISO_IR 109': 'iso-8859-3', 'ISO_IR 110': 'iso-8859-4', 'ISO_IR 144': 'iso-8859-5',
  'ISO_IR 127': 'iso-8859-6', 'ISO_IR 126': 'iso-8859-7', 'ISO_IR 138': 'iso-8859-8', 'ISO_IR 148': 'windows-1254', GB18030: 'gb18030', GBK: 'gbk',
}

interface Layout {
  readonly syntax: Syntax
  readonly rows: number
  readonly columns: number
  readonly samples: 1 | 3
  readonly photometric: string
  readonly isPlanar: boolean
  readonly allocated: 8 | 16
  readonly stored: number
  readonly isSigned: boolean
  readonly frames: number
}

/** readPicture reads a DICOM file (PS3.10). The error is Unshown where its picture is of a kind that is not read here. */
export async function readPicture(bytes: Uint8Array<ArrayBuffer>): Promise<Picture> {
  const { default: dicom } = await import('dicom-parser')
  const syntax = syntaxOf(known(() => dicom.readPart10Header(bytes)))
  const set = known(() => dicom.parseDicom(bytes))
  const l = layoutOf(set, syntax)
  const pixels = set.elements[tag.pixels]
  if (pixels === undefined) throw new Unshown('the file has no picture')
  const frame = (at: number) => frameAt(dicom, set, pixels, l, at, bytes)
  const [slope, intercept] = [decimal(set, tag.slope) ?? 1, decimal(set, tag.intercept) ?? 0]
  return {
    patient: text(set, tag.patient).replaceAll('^', ' ').trim(), study: text(set, tag.study), date: dateText(text(set, tag.date)), modality: text(set, tag.modality),
    rows: l.rows, columns: l.columns, frames: l.frames, inverted: l.photometric === 'MONOCHROME1', slope, intercept,
    window: windowOf(set) ?? rangeOf(await frame(0), slope, intercept), frame,
  }
}

// What a reader of DICOM refuses is no picture.
function known<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new Unshown(reasonOf(cause), { cause })
  }
}

function syntaxOf(header: DataSet): Syntax {
  const uid = (header.string(tag.syntax) ?? '').trim()
  const syntax = syntaxes[uid]
  if (syntax === undefined) throw new Unshown(`transfer syntax ${uid}`)
  return syntax
}

function layoutOf(set: DataSet, syntax: Syntax): Layout {
  const [rows = 0, columns = 0] = [set.uint16(tag.rows), set.uint16(tag.columns)]
  const [samples = 1, allocated = 16] = [set.uint16(tag.samples), set.uint16(tag.allocated)]
  const photometric = (set.string(tag.photometric) ?? 'MONOCHROME2').trim()
  if (rows === 0 || columns === 0) throw new Unshown('the file has no picture')
  if (samples !== 1 && samples !== 3) throw new Unshown(`${samples} samples a pixel`)
  if (allocated !== 8 && allocated !== 16) throw new Unshown(`${allocated} bits a sample`)
  const isKnown = samples === 1 ? photometric.startsWith('MONOCHROME') : coloursOf(syntax).includes(photometric) && allocated === 8
  if (!isKnown) throw new Unshown(`${photometric} with ${allocated} bits a sample`)
  return {
    syntax, rows, columns, samples, photometric, allocated, isPlanar: set.uint16(tag.planar) === 1, stored: Math.min(set.uint16(tag.stored) ?? allocated, allocated),
    isSigned: set.uint16(tag.signed) === 1, frames: Math.max(1, set.intString(tag.frames) ?? 1),
  }
}

// A browser takes the colours of a JPEG for YBR, whatever the file says, and a decoder of JPEG 2000 gives RGB.
function coloursOf(syntax: Syntax): readonly string[] {
  switch (syntax) {
    case 'jpeg':
      return ['YBR_FULL', 'YBR_FULL_422']
    case 'jpeg2000':
      return ['RGB', 'YBR_RCT', 'YBR_ICT']
    default:
      return ['RGB', 'YBR_FULL']
  }
}

type Parser = typeof import('dicom-parser')

async function frameAt(dicom: Parser, set: DataSet, pixels: Element, l: Layout, at: number, bytes: Uint8Array<ArrayBuffer>): Promise<Frame> {
  const length = l.rows * l.columns * l.samples * (l.allocated / 8)
  if (l.syntax === 'raw' || l.syntax === 'big') {
    const start = pixels.dataOffset + at * length
    if (at >= l.frames || (at + 1) * length > pixels.length) throw new Unshown('the picture is cut short')
    return valuesOf(bytes.subarray(start, start + length), l)
  }
  const fragment = Uint8Array.from(encapsulated(dicom, set, pixels, l, at))
  if (l.syntax === 'jpeg') return jpegFrame(fragment, l)
  if (l.syntax === 'rle') return valuesOf(decodeRLE(fragment, l.rows * l.columns, l.samples, l.allocated / 8), { ...l, isPlanar: false })
  return decodedFrame(l.syntax, fragment, l)
}

// What a decoder says of a frame must be what the file says of it.
async function decodedFrame(codec: Codec, fragment: Uint8Array<ArrayBuffer>, l: Layout): Promise<Frame> {
  let decoded
  try {
    decoded = await decode(codec, fragment)
  } catch (cause) {
    throw new Unshown('a frame in it can’t be decoded', { cause })
  }
  const { bytes, columns, rows, samples, bytesEach, isPlanar, isSigned = l.isSigned } = decoded
  if (columns !== l.columns || rows !== l.rows || samples !== l.samples || bytes.length < rows * columns * samples * bytesEach) throw new Unshown('a frame in it is of another size')
  return valuesOf(bytes, { ...l, syntax: 'raw', allocated: bytesEach === 1 ? 8 : 16, stored: Math.min(l.stored, 8 * bytesEach), isSigned, isPlanar })
}

function encapsulated(dicom: Parser, set: DataSet, pixels: Element, l: Layout, at: number): Uint8Array {
  const fragments = pixels.fragments ?? []
  return known(() => {
    if (fragments.length === l.frames) return dicom.readEncapsulatedPixelDataFromFragments(set, pixels, at, 1) as Uint8Array
    if (l.frames === 1) return dicom.readEncapsulatedPixelDataFromFragments(set, pixels, 0, fragments.length) as Uint8Array
    const table = pixels.basicOffsetTable !== undefined && pixels.basicOffsetTable.length > 0 ? undefined : dicom.createJPEGBasicOffsetTable(set, pixels)
    return dicom.readEncapsulatedImageFrame(set, pixels, at, table) as Uint8Array
  })
}

// A baseline JPEG is one that browsers decode themselves.
async function jpegFrame(bytes: Uint8Array<ArrayBuffer>, l: Layout): Promise<Frame> {
  let bitmap: ImageBitmap
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }))
  } catch (cause) {
    throw new Unshown('a JPEG in it can’t be decoded', { cause })
  }
  const context = new OffscreenCanvas(l.columns, l.rows).getContext('2d')
  if (context === null) throw new Unshown('the browser has no canvas')
  context.drawImage(bitmap, 0, 0, l.columns, l.rows)
  bitmap.close()
  const { data } = context.getImageData(0, 0, l.columns, l.rows)
  const values = new Uint8Array(l.rows * l.columns * l.samples)
  for (let i = 0; i < values.length; i++) values[i] = data[Math.floor(i / l.samples) * 4 + (i % l.samples)] ?? 0
  return { samples: l.samples, values }
}

function valuesOf(bytes: Uint8Array, l: Layout): Frame {
  if (l.samples === 3) return { samples: 3, values: colours(bytes, l) }
  if (l.allocated === 8) return { samples: 1, values: l.isSigned ? Int32Array.from(new Int8Array(bytes)) : bytes }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = new Int32Array(bytes.length / 2)
  // What is above the stored bits is not of the value, and the highest of them is its sign.
  const unused = 32 - l.stored
  for (let i = 0; i < values.length; i++) {
    const shifted = view.getUint16(2 * i, l.syntax !== 'big') << unused
    values[i] = l.isSigned ? shifted >> unused : shifted >>> unused
  }
  return { samples: 1, values }
}

function colours(bytes: Uint8Array, l: Layout): Uint8Array | Uint8ClampedArray {
  const count = l.rows * l.columns
  const interleaved = l.isPlanar ? Uint8Array.from({ length: 3 * count }, (_, i) => bytes[(i % 3) * count + Math.floor(i / 3)] ?? 0) : bytes
  if (l.photometric !== 'YBR_FULL') return interleaved
  const rgb = new Uint8ClampedArray(3 * count)
  for (let i = 0; i < 3 * count; i += 3) {
    const [y = 0, cb = 0, cr = 0] = [interleaved[i], interleaved[i + 1], interleaved[i + 2]]
    // PS3.3 C.7.6.3.1.2
    rgb.set([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)], i)
  }
  return rgb
}

function windowOf(set: DataSet): Window | undefined {
  const [center, width] = [decimal(set, tag.center), decimal(set, tag.width)]
  return center === undefined || width === undefined || width < 1 ? undefined : { center, width }
}

function rangeOf(frame: Frame, slope: number, intercept: number): Window {
  let [least, most] = [Infinity, -Infinity]
  for (const value of frame.values) [least, most] = [Math.min(least, value), Math.max(most, value)]
  const [a, b] = [least * slope + intercept, most * slope + intercept]
  return { center: (a + b + 1) / 2, width: Math.abs(b - a) + 1 }
}

function decimal(set: DataSet, at: string): number | undefined {
  const value = set.floatString(at)
  return value === undefined || !Number.isFinite(value) ? undefined : value
}

function text(set: DataSet, at: string): string {
  const element = set.elements[at]
  if (element === undefined) return ''
  const charset = charsets[(set.string(tag.charset) ?? '').trim()] ?? 'iso-8859-1'
  const bytes = Uint8Array.from(set.byteArray.subarray(element.dataOffset, element.dataOffset + element.length))
  return new TextDecoder(charset).decode(bytes).replaceAll('\0', '').trim()
}

function dateText(date: string): string {
  return /^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error) return cause.message
  const said: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'exception') : cause
  return String(said)
}
