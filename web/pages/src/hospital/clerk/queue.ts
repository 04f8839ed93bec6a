import { effect, signal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { isKind } from '#sdk/errors.js'
import { begin, type Begun, begunFiles, carryOn, giveUp, type NewFile } from '#sdk/records/begun.js'
import type { Record } from '#sdk/generated/phrd/records/v1/record_pb.js'
import type { Ref } from '#sdk/records/ref.js'
import type { Stage as Part } from '#sdk/records/store.js'
import { atWork, stage } from '../../session'

/** State is where a file stands on its way into a record. One that was left has been begun by an earlier visit, and needs the file again. */
export type State =
  | { readonly at: 'waiting' | 'paused' | 'left' | 'elsewhere' }
  | { readonly at: 'running'; readonly part: Part; readonly done: bigint; readonly total: bigint }
  | { readonly at: 'failed'; readonly cause: unknown }
  | { readonly at: 'stored'; readonly ref: Ref }

let made = 0

/** Job is a file on its way into a record. */
export class Job {
  /** Its number on this page. */
  readonly id = ++made
  readonly of: NewFile
  readonly state = signal<State>({ at: 'waiting' })
  /** Undefined as long as the person has to choose it again. */
  file: File | undefined
  begun: Begun | undefined
  #stop = new AbortController()

  constructor(of: NewFile, file: File | undefined, begun?: Begun) {
    ;[this.of, this.file, this.begun] = [of, file, begun]
    if (file === undefined) this.state.value = { at: 'left' }
  }

  /** run stores the file, from where an earlier try has come. */
  async run(client: Client): Promise<void> {
    const file = this.file
    this.#stop = new AbortController()
    const { signal: stopped } = this.#stop
    this.state.value = { at: 'running', part: 'upload', done: 0n, total: BigInt(this.of.size) }
    try {
      if (file === undefined) throw new TypeError('there is no file')
      const begun = (this.begun ??= await begin(client, this.of))
      const ref = await alone(begun, () => carryOn(client, begun, file, {
        signal: stopped,
        progress: (part, done, total) => {
          if (!stopped.aborted) this.state.value = { at: 'running', part, done, total }
        },
      }))
      this.state.value = ref === undefined ? { at: 'elsewhere' } : { at: 'stored', ref }
    } catch (cause) {
      if (isKind(cause, 'file')) this.file = undefined
      this.state.value = stopped.aborted ? { at: 'paused' } : { at: 'failed', cause }
    }
  }

  /** pause stops the work. What the gateway has of the file stays there. */
  pause(): void {
    this.#stop.abort(new Error('paused'))
    if (this.state.value.at === 'waiting') this.state.value = { at: 'paused' }
  }
}

/** newVersionOf is the record whose next version what is dropped becomes; undefined where it becomes a new record. */
export const newVersionOf = signal<Record | undefined>(undefined)

/** jobs are the files of this clerk, in the order in which they were given. */
export const jobs = signal<readonly Job[]>([])

let recalled = false

/** add has files stored, one after another, as new records of a patient or of the hospital, whose number is empty, or as the next version of a record. */
export function add(client: Client, files: readonly File[], of: Pick<NewFile, 'patient' | 'class' | 'record'>): void {
  jobs.value = [...jobs.value, ...files.map((file) => new Job({ ...of, size: file.size, draft: draftOf(file) }, file))]
  void work(client)
}

/** again has a job that stopped go on; with the file, where an earlier visit began it. */
export function again(client: Client, job: Job, file = job.file): void {
  job.file = file
  job.state.value = { at: 'waiting' }
  void work(client)
}

/** drop gives a job up. */
export async function drop(client: Client, job: Job): Promise<void> {
  job.pause()
  if (job.begun !== undefined && job.state.value.at !== 'stored') await giveUp(client, job.begun)
  jobs.value = jobs.value.filter((other) => other !== job)
}

/** recall lists, once a visit, what earlier ones have begun on this device. Where that can't be read the next call tries again. */
export async function recall(client: Client): Promise<void> {
  if (recalled) return
  recalled = true
  const left = await begunFiles(client.secrets).catch((cause: unknown) => {
    recalled = false
    throw cause
  })
  jobs.value = [...left.map((begun) => new Job(begun, undefined, begun)), ...jobs.value]
}

async function work(client: Client): Promise<void> {
  if (atWork.value) return
  atWork.value = true
  for (let job = next(); job !== undefined; job = next()) await job.run(client)
  atWork.value = false
}

function next(): Job | undefined {
  return jobs.value.find((job) => job.state.value.at === 'waiting')
}

// One tab alone carries a file on: undefined where another one does.
async function alone<T>(begun: Begun, run: () => Promise<T>): Promise<T | undefined> {
  return navigator.locks.request(`phrd/${begun.path}`, { ifAvailable: true }, async (held) => (held === null ? undefined : run()))
}

// What the browser does not know it calls by nothing, and DICOM it does not know.
function draftOf(file: File): NewFile['draft'] {
  const isDICOM = /\.(dcm|dicom)$/i.test(file.name)
  const mediaType = isDICOM ? 'application/dicom' : file.type === '' ? 'application/octet-stream' : file.type
  return { name: file.name, mediaType, modified: BigInt(Math.floor(file.lastModified / 1000)) }
}

// Whoever locks the page stops the work; what was begun is kept on this device.
effect(() => {
  if (stage.value.at !== 'out') return
  for (const job of jobs.peek()) job.pause()
  jobs.value = []
  newVersionOf.value = undefined
  recalled = false
})

addEventListener('beforeunload', (event) => {
  if (jobs.value.some((job) => job.state.value.at === 'running')) event.preventDefault()
})
