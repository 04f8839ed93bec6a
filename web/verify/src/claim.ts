import type { Bytes } from '#custody/encoding.js'
import type { Entry } from './entry.js'
import type { Form } from './form.js'

/** Claim is what a file says of all its entries together. It is told of each of them in their order, and judges at the end. */
export interface Claim {
  /** add checks one entry: its encoded form, and the line for what stands beside it. It tells whether the entry is one of those that were asked for. */
  add(entry: Entry, encoded: Bytes, line: Form): boolean
  /** end refuses unless the entries were all that the file claims. */
  end(): void
}
