import { decodeLossless } from './lossless.ts'

/** Codec is a compression that browsers do not decode themselves. */
export type Codec = 'jpeg2000' | 'jpegls' | 'lossless'

/** Decoded is one frame as a codec gives it: little-endian, samples of a pixel side by side unless they are in planes. */
export interface Decoded {
  readonly bytes: Uint8Array
  readonly columns: number
  readonly rows: number
  readonly samples: number
  readonly bytesEach: 1 | 2
  readonly isPlanar: boolean
  /** Whether values are signed, where the codec says it. */
  readonly isSigned?: boolean
}

/** LibraryDecoder is what the decoders of CharLS and OpenJPEG have in common. */
export interface LibraryDecoder {
  getEncodedBuffer(length: number): Uint8Array
  decode(): void
  getDecodedBuffer(): Uint8Array
  getFrameInfo(): { readonly width: number; readonly height: number; readonly bitsPerSample: number; readonly componentCount: number; readonly isSigned?: boolean }
  delete(): void
}

/** decode decodes one frame. The libraries come when the first one is needed, as JavaScript: the page's policy allows no WebAssembly. */
export async function decode(codec: Codec, frame: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  switch (codec) {
    case 'jpeg2000': {
      const { J2KDecoder } = await openJPEG()
      const { isSigned = false, ...decoded } = byLibrary(new J2KDecoder(), frame)
      return { ...decoded, isSigned, isPlanar: false }
    }
    case 'jpegls': {
      const { JpegLSDecoder } = await charLS()
      const decoder = new JpegLSDecoder()
      return byLibrary(decoder, frame, () => decoder.getInterleaveMode() === 0)
    }
    case 'lossless':
      return lossless(frame)
  }
}

const charLS = once(async () => (await import('@cornerstonejs/codec-charls/decode')).default())
const openJPEG = once(async () => (await import('@cornerstonejs/codec-openjpeg/decode')).default({ print: () => undefined }))

// A library that could not be loaded is loaded again.
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  return () => {
    loaded ??= load().catch((cause: unknown) => {
      loaded = undefined
      throw cause
    })
    return loaded
  }
}

function byLibrary(decoder: LibraryDecoder, frame: Uint8Array, inPlanes: () => boolean = () => false): Decoded {
  try {
    decoder.getEncodedBuffer(frame.length).set(frame)
    decoder.decode()
    const { width: columns, height: rows, componentCount: samples, bitsPerSample, isSigned } = decoder.getFrameInfo()
    const decoded = { bytes: decoder.getDecodedBuffer().slice(), columns, rows, samples, bytesEach: bitsPerSample > 8 ? 2 : 1, isPlanar: samples > 1 && inPlanes() } as const
    return isSigned === undefined ? decoded : { ...decoded, isSigned }
  } finally {
    decoder.delete()
  }
}

function lossless(frame: Uint8Array): Decoded {
  const { values, precision, ...of } = decodeLossless(frame)
  const bytes = precision > 8 ? littleEndian(values) : Uint8Array.from(values)
  return { ...of, bytes, bytesEach: precision > 8 ? 2 : 1, isPlanar: false }
}

function littleEndian(values: Uint16Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * values.length))
  values.forEach((value, i) => view.setUint16(2 * i, value, true))
  return new Uint8Array(view.buffer)
}
