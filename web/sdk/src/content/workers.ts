import type { Bytes } from '#custody/encoding.js'
import { Refusal } from '#custody/refusal.js'
import type { Entry, SealedChunk } from '#custody/object.js'
import type { Chunks } from './chunks.js'
import type { Result, Task } from './port.js'

/** Lane is one worker: a browser's, or in Node one of worker_threads. */
export interface Lane {
  post(task: Task, transfer: ArrayBuffer[]): void
  /** listen is called once, before the first task. */
  listen(result: (result: Result) => void, fault: (cause: unknown) => void): void
  end(): void
}

type Unnumbered = Task extends infer T ? (T extends Task ? Omit<T, 'id'> : never) : never

interface Waiting {
  readonly resolve: (result: Result) => void
  readonly reject: (cause: unknown) => void
}

/** WorkerChunks has workers seal and open, each one leaf at a time. What they are given and give back is moved, not copied. */
export class WorkerChunks implements Chunks {
  readonly lanes: number
  readonly #idle: Lane[]
  readonly #all: readonly Lane[]
  readonly #waiting = new Map<number, Waiting>()
  readonly #queue: { readonly take: (lane: Lane) => void; readonly reject: (cause: unknown) => void }[] = []
  #last = 0
  // Why the workers do no more; undefined as long as they do.
  #ended: Error | undefined

  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes.length
    this.#all = lanes
    this.#idle = [...lanes]
    for (const lane of lanes) lane.listen((result) => this.#take(lane, result), (cause) => this.#fail(cause))
  }

  async seal(size: bigint, at: number, part: Bytes, key: Bytes): Promise<SealedChunk> {
    const owned = alone(part)
    const result = await this.#ask({ do: 'seal', size, at, part: owned, key }, owned.buffer)
    return 'sealed' in result ? result.sealed : failed(result)
  }

  async open(size: bigint, at: number, entry: Entry, leaf: Bytes, idKey?: Uint8Array): Promise<Bytes> {
    const owned = alone(leaf)
    const result = await this.#ask({ do: 'open', size, at, entry, leaf: owned, idKey }, owned.buffer)
    return 'opened' in result ? result.opened : failed(result)
  }

  close(): void {
    this.#fail(new Error('the workers were ended'))
    for (const lane of this.#all) lane.end()
  }

  async #ask(task: Unnumbered, moved: ArrayBuffer): Promise<Result> {
    if (this.#ended !== undefined) throw this.#ended
    const lane = this.#idle.pop() ?? (await new Promise<Lane>((take, reject) => this.#queue.push({ take, reject })))
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      lane.post({ ...task, id }, [moved])
    })
  }

  #take(lane: Lane, result: Result): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#idle.push(lane)
    else next.take(lane)
    this.#waiting.get(result.id)?.resolve(result)
    this.#waiting.delete(result.id)
  }

  // fail ends all work, also what waits for a lane: nothing would ever take it.
  #fail(cause: unknown): void {
    this.#ended ??= new Error('the workers have ended', { cause })
    for (const { reject } of [...this.#waiting.values(), ...this.#queue]) reject(cause)
    this.#waiting.clear()
    this.#queue.length = 0
  }
}

/** browserLanes are workers of a page. make gives one, from an address that the page's own server has. */
export function browserLanes(make: () => Worker, count = Math.min(4, navigator.hardwareConcurrency)): Lane[] {
  return Array.from({ length: count }, () => {
    const worker = make()
    return {
      post: (task, transfer) => worker.postMessage(task, transfer),
      listen: (result, fault) => {
        worker.addEventListener('message', (event: MessageEvent<Result>) => result(event.data))
        worker.addEventListener('error', (event) => fault(new Error(event.message)))
      },
      end: () => worker.terminate(),
    }
  })
}

// What is moved to a worker is moved whole, so it must not be part of something larger.
function alone(bytes: Bytes): Bytes {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
}

function failed(result: Result): never {
  if ('refused' in result) throw new Refusal(result.refused)
  throw new Error('fault' in result ? result.fault : 'a worker gave another result than it was asked for')
}
