import { effect, signal } from '@preact/signals'
import { atWork, stage } from '../session'

/** Progress is how far a long work is. */
export interface Progress {
  readonly done: number
  readonly all: number
}

/** Job does a long work until the signal ends it, and tells how far it is. */
export type Job = (signal: AbortSignal, tell: (progress: Progress) => void) => Promise<void>

/** Work is a long work of the patient's page: it goes on while other pages are looked at, ends when the page is locked, and holds up who closes the page. */
export class Work {
  /** How far it is; undefined while nothing is done. */
  readonly progress = signal<Progress | undefined>(undefined)
  #end: AbortController | undefined

  /** run does a job and tells whether it came to its end; false where somebody stopped it. It fails as the job does. */
  async run(job: Job): Promise<boolean> {
    const end = new AbortController()
    this.#end = end
    const first = stage.peek()
    const whenLocked = effect(() => {
      if (stage.value.at !== first.at) end.abort()
    })
    addEventListener('beforeunload', ask)
    atWork.value = true
    this.progress.value = { done: 0, all: 0 }
    try {
      await job(end.signal, (progress) => (this.progress.value = progress))
      return true
    } catch (cause) {
      if (end.signal.aborted) return false
      throw cause
    } finally {
      this.progress.value = undefined
      atWork.value = false
      removeEventListener('beforeunload', ask)
      whenLocked()
    }
  }

  /** stop ends the job; what is done stays done. */
  stop(): void {
    this.#end?.abort()
  }
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault()
}
