import { PhrdError } from './errors.js'

/** Secrets keep small secrets, encrypted at rest: the seeds of sessions, what opens a vault on this device, capsules that are not handed in yet. */
export interface Secrets {
  /** put stores a new secret under a name, durably. A name that has one already is an error. */
  put(name: string, secret: Uint8Array): Promise<void>
  /** get is the secret of a name, undefined where there is none. */
  get(name: string): Promise<Uint8Array | undefined>
  /** names lists the names that begin with a prefix, sorted. */
  names(prefix: string): Promise<string[]>
  /** delete removes a secret for good. One that is not there is no error. */
  delete(name: string): Promise<void>
}

/** MemorySecrets live as long as the program. */
export class MemorySecrets implements Secrets {
  readonly #by = new Map<string, Uint8Array>()

  async put(name: string, secret: Uint8Array): Promise<void> {
    if (this.#by.has(name)) throw new PhrdError('session', `there is a secret ${name} already`)
    this.#by.set(name, Uint8Array.from(secret))
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const found = this.#by.get(name)
    return found === undefined ? undefined : Uint8Array.from(found)
  }

  async names(prefix: string): Promise<string[]> {
    return [...this.#by.keys()].filter((name) => name.startsWith(prefix)).sort()
  }

  async delete(name: string): Promise<void> {
    this.#by.get(name)?.fill(0)
    this.#by.delete(name)
  }
}
