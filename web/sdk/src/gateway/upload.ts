import { cidText } from '#custody/cid.js'
import { type Bytes, concat } from '#custody/encoding.js'
import { isKind, PhrdError } from '../errors.js'
import { sleep } from '../poll.js'
import { blockTime, type Gateway, largestBlock } from './gateway.js'
import { Problem } from './problem.js'

/** defaultSegment is how many bytes are kept until the gateway has acknowledged them. Two segments exist: one fills while the other one travels. */
export const defaultSegment = 8 << 20
const tusVersion = '1.0.0'
const uploadPath = /^\/uploads\/[0-9a-f]+$/
// Of the CIDs of this network.
const cidSize = 36
// How long an upload goes on trying while nothing more is acknowledged, in milliseconds.
const patience = 120_000
const firstPause = 50
const longestPause = 5_000
// How long one segment may travel: 8 MiB at a quarter of a megabit in a second, in milliseconds.
const segmentTime = 300_000
// Conflict, locked, checksum, timeout and fault: the gateway says where to go on.
const resumable = [409, 423, 460, 408, 500]
// Conflict and too large: the hospital does not hold the version any more, or holds more of it than an upload may name.
const notGiven = [409, 413]
// The header of a CAR whose root is left open, as package car of the network writes it.
const carHeader = Uint8Array.from([
  0x19, 0xa2, 0x65, 0x72, 0x6f, 0x6f, 0x74, 0x73, 0x81, 0xd8, 0x2a, 0x45, 0x00, 0x01, 0x55, 0x00, 0x00, 0x67, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x01,
])

/** Uploading says who watches an upload, and what ends it. */
export interface Uploading {
  /** progress is told how many bytes of the stream the gateway holds. */
  readonly progress?: (acknowledged: number) => void
  /** How many bytes travel at a time. */
  readonly segment?: number
  /** Ends what travels now. What the gateway holds by then stays. */
  readonly signal?: AbortSignal | undefined
}

/** Upload is one resumable upload (tus 1.0.0) of a CAR stream. What the gateway has not acknowledged is sent again from wherever it says. */
export class Upload {
  readonly #gateway: Gateway
  readonly #path: string
  readonly #full: number
  readonly #progress: (acknowledged: number) => void
  readonly #signal: AbortSignal | undefined
  #segment: Bytes
  #other: Bytes
  #used = 0
  #acknowledged: number
  // How much of the stream was appended so far.
  #position: number
  #sending: Promise<void> = Promise.resolve()

  private constructor(gateway: Gateway, path: string, how: Uploading, offset = 0) {
    const { segment: full = defaultSegment, progress = () => undefined, signal } = how
    this.#gateway = gateway
    this.#path = path
    this.#signal = signal
    ;[this.#acknowledged, this.#position] = [offset, offset]
    this.#full = full
    this.#progress = progress
    // A block may begin just before a segment is full.
    ;[this.#segment, this.#other] = [new Uint8Array(full + largestBlock + 64), new Uint8Array(full + largestBlock + 64)]
    if (offset === 0) this.#append(carHeader)
  }

  /** begin opens an upload at the gateway of the clerk's hospital. */
  static async begin(gateway: Gateway, how: Uploading = {}): Promise<Upload> {
    const response = await gateway.request('POST', '/uploads', { headers: { 'Tus-Resumable': tusVersion, 'Upload-Defer-Length': '1' } })
    const location = response.headers.get('location')
    if (response.status !== 201 || location === null || !uploadPath.test(location)) throw new PhrdError('upload', 'the gateway opened no upload')
    return new Upload(gateway, location, how)
  }

  /** carryOn goes on with an upload that an earlier visit began, behind the last block that the gateway holds. It is undefined where the gateway has forgotten the upload. */
  static async carryOn(gateway: Gateway, path: string, how: Uploading = {}): Promise<Upload | undefined> {
    if (!uploadPath.test(path)) throw new PhrdError('upload', 'this is no upload')
    let response: Response
    try {
      response = await gateway.request('HEAD', path, { headers: { 'Tus-Resumable': tusVersion } })
    } catch (cause) {
      if (isKind(cause, 'not found')) return undefined
      throw cause
    }
    const offset = Number(response.headers.get('upload-offset') ?? 'none')
    if (!Number.isSafeInteger(offset) || offset < 0) throw new PhrdError('upload', 'the gateway does not say where to go on')
    return new Upload(gateway, path, how, offset)
  }

  /** The path by which the gateway knows the upload. */
  get path(): string {
    return this.#path
  }

  /** How many bytes of the stream the gateway holds durably. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** endOf is where in the stream a block of so many bytes ends that is put next. */
  endOf(length: number): number {
    return this.#position + varint(cidSize + length).length + cidSize + length
  }

  /** put adds a block. */
  async put(cid: Bytes, block: Bytes): Promise<void> {
    this.#append(concat(varint(cid.length + block.length), cid))
    this.#append(block)
    if (this.#used >= this.#full) await this.#flush()
  }

  /** drain sends the rest, and resolves when the gateway holds everything that was put. */
  async drain(): Promise<void> {
    await this.#flush()
    await this.#sending
  }

  /** giveLeaves has the new version name leaves of an earlier one that the hospital holds, and tells whether it holds that one. */
  async giveLeaves(record: string, version: bigint): Promise<boolean> {
    const init = { body: JSON.stringify({ record, version: String(version) }), headers: { 'Content-Type': 'application/json' }, ...this.#timed() }
    try {
      await this.#gateway.request('PUT', `${this.#path}/previous`, init)
      return true
    } catch (cause) {
      if (cause instanceof Problem && notGiven.includes(cause.status)) return false
      throw cause
    }
  }

  /** check asks which blocks the hospital's disk has whole. */
  async check(leaves: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const init = { body: concat(...leaves), headers: { 'Content-Type': 'application/octet-stream' }, ...this.#timed() }
    const answer = new Uint8Array(await (await this.#gateway.request('POST', `${this.#path}/check`, init)).arrayBuffer())
    return Array.from({ length: Math.floor(answer.length / cidSize) }, (_, i) => answer.slice(i * cidSize, (i + 1) * cidSize))
  }

  #timed(): { readonly signal: AbortSignal } {
    return { signal: AbortSignal.any([AbortSignal.timeout(blockTime), ...(this.#signal === undefined ? [] : [this.#signal])]) }
  }

  /** abandon has the gateway forget the upload, which it does by itself after a while. What a version names by then stays. */
  async abandon(): Promise<void> {
    await this.#sending.catch(() => undefined)
    await this.#gateway.request('DELETE', this.#path, { headers: { 'Tus-Resumable': tusVersion } }).catch(() => undefined)
  }

  /** block reads a block back from the gateway's disk. */
  async block(cid: Uint8Array, signal?: AbortSignal): Promise<Bytes> {
    return this.#gateway.block(`${this.#path}/blocks/${cidText(cid)}`, cid, largestBlock, signal)
  }

  #append(bytes: Uint8Array): void {
    this.#segment.set(bytes, this.#used)
    this.#used += bytes.length
    this.#position += bytes.length
  }

  async #flush(): Promise<void> {
    await this.#sending
    const full = this.#segment.subarray(0, this.#used)
    ;[this.#segment, this.#other, this.#used] = [this.#other, this.#segment, 0]
    this.#sending = this.#send(full)
    this.#sending.catch(() => undefined) // whoever puts or drains next is told
  }

  // send has a segment acknowledged, however often the connection breaks on the way, as long as it moves on.
  async #send(bytes: Bytes): Promise<void> {
    const start = this.#acknowledged
    const end = start + bytes.length
    let moved = Date.now()
    for (let pause = firstPause; this.#acknowledged < end; pause = Math.min(2 * pause, longestPause)) {
      const before = this.#acknowledged
      const fault = await this.#patch(bytes.subarray(before - start), end)
      if (this.#acknowledged > before) {
        ;[moved, pause] = [Date.now(), firstPause / 2]
        continue
      }
      if (Date.now() - moved > patience) throw new PhrdError('upload', 'nothing more was acknowledged for two minutes', fault)
      await sleep(pause, this.#signal)
    }
  }

  async #patch(bytes: Bytes, end: number): Promise<unknown> {
    try {
      this.#take(await this.#gateway.request('PATCH', this.#path, {
        body: bytes, signal: AbortSignal.any([AbortSignal.timeout(segmentTime), ...(this.#signal === undefined ? [] : [this.#signal])]),
        headers: { 'Tus-Resumable': tusVersion, 'Upload-Offset': String(this.#acknowledged), 'Content-Type': 'application/offset+octet-stream' },
      }), end)
      return undefined
    } catch (cause) {
      this.#signal?.throwIfAborted()
      if (!isResumable(cause)) throw cause instanceof PhrdError && cause.kind === 'upload' ? cause : new PhrdError('upload', 'the gateway does not take the upload', cause)
      await this.#ask(end)
      return cause
    }
  }

  async #ask(end: number): Promise<void> {
    try {
      this.#take(await this.#gateway.request('HEAD', this.#path, { headers: { 'Tus-Resumable': tusVersion } }), end)
    } catch (cause) {
      if (!isResumable(cause)) throw cause
    }
  }

  // take believes an offset that lies in what was sent and not acknowledged before.
  #take(response: Response, end: number): void {
    const offset = Number(response.headers.get('upload-offset') ?? 'none')
    if (!Number.isSafeInteger(offset) || offset < this.#acknowledged || offset > end) throw new PhrdError('upload', 'the gateway goes on where nothing was sent')
    this.#acknowledged = offset
    this.#progress(offset)
  }
}

function isResumable(cause: unknown): boolean {
  return isKind(cause, 'unreachable') || (cause instanceof Problem && resumable.includes(cause.status))
}

function varint(n: number): Bytes {
  const bytes: number[] = []
  for (let rest = n; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) | 128)
  }
}
