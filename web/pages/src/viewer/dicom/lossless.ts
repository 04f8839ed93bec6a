/** Lossless is a frame of lossless JPEG: values row by row, samples of a pixel side by side. */
export interface Lossless {
  readonly values: Uint16Array
  readonly columns: number
  readonly rows: number
  readonly samples: number
  /** Bits of a sample, 2 to 16. */
  readonly precision: number
}

// Markers of ITU-T T.81, table B.1.
const marker = { start: 0xffd8, frame: 0xffc3, tables: 0xffc4, interval: 0xffdd, scan: 0xffda, restart: 0xffd0 } as const
const longestCode = 16

/** decodeLossless decodes a frame of lossless JPEG with Huffman codes (ITU-T T.81 annex H), whose components are in one scan and not subsampled. It throws for any other, and for one that is damaged or cut short. */
export function decodeLossless(bytes: Uint8Array): Lossless {
  const head = readHead(bytes)
  const { rows, columns, samples, precision, predictor, shift, interval, tables } = head
  const values = new Uint16Array(rows * columns * samples)
  const bits = new Bits(bytes, head.data)
  const width = columns * samples
  // The row that is predicted as the first one: that at the beginning, and after each restart.
  let firstRow = 0
  for (let row = 0; row < rows; row++) {
    if (interval > 0 && row > 0 && (row * columns) % interval === 0) {
      bits.restart()
      firstRow = row
    }
    for (let i = 0; i < width; i++) {
      const table = tables[i % samples]
      if (table === undefined) throw new Error('a component has no table')
      const at = row * width + i
      const predicted = i >= samples && row > firstRow ? predict(predictor, values, at, samples, width)
        : i >= samples ? value(values, at - samples)
          : row > firstRow ? value(values, at - width)
            : 2 ** (precision - shift - 1)
      values[at] = predicted + difference(bits, table) // modulo 2^16
    }
  }
  if (shift > 0) for (let i = 0; i < values.length; i++) values[i] = value(values, i) << shift
  return { values, columns, rows, samples, precision }
}

function value(values: Uint16Array, at: number): number {
  return values[at] ?? 0
}

// Table H.1: from the sample to the left, the one above, and the one above that to the left.
function predict(predictor: number, values: Uint16Array, at: number, samples: number, width: number): number {
  const [a, b, c] = [value(values, at - samples), value(values, at - width), value(values, at - width - samples)]
  switch (predictor) {
    case 1:
      return a
    case 2:
      return b
    case 3:
      return c
    case 4:
      return a + b - c
    case 5:
      return a + ((b - c) >> 1)
    case 6:
      return b + ((a - c) >> 1)
    default:
      return (a + b) >> 1
  }
}

// Table H.2: a code names how many bits the difference has; 16 stands for 32768, and has none.
function difference(bits: Bits, table: Table): number {
  const size = bits.symbol(table)
  if (size === 0) return 0
  if (size === 16) return 32768
  if (size > 16) throw new Error(`a difference of ${size} bits`)
  const read = bits.take(size)
  return read < 2 ** (size - 1) ? read - 2 ** size + 1 : read
}

interface Head {
  readonly rows: number
  readonly columns: number
  readonly samples: number
  readonly precision: number
  readonly predictor: number
  readonly shift: number
  /** Pixels between restarts; 0 for none. */
  readonly interval: number
  /** By component. */
  readonly tables: readonly Table[]
  /** Where the scan's data begins. */
  readonly data: number
}

function readHead(bytes: Uint8Array): Head {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint16(0) !== marker.start) throw new Error('it is no JPEG')
  const tables = new Map<number, Table>()
  let frame: { readonly precision: number; readonly rows: number; readonly columns: number; readonly ids: readonly number[] } | undefined
  let interval = 0
  for (let at = 2; ; ) {
    const [kind, end] = [view.getUint16(at), at + 2 + view.getUint16(at + 2)]
    const body = at + 4
    if (kind === marker.frame) frame = readFrame(view, body)
    else if (kind >= 0xffc0 && kind <= 0xffcf && kind !== marker.tables) throw new Error('it is a JPEG of another kind')
    else if (kind === marker.tables) readTables(bytes, body, end, tables)
    else if (kind === marker.interval) interval = view.getUint16(body)
    else if (kind === marker.scan) {
      if (frame === undefined) throw new Error('a scan without a frame')
      return { ...frame, ...readScan(view, body, frame.ids, tables), precision: frame.precision, samples: frame.ids.length, interval: wholeRows(interval, frame.columns), data: end }
    }
    at = end
  }
}

// A restart is at the end of a row (H.1.1).
function wholeRows(interval: number, columns: number): number {
  if (interval % columns !== 0) throw new Error('a restart within a row')
  return interval
}

function readFrame(view: DataView, at: number) {
  const [precision, rows, columns, count] = [view.getUint8(at), view.getUint16(at + 1), view.getUint16(at + 3), view.getUint8(at + 5)]
  if (precision < 2 || precision > 16 || rows === 0 || columns === 0 || count === 0) throw new Error('a frame without a picture')
  const ids = Array.from({ length: count }, (_, i) => {
    if (view.getUint8(at + 7 + 3 * i) !== 0x11) throw new Error('a component that is subsampled')
    return view.getUint8(at + 6 + 3 * i)
  })
  return { precision, rows, columns, ids }
}

function readScan(view: DataView, at: number, ids: readonly number[], all: ReadonlyMap<number, Table>) {
  const count = view.getUint8(at)
  if (count !== ids.length) throw new Error('components in scans of their own')
  const tables = ids.map((id, i) => {
    const table = all.get(view.getUint8(at + 2 + 2 * i) >> 4)
    if (view.getUint8(at + 1 + 2 * i) !== id || table === undefined) throw new Error('a component has no table')
    return table
  })
  const [predictor, shift] = [view.getUint8(at + 1 + 2 * count), view.getUint8(at + 3 + 2 * count) & 15]
  if (predictor < 1 || predictor > 7) throw new Error(`predictor ${predictor}`)
  return { tables, predictor, shift }
}

/** Table is a Huffman code (C.2, F.2.2.3): of each length the first code, the index of its symbol, and how many there are. */
interface Table {
  readonly first: readonly number[]
  readonly index: readonly number[]
  readonly count: readonly number[]
  readonly symbols: Uint8Array
}

function readTables(bytes: Uint8Array, from: number, end: number, tables: Map<number, Table>): void {
  for (let at = from; at < end; ) {
    const id = bytes[at] ?? 0
    const count = [0, ...bytes.subarray(at + 1, at + 1 + longestCode)]
    const total = count.reduce((a, b) => a + b, 0)
    const [first, index]: [number[], number[]] = [[0], [0]]
    for (let length = 1, code = 0, place = 0; length <= longestCode; length++) {
      first.push(code)
      index.push(place)
      place += count[length] ?? 0
      code = (code + (count[length] ?? 0)) << 1
    }
    tables.set(id, { first, index, count, symbols: bytes.subarray(at + 1 + longestCode, at + 1 + longestCode + total) })
    at += 1 + longestCode + total
  }
}

/** Bits reads the data of a scan, in which a byte of zeros follows each of ones (F.1.2.3). */
class Bits {
  readonly #bytes: Uint8Array
  #at: number
  #kept = 0
  #left = 0

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  take(count: number): number {
    let read = 0
    for (let i = 0; i < count; i++) read = (read << 1) | this.#bit()
    return read
  }

  symbol(table: Table): number {
    for (let length = 1, code = 0; length <= longestCode; length++) {
      code = (code << 1) | this.#bit()
      const place = code - (table.first[length] ?? 0)
      if (place >= 0 && place < (table.count[length] ?? 0)) {
        const symbol = table.symbols[(table.index[length] ?? 0) + place]
        if (symbol !== undefined) return symbol
      }
    }
    throw new Error('a code that no table has')
  }

  /** restart goes on behind the next restart marker. */
  restart(): void {
    this.#left = 0
    const found = ((this.#bytes[this.#at] ?? 0) << 8) | (this.#bytes[this.#at + 1] ?? 0)
    if (found < marker.restart || found > marker.restart + 7) throw new Error('a restart is missing')
    this.#at += 2
  }

  #bit(): number {
    if (this.#left === 0) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined || (byte === 0xff && this.#bytes[this.#at + 1] !== 0)) throw new Error('the picture is cut short')
      this.#at += byte === 0xff ? 2 : 1
      ;[this.#kept, this.#left] = [byte, 8]
    }
    this.#left--
    return (this.#kept >> this.#left) & 1
  }
}
