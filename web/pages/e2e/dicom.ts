import openJPEG from '@cornerstonejs/codec-openjpeg'
import { paint } from '../src/viewer/dicom/paint.ts'
import { type Picture, readPicture, Unshown } from '../src/viewer/dicom/read.ts'
import { check, demand } from './check.ts'

const [implicit, explicit, big, deflated, rle, extended] = [
  '1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.5', '1.2.840.10008.1.2.4.51',
]
const [lossless, losslessSV1, jpegLS, nearLossless, jpeg2000, jpeg2000Lossy] = ['57', '70', '80', '81', '90', '91'].map((n) => `1.2.840.10008.1.2.4.${n}`) as [string, string, string, string, string, string]

interface Wishes {
  readonly syntax?: string
  readonly photometric?: string
  readonly samples?: number
  readonly planar?: number
  readonly frames?: number
  readonly allocated?: number
  readonly stored?: number
  readonly signed?: number
  readonly window?: readonly [string, string]
  readonly slope?: readonly [string, string]
  /** Encapsulated, one fragment a frame. */
  readonly fragments?: readonly Uint8Array[]
}

// A picture of two rows and three columns, written as PS3.10 and PS3.5 say.
function file(pixels: Uint8Array, w: Wishes = {}): Uint8Array<ArrayBuffer> {
  const { syntax = explicit, photometric = 'MONOCHROME2', samples = 1, planar = 0, frames = 1, allocated = 16, stored = allocated, signed = 0 } = w
  const parts: Uint8Array[] = [new Uint8Array(128), ascii('DICM')]
  meta(parts, syntax)
  const isBig = syntax === big
  const add = (group: number, number: number, vr: string, value: Uint8Array, length = value.length) => parts.push(head(group, number, vr, length, syntax === implicit, isBig), value)
  const uint16 = (n: number) => (isBig ? Uint8Array.of(n >> 8, n & 255) : Uint8Array.of(n & 255, n >> 8))
  const pairs = (texts: readonly [string, string] | undefined, numbers: readonly [number, number]) => texts?.forEach((t, i) => add(0x28, numbers[i] ?? 0, 'DS', ascii(t)))
  add(0x28, 2, 'US', uint16(samples))
  add(0x28, 4, 'CS', ascii(photometric))
  if (samples > 1) add(0x28, 6, 'US', uint16(planar))
  add(0x28, 8, 'IS', ascii(String(frames)))
  for (const [number, value] of [[0x10, 2], [0x11, 3], [0x100, allocated], [0x101, stored], [0x102, stored - 1], [0x103, signed]] as const) add(0x28, number, 'US', uint16(value))
  pairs(w.window, [0x1050, 0x1051])
  pairs(w.slope, [0x1053, 0x1052])
  if (w.fragments === undefined) add(0x7fe0, 0x10, 'OW', pixels)
  else {
    add(0x7fe0, 0x10, 'OB', new Uint8Array(), 0xffffffff)
    for (const fragment of [new Uint8Array(), ...w.fragments]) parts.push(item(0xe000, fragment.length), fragment)
    parts.push(item(0xe0dd, 0))
  }
  return Uint8Array.from(Buffer.concat(parts))
}

function meta(parts: Uint8Array[], syntax: string): void {
  const uid = ascii(syntax, '\0')
  parts.push(head(2, 0, 'UL', 4, false, false), Uint8Array.of(8 + uid.length, 0, 0, 0), head(2, 0x10, 'UI', uid.length, false, false), uid)
}

function head(group: number, number: number, vr: string, length: number, isImplicit: boolean, isBig: boolean): Uint8Array {
  const isLong = vr === 'OB' || vr === 'OW'
  const bytes = new DataView(new ArrayBuffer(isImplicit || !isLong ? 8 : 12))
  bytes.setUint16(0, group, !isBig)
  bytes.setUint16(2, number, !isBig)
  if (isImplicit) bytes.setUint32(4, length, true)
  else {
    ;[...vr].forEach((letter, i) => bytes.setUint8(4 + i, letter.charCodeAt(0)))
    if (isLong) bytes.setUint32(8, length, !isBig)
    else bytes.setUint16(6, length, !isBig)
  }
  return new Uint8Array(bytes.buffer)
}

function item(number: number, length: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setUint16(0, 0xfffe, true)
  bytes.setUint16(2, number, true)
  bytes.setUint32(4, length, true)
  return new Uint8Array(bytes.buffer)
}

function ascii(text: string, pad = ' '): Uint8Array {
  return Buffer.from(text.length % 2 === 0 ? text : text + pad, 'latin1')
}

function words(isBig: boolean, ...values: number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(2 * values.length))
  values.forEach((value, i) => bytes.setUint16(2 * i, value & 0xffff, !isBig))
  return new Uint8Array(bytes.buffer)
}

// A frame of RLE: the header, then each segment with all of it literal but a run of three at its end.
function packed(...segments: number[][]): Uint8Array {
  const bodies = segments.map((s) => Uint8Array.of(s.length - 4, ...s.slice(0, -3), 254, s.at(-1) ?? 0))
  const header = new DataView(new ArrayBuffer(64))
  header.setUint32(0, segments.length, true)
  bodies.reduce((at, body, i) => {
    header.setUint32(4 + 4 * i, at, true)
    return at + body.length
  }, 64)
  const bytes = Buffer.concat([new Uint8Array(header.buffer), ...bodies])
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)])
}

async function values(picture: Picture, at = 0): Promise<string> {
  return [...(await picture.frame(at)).values].join(' ')
}

async function reads(name: string, bytes: Uint8Array<ArrayBuffer>, want: string, at = 0): Promise<void> {
  const got = await values(await readPicture(bytes), at)
  demand(got === want, `${name}: ${got}, not ${want}`)
}

async function unshown(name: string, why: string, bytes: Uint8Array<ArrayBuffer>, at = 0): Promise<void> {
  try {
    await (await readPicture(bytes)).frame(at)
  } catch (cause) {
    demand(cause instanceof Unshown && cause.message.includes(why), `${name}: ${String(cause)}, not ${why}`)
    return
  }
  throw new Error(`${name} is shown`)
}

await check('the viewer reads DICOM in either byte order, signed, in colours and packed', async () => {
  const six = [1, 2, 3, 400, 4095, 0]
  for (const syntax of [implicit, explicit, big]) await reads(syntax, file(words(syntax === big, ...six), { syntax }), six.join(' '))
  await reads('overlay bits', file(words(false, 0xf001, 2, 3, 4, 0xffff, 0), { stored: 12 }), '1 2 3 4 4095 0')
  await reads('signed', file(words(false, -1, 2, -2048, 2047, 0xffff, 0), { stored: 12, signed: 1 }), '-1 2 -2048 2047 -1 0')
  await reads('signed bytes', file(Uint8Array.of(255, 1, 2, 3, 128, 0), { allocated: 8, signed: 1 }), '-1 1 2 3 -128 0')
  await reads('second frame', file(words(false, ...six, 9, 8, 7, 6, 5, 4), { frames: 2 }), '9 8 7 6 5 4', 1)
  const rgb = Array.from({ length: 18 }, (_, i) => i)
  await reads('RGB', file(Uint8Array.from(rgb), { photometric: 'RGB', samples: 3, allocated: 8 }), rgb.join(' '))
  const planes = [0, 1, 2].flatMap((c) => rgb.filter((v) => v % 3 === c))
  await reads('planes', file(Uint8Array.from(planes), { photometric: 'RGB', samples: 3, allocated: 8, planar: 1 }), rgb.join(' '))
  const red = Array.from({ length: 6 }, () => [76, 85, 255]).flat()
  await reads('YBR', file(Uint8Array.from(red), { photometric: 'YBR_FULL', samples: 3, allocated: 8 }), Array.from({ length: 6 }, () => '254 0 0').join(' '))
  await reads('RLE', file(new Uint8Array(), { syntax: rle, fragments: [packed([0, 1, 2, 3, 3, 3], [9, 8, 7, 1, 1, 1])] }), '9 264 519 769 769 769')
  await reads('RLE RGB', file(new Uint8Array(), { syntax: rle, photometric: 'RGB', samples: 3, allocated: 8, fragments: [packed([1, 2, 3, 4, 4, 4], [5, 6, 7, 8, 8, 8], [9, 10, 11, 12, 12, 12])] }),
    '1 5 9 2 6 10 3 7 11 4 8 12 4 8 12 4 8 12')
  const twice = file(new Uint8Array(), { syntax: rle, allocated: 8, frames: 2, fragments: [packed([1, 2, 3, 4, 4, 4]), packed([5, 6, 7, 8, 8, 8])] })
  await reads('RLE, second frame', twice, '5 6 7 8 8 8', 1)
})

// What dcmtk makes of the picture: dcmcjpeg and dcmcjpls of 3.6.
const grey = [1, 2, 3, 400, 4095, 0]
const signed = [-1, 2, -2048, 2047, -1, 0]
const rgb = Array.from({ length: 18 }, (_, i) => i)
const colours = { photometric: 'RGB', samples: 3, allocated: 8 } as const
const made: readonly (readonly [string, string, Wishes, readonly number[]])[] = [
  [losslessSV1, '/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAACAAMBAREA/8QAFwAAAwEAAAAAAAAAAAAAAAAAAQkMD//aAAgBAQABAADAAAlx9zfAAf/Z', { stored: 12 }, grey],
  [lossless, '/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAACAAMBAREA/8QAFwAAAwEAAAAAAAAAAAAAAAAAAQkMD//aAAgBAQAGAADAAAlx95tP/f/Z', { stored: 12 }, grey],
  [jpegLS, '/9j/9wALEAACAAMBAREA//gADQH//wASAEMBFABA/9oACAEBAAAAAEAYAwB48Am8A/6A///Z', { stored: 12 }, grey],
  [nearLossless, '/9j/9wALDAACAAMBAREA/9oACAEBAAIAANEAAA8AIyD/2Q==', { stored: 12 }, [0, 0, 5, 400, 4095, 0]],
  [losslessSV1, '/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAACAAMBAREA/8QAFwABAAMAAAAAAAAAAAAAAAAADAECD//aAAgBAQABAADf/wDuf9QAH/5//9k=', { signed: 1 }, signed],
  [lossless, '/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAACAAMBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAADwwC/9oACAEBAAYAAH//ANz/ALQAPf6EAP8A///Z', { signed: 1 }, signed],
  [jpegLS, '/9j/9wALEAACAAMBAREA//gADQH//wASAEMBFABA/9oACAEBAAAAAEAIChAQf/gDgED/2Q==', { signed: 1 }, signed],
  [losslessSV1, '/9j/wwARCAACAAMDABEAAREAAhEA/8QAFwABAQEBAAAAAAAAAAAAAAAAAgQHCP/aAAwDAAABAAIAAQAA5/wDAW226aaW22///9k=', colours, rgb],
  [lossless, '/9j/wwARCAACAAMDABEAAREAAhEA/8QAGAAAAwEBAAAAAAAAAAAAAAAAAgMEBwj/2gAMAwAAAQACAAYAAOf8AwEzMzOmmlrWta3/2Q==', colours, rgb],
  [jpegLS, '/9j/9wARCAACAAMDAREAAhEAAxEA/9oADAMBAAIAAwAAAQCVVXv6GZgyIRsA///Z', colours, rgb],
]

/** compressedFiles are one grey picture, whose brightest pixel is the middle one of the second row, in each compression that browsers do not know. */
export async function compressedFiles(): Promise<readonly Uint8Array[]> {
  const [sv1, ls] = [made[0], made[2]].map((one) => Buffer.from(one?.[1] ?? '', 'base64')) as [Buffer, Buffer]
  const wishes = { stored: 12, window: ['2048', '4096'] } as const
  const frames = [[losslessSV1, sv1], [jpegLS, ls], [jpeg2000, await encoded2000(words(false, ...grey), 12, false, 1)]] as const
  return frames.map(([syntax, frame]) => file(new Uint8Array(), { syntax, ...wishes, fragments: [frame] }))
}

/** encoded2000 is a picture of two rows and three columns as OpenJPEG writes it, without loss. */
async function encoded2000(pixels: Uint8Array, bits: number, isSigned: boolean, components: number): Promise<Uint8Array> {
  const { J2KEncoder } = await openJPEG({ print: () => undefined })
  const encoder = new J2KEncoder()
  encoder.getDecodedBuffer({ width: 3, height: 2, bitsPerSample: bits, componentCount: components, isSigned }).set(pixels)
  encoder.setQuality(true, 0)
  encoder.setDecompositions(1)
  encoder.encode()
  const frame = encoder.getEncodedBuffer().slice()
  encoder.delete()
  return frame
}

await check('the viewer reads JPEG without loss, JPEG-LS and JPEG 2000, to the value', async () => {
  for (const [syntax, fragment, wishes, want] of made) {
    await reads(syntax, file(new Uint8Array(), { syntax, ...wishes, fragments: [Buffer.from(fragment, 'base64')] }), want.join(' '))
  }
  for (const syntax of [jpeg2000, jpeg2000Lossy]) {
    await reads('JPEG 2000', file(new Uint8Array(), { syntax, stored: 12, fragments: [await encoded2000(words(false, ...grey), 12, false, 1)] }), grey.join(' '))
  }
  await reads('JPEG 2000, signed', file(new Uint8Array(), { syntax: jpeg2000, signed: 1, fragments: [await encoded2000(words(false, ...signed), 16, true, 1)] }), signed.join(' '))
  const rct = { ...colours, photometric: 'YBR_RCT', fragments: [await encoded2000(Uint8Array.from(rgb), 8, false, 3)] }
  await reads('JPEG 2000, colours', file(new Uint8Array(), { ...rct, syntax: jpeg2000 }), rgb.join(' '))
})

await check('a frame that is damaged, or of another size than its file says, is not shown, and the next one is', async () => {
  const whole = await encoded2000(words(false, ...grey), 12, false, 1)
  for (const syntax of [losslessSV1, jpegLS, jpeg2000]) {
    await unshown('noise', 'a frame in it', file(new Uint8Array(), { syntax, fragments: [Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 256)] }))
    await unshown('nothing', 'a frame in it', file(new Uint8Array(), { syntax, fragments: [Uint8Array.of(0, 0)] }))
  }
  await unshown('colours', 'of another size', file(new Uint8Array(), { ...colours, syntax: jpeg2000, fragments: [whole] }))
  await reads('after them', file(new Uint8Array(), { syntax: jpeg2000, stored: 12, fragments: [whole] }), grey.join(' '))
})

await check('the viewer says why it does not show a DICOM file', async () => {
  const six = words(false, 1, 2, 3, 4, 5, 6)
  for (const syntax of [deflated, extended]) await unshown(syntax, `transfer syntax ${syntax}`, file(six, { syntax }))
  await unshown('palette', 'PALETTE COLOR', file(Uint8Array.of(1, 2, 3, 4, 5, 6), { photometric: 'PALETTE COLOR', allocated: 8 }))
  await unshown('bits', '32 bits a sample', file(new Uint8Array(24), { allocated: 32 }))
  await unshown('cut', 'cut short', file(six.slice(0, 10)))
  await unshown('frame', 'cut short', file(six, { frames: 2 }), 1)
  await unshown('JPEG in RGB', 'RGB', file(new Uint8Array(), { syntax: '1.2.840.10008.1.2.4.50', photometric: 'RGB', samples: 3, allocated: 8, fragments: [new Uint8Array(2)] }))
  await unshown('no DICOM', 'DICM prefix not found', new Uint8Array(200))
  await unshown('the half of a file', '', file(six).slice(0, 180))
})

await check('a window shows its range from black to white, and what is inverted from white to black', async () => {
  const pixels = words(false, 0, 100, 200, 300, 400, 500)
  const greys = async (w: Wishes) => {
    const picture = await readPicture(file(pixels, w))
    return [...paint(picture, await picture.frame(0), picture.window)].filter((_, i) => i % 4 === 0).join(' ')
  }
  const want = async (name: string, w: Wishes, grey: string) => demand((await greys(w)) === grey, `${name}: ${await greys(w)}, not ${grey}`)
  // PS3.3 C.11.2.1.2: from c - 0.5 - (w - 1) / 2 to c - 0.5 + (w - 1) / 2
  await want('window', { window: ['200.5', '201'] }, '0 0 128 255 255 255')
  await want('inverted', { window: ['200.5', '201'], photometric: 'MONOCHROME1' }, '255 255 128 0 0 0')
  await want('rescaled', { window: ['-799.5', '201'], slope: ['1', '-1000'] }, '0 0 128 255 255 255')
  await want('none', {}, '0 51 102 153 204 255')
})
