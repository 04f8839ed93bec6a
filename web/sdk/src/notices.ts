import type { Client } from './client.js'
import { isKind, PhrdError } from './errors.js'
import { numberOf, textOf } from './gateway/gateway.js'
import type { Gateway } from './gateway/gateway.js'
import { sleep } from './poll.js'

// How long a gateway may say nothing, some of its heartbeats, and the pauses before all gateways are tried again: the first, and the longest. In milliseconds.
const silence = 60_000
const firstPause = 1_000
const longestPause = 30_000
// Bounds a line of a stream, in characters.
const longestLine = 64 << 10

/** Notice says that something happened which concerns the account, and nothing about anybody's health. The log has the rest, for who may read it. */
export interface Notice {
  /** The entry's place in the log; what comes next is asked for with it. */
  readonly sequence: bigint
  readonly height: bigint
  /** Of the block, in unix seconds. */
  readonly time: bigint
  /** The kind of the entry: proposed, approved, released and so on. */
  readonly kind: string
  readonly outcome: 'ok' | 'refused'
  /** The id of the unlock or the emergency; empty where there is none. */
  readonly unlock: string
  /** The ids of the records. */
  readonly records: readonly string[]
}

/** NoticeOptions say from where on, and for how long. */
export interface NoticeOptions {
  /** Ends the listening. */
  readonly signal: AbortSignal
  /** The sequence behind which to begin, 0 for all there is; without it from now on. */
  readonly after?: bigint
  /** listening is told when a gateway has begun to tell, and when none does any more. */
  readonly listening?: (is: boolean) => void
}

/** notices tells what happens that concerns the account, in the order of the log, each once. Where a gateway goes away it goes on at the next one behind what it told last, until the signal is aborted; then it ends. An error says that the account may not be told. */
export async function* notices(client: Client, options: NoticeOptions): AsyncGenerator<Notice, undefined> {
  const { signal } = options
  const tell = options.listening ?? (() => undefined)
  const place: Place = options.after === undefined ? {} : { after: options.after }
  for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
    for (const gateway of client.gateways.order()) {
      if (signal.aborted) return
      const before = place.after
      try {
        yield* follow(gateway, place, signal, tell)
      } catch (cause) {
        if (signal.aborted) return
        if (!isKind(cause, 'unreachable')) throw cause
      } finally {
        tell(false)
      }
      if (place.after !== before) pause = firstPause
    }
    try {
      await sleep(pause, signal)
    } catch {
      return // told to end
    }
  }
}

interface Place {
  after?: bigint
}

// follow reads the stream of one gateway to its end, which is an error, and moves the place.
async function* follow(gateway: Gateway, place: Place, signal: AbortSignal, tell: (is: boolean) => void): AsyncGenerator<Notice, undefined> {
  const stop = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const alive = () => {
    clearTimeout(timer)
    timer = setTimeout(() => stop.abort(new PhrdError('unreachable', `gateway ${gateway.host}: no word for ${silence / 1000} s`)), silence)
  }
  alive()
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream', ...(place.after === undefined ? {} : { 'Last-Event-ID': place.after.toString() }) }
    const response = await gateway.request('GET', '/notices', { headers, signal: AbortSignal.any([signal, stop.signal]) })
    if (response.body === null) throw new PhrdError('answer', `gateway ${gateway.host}: a stream of notices has no body`)
    tell(true)
    for await (const { id, data } of events(response.body)) {
      alive()
      const notice = data === '' ? undefined : readNotice(data)
      const isNew = place.after === undefined || id > place.after
      if (isNew) place.after = id
      if (notice !== undefined && isNew) yield notice
    }
    throw new PhrdError('unreachable', `gateway ${gateway.host}: the stream of notices has ended`)
  } catch (cause) {
    throw cause instanceof PhrdError ? cause : new PhrdError('unreachable', `gateway ${gateway.host}: the stream of notices was cut`, cause)
  } finally {
    clearTimeout(timer)
    stop.abort() // who has enough lets the gateway go
  }
}

/** Event is a server-sent event with an id; its data is empty for one that only moves the place. */
interface Event {
  readonly id: bigint
  readonly data: string
}

// events reads server-sent events (HTML, section 9.2.6), as far as gateways write them.
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Event, undefined> {
  let [id, data]: [bigint | undefined, string] = [undefined, '']
  for await (const line of lines(body)) {
    if (line === '') {
      if (id !== undefined) yield { id, data }
      ;[id, data] = [undefined, '']
      continue
    }
    const colon = line.indexOf(':')
    const [field, value] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
    if (field === 'data') data += value
    if (field === 'id') {
      if (!/^\d{1,19}$/.test(value)) throw new PhrdError('answer', 'a notice has an id that is no number')
      id = BigInt(value)
    }
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const [first = '', ...more] = decoder.decode(value, { stream: true }).split('\n')
      rest += first
      for (const next of more) {
        yield rest
        rest = next
      }
      if (rest.length > longestLine) throw new PhrdError('answer', 'a notice is too long')
    }
  } finally {
    await reader.cancel().catch(() => undefined) // of a stream that was cut there is nothing to cancel
  }
}

function readNotice(data: string): Notice {
  let said: unknown
  try {
    said = JSON.parse(data)
  } catch (cause) {
    throw new PhrdError('answer', 'a notice is no JSON', cause)
  }
  const outcome = textOf(said, 'outcome')
  if (outcome !== 'ok' && outcome !== 'refused') throw new PhrdError('answer', 'a notice has another outcome than ok and refused')
  const given = said as { unlock?: unknown; records?: unknown }
  return {
    sequence: numberOf(said, 'sequence'), height: numberOf(said, 'height'), time: BigInt(Math.floor(Date.parse(textOf(said, 'time')) / 1000)), kind: textOf(said, 'kind'), outcome,
    unlock: typeof given.unlock === 'string' ? given.unlock : '',
    records: Array.isArray(given.records) ? given.records.filter((record) => typeof record === 'string') : [],
  }
}
