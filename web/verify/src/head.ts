import { demand, refuse } from '#custody/refusal.js'
import type { Form } from './form.js'

/** format is the first field of every file. */
export const format = 'phrd log export 1'

/** Kind says what a file claims of its entries. */
export type Kind = 'period' | 'patient' | 'selection' | 'growth'

/** Head is what a file claims. What is empty or 0 was not asked for. */
export interface Head {
  readonly kind: Kind
  readonly patient: string
  /** In unix seconds, from inclusive, to exclusive. */
  readonly from: bigint
  readonly to: bigint
  readonly record: string
  readonly actor: string
  readonly hospital: bigint
  readonly what: string
  readonly unlock: string
  readonly size: bigint
  readonly root: Uint8Array
}

/** readHead reads the first line. */
export function readHead(line: Form): Head {
  return line.whole(() =>
    line.object('head', () => {
      demand(line.text('format') === format, `this is no ${format}`)
      return checked({
        kind: kindOf(line.text('kind')), patient: line.textOrNone('patient'), from: line.numberOrNone('from', 63n), to: line.numberOrNone('to', 63n),
        record: line.textOrNone('record'), actor: line.textOrNone('actor'), hospital: line.numberOrNone('hospital', 64n), what: line.textOrNone('what'),
        unlock: line.textOrNone('unlock'), size: line.numberOrNone('size', 64n), root: line.hexOrNone('root'),
      })
    }),
  )
}

// A field that says nothing in a claim of this kind is not there.
function checked(head: Head): Head {
  const isFiltered = head.record !== '' || head.actor !== '' || head.hospital !== 0n || head.what !== '' || head.unlock !== ''
  const isTimed = head.from !== 0n || head.to !== 0n
  demand(head.to === 0n || head.to > head.from, 'the time ends before it begins')
  demand(head.kind === 'growth' || (head.size === 0n && head.root.length === 0), 'only growth has a size and a root')
  switch (head.kind) {
    case 'period':
      demand(!isFiltered && head.patient === '', 'a period has no filter')
      break
    case 'patient':
      demand(!isFiltered && !isTimed && head.patient !== '', 'a patient has a number and no filter')
      break
    case 'selection':
      demand(isFiltered || head.patient !== '', 'a selection has a filter')
      break
    case 'growth':
      demand(!isFiltered && !isTimed && head.patient === '', 'growth has no filter')
      demand((head.size === 0n) === (head.root.length === 0), 'growth has a size and a root, or neither')
  }
  return head
}

/** within tells whether a time, in unix seconds, lies in that of the head. */
export function within(head: Head, time: bigint): boolean {
  return time >= head.from && (head.to === 0n || time < head.to)
}

function kindOf(text: string): Kind {
  if (text === 'period' || text === 'patient' || text === 'selection' || text === 'growth') return text
  return refuse(`${JSON.stringify(text)} is no kind of export`)
}
