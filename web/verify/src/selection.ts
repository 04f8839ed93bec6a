import type { Bytes } from '#custody/encoding.js'
import { demand } from '#custody/refusal.js'
import type { Claim } from './claim.js'
import type { Entry } from './entry.js'
import type { Form } from './form.js'
import { type Head, within } from './head.js'
import type { LogEnd } from './state.js'
import { checkInclusion, leafHash } from './tree.js'

/** Selection is entries that match a filter, each shown to be in the log. There may be others. */
export class Selection implements Claim {
  readonly #head: Head
  readonly #end: LogEnd
  #last = 0n

  constructor(head: Head, end: LogEnd) {
    ;[this.#head, this.#end] = [head, end]
  }

  add(entry: Entry, encoded: Bytes, line: Form): boolean {
    demand(entry.sequence > this.#last, `entry ${entry.sequence} stands after ${this.#last}`)
    this.#last = entry.sequence
    checkInclusion(leafHash(encoded), entry.sequence - 1n, this.#end.size, this.#end.root, line.listOrNone('path', () => line.base64()))
    demand(matches(this.#head, entry), `entry ${entry.sequence} does not match the filter`)
    return true
  }

  end(): void {
    // Each entry was checked by itself, and nothing is claimed of others.
  }
}

function matches(head: Head, entry: Entry): boolean {
  const equals = <T extends string | bigint>(wanted: T, found: T) => !wanted || wanted === found
  return (
    within(head, entry.time) && equals(head.patient, entry.patient) && equals(head.actor, entry.actor) && equals(head.hospital, entry.hospital) &&
    equals(head.what, entry.kind) && equals(head.unlock, entry.unlock) && (head.record === '' || entry.subjects.some((s) => s.record === head.record))
  )
}
