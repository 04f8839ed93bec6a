import { demand, refuse } from '#custody/refusal.js'
import type { Claim } from './claim.js'
import type { Head } from './head.js'
import type { Range } from './period.js'
import type { LogEnd } from './state.js'
import { checkConsistency } from './tree.js'

/** Growth has no entries: the log of the head's size and root goes on as that of the state. */
export class Growth implements Claim {
  constructor(head: Head, end: LogEnd, range: Range | undefined) {
    demand((range === undefined) === (head.size === 0n), 'a log that has grown has a proof of it, and another one none')
    if (range === undefined) return
    demand(range.first === 0n && range.last === head.size && range.before.length === 0, 'the proof is of another size')
    checkConsistency(head.size, head.root, end.size, end.root, range.after)
  }

  add(): boolean {
    return refuse('a file about growth has an entry')
  }

  end(): void {
    // The proof was checked before.
  }
}
