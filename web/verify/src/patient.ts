import { type Bytes, equal, hash32, u64 } from '#custody/encoding.js'
import { demand } from '#custody/refusal.js'
import type { Claim } from './claim.js'
import type { Entry } from './entry.js'
import type { Head } from './head.js'
import type { PatientEnd } from './state.js'
import { leafHash } from './tree.js'

/** Patient is every entry about one patient: a chain of hashes, whose end is in the state. */
export class Patient implements Claim {
  readonly #patient: string
  readonly #end: PatientEnd
  #count = 0n
  #head: Bytes = new Uint8Array()
  #last = 0n

  constructor(head: Head, end: PatientEnd) {
    ;[this.#patient, this.#end] = [head.patient, end]
  }

  add(entry: Entry, encoded: Bytes): boolean {
    demand(entry.patient === this.#patient, `entry ${entry.sequence} is about somebody else`)
    demand(entry.sequence > this.#last, `entry ${entry.sequence} stands after ${this.#last}`)
    this.#head = hash32('phrd/v1/audit/subject', this.#head, u64(entry.sequence), leafHash(encoded))
    ;[this.#count, this.#last] = [this.#count + 1n, entry.sequence]
    return true
  }

  end(): void {
    demand(this.#count === this.#end.count, `the file has ${this.#count} entries about the patient, the state says ${this.#end.count}`)
    demand(this.#last === this.#end.last && equal(this.#head, this.#end.head), 'the entries are not those of the state')
  }
}
