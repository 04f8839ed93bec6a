import { equal } from '#custody/encoding.js'
import { demand, Refusal, refuse } from '#custody/refusal.js'
import { readBlock } from './block.js'
import { Chain, type Tip } from './chain.js'
import { type Checkpoint, type Cosignature, readNote } from './checkpoint.js'
import type { Claim } from './claim.js'
import { type Entry, parseEntry } from './entry.js'
import { Form } from './form.js'
import { Growth } from './growth.js'
import { type Head, readHead } from './head.js'
import { Lines } from './lines.js'
import { Patient } from './patient.js'
import { Period, type Range, readRange } from './period.js'
import { Selection } from './selection.js'
import { type LogEnd, type PatientEnd, readState } from './state.js'
import { checkConsistency } from './tree.js'
import type { Trust } from './trust.js'

/** Seen is a checkpoint with what witnesses say of it. */
export interface Seen {
  readonly checkpoint: Checkpoint
  readonly cosignatures: readonly Cosignature[]
}

/** Report is what a file proves. */
export interface Report {
  readonly head: Head
  readonly tip: Tip
  readonly state: LogEnd | PatientEnd
  readonly seen: readonly Seen[]
  /** The entries that were asked for, without the neighbours of a period. */
  readonly entries: bigint
  /** The sequences of the first and the last of them; 0 where there are none. */
  readonly first: bigint
  readonly last: bigint
  /** The time, in unix seconds, up to which a period is complete: its end, or the time of the last block where that comes before. */
  readonly until: bigint
}

/**
 * verify reads an export of the log, in pieces of any size, and proves what it claims. It throws a Refusal with the number of
 * the line where that fails; what `each` was told until then is worth nothing. Besides a line at a time it keeps nothing.
 */
export async function verify(file: AsyncIterable<Uint8Array>, trust: Trust, each: (entry: Entry) => void = () => undefined): Promise<Report> {
  const lines = new Lines()
  const story = reading(lines, trust, each)
  try {
    let step = story.next('')
    for await (const piece of file) {
      for (const line of lines.cut(piece)) {
        demand(step.done !== true, 'the file goes on after its end')
        step = story.next(line)
      }
    }
    lines.end()
    return step.done === true ? step.value : refuse('the file has no end')
  } catch (cause) {
    throw cause instanceof Refusal ? new Refusal(`line ${lines.number}: ${cause.message}`) : cause
  }
}

type Story<T> = Generator<undefined, T, string>

// The lines in their order; each is asked for by a yield.
function* reading(lines: Lines, trust: Trust, each: (entry: Entry) => void): Story<Report> {
  const next = function* (): Story<Form> {
    return new Form(yield)
  }
  const head = readHead(yield* next())
  let line = yield* next()
  const chain = new Chain(trust.from)
  for (; line.is('block'); line = yield* next()) chain.add(readBlock(line))
  const tip = chain.tip()
  const state = readState(line, head, tip.block.header.appHash)
  line = yield* next()
  const seen: Seen[] = []
  for (; 'root' in state && line.is('witness'); line = yield* next()) seen.push(readWitness(line, tip, state, trust))
  let range: Range | undefined
  if (line.is('range')) [range, line] = [readRange(line), yield* next()]
  const claim = claimOf(head, state, range)
  const found = { entries: 0n, first: 0n, last: 0n }
  let count = 0n
  for (; line.is('entry'); line = yield* next(), count++) {
    const entry = readEntry(line, claim)
    if (entry === undefined) continue
    if (found.entries++ === 0n) found.first = entry.sequence
    found.last = entry.sequence
    each(entry)
  }
  claim.end()
  readEnd(line, count, lines.sum())
  checkWitnesses(trust, seen)
  return { head, tip, state, seen, ...found, until: untilOf(head, tip) }
}

function untilOf(head: Head, tip: Tip): bigint {
  const now = tip.block.header.time.seconds
  return head.to !== 0n && head.to < now ? head.to : now
}

function claimOf(head: Head, state: LogEnd | PatientEnd, range: Range | undefined): Claim {
  demand(range === undefined || head.kind === 'period' || head.kind === 'growth', `a ${head.kind} has no range`)
  if (!('root' in state)) return new Patient(head, state)
  switch (head.kind) {
    case 'period':
      return new Period(head, state, range ?? refuse('a period has no range'))
    case 'growth':
      return new Growth(head, state, range)
    default:
      return new Selection(head, state)
  }
}

// An entry that is only a neighbour gives undefined.
function readEntry(line: Form, claim: Claim): Entry | undefined {
  return line.whole(() => {
    const encoded = line.bytes('entry')
    const entry = parseEntry(encoded)
    return claim.add(entry, encoded, line) ? entry : undefined
  })
}

function readWitness(line: Form, tip: Tip, state: LogEnd, trust: Trust): Seen {
  const { note, after } = line.whole(() =>
    line.object('witness', () => ({ note: line.bytes('note'), after: line.listOrNone('after', () => line.base64()) })),
  )
  const seen = readNote(note, tip.block.header.chainID, trust.witnesses)
  checkConsistency(seen.checkpoint.size, seen.checkpoint.root, state.size, state.root, after)
  const isSame = seen.checkpoint.height !== tip.block.header.height || equal(seen.checkpoint.block, tip.hash)
  demand(isSame, `a witness has seen another block ${seen.checkpoint.height}`)
  return seen
}

function readEnd(line: Form, count: bigint, sum: Uint8Array): void {
  const end = line.whole(() => line.object('end', () => ({ entries: line.number('entries', 64n), sum: line.hex('sha256') })))
  demand(end.entries === count, `the file has ${count} entries and says ${end.entries}`)
  demand(equal(end.sum, sum), 'the file is damaged: it has another SHA-256 than it says')
}

function checkWitnesses(trust: Trust, seen: readonly Seen[]): void {
  for (const { name, id } of trust.witnesses) {
    const signed = seen.some(({ cosignatures }) => cosignatures.some(({ witness }) => witness?.name === name && equal(witness.id, id)))
    demand(signed, `the witness ${name} has not signed the log of this file`)
  }
}
