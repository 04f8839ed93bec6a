import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { sha256 } from '@noble/hashes/sha2.js'
import { base64 } from '@scure/base'
import { concat } from '#custody/encoding.js'
import { parseIDText } from '#custody/id.js'
import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { type Entry, EntrySchema, FrontierSchema, SubjectHeadSchema } from '../generated/phrd/audit/v1/entry_pb.js'
import { Query } from '../generated/phrd/audit/v1/query_pb.js'
import { poll } from '../poll.js'
import { log, type LogFilter } from '../records/log.js'
import { header, newest, signedBlock, stateValue } from './comet.js'

/** blockWait bounds the wait for the block that names the state of now, in milliseconds: hospitals leave half a minute between two blocks. */
const blockWait = 90_000
const page = 200n

/** Claim says which entries of the log a file is of. Times are in unix seconds, from inclusive, to exclusive, 0 for none. */
export type Claim =
  | { readonly kind: 'period'; readonly from: bigint; readonly to: bigint }
  | { readonly kind: 'patient'; readonly patient: string }
  | { readonly kind: 'selection'; readonly filter: Omit<LogFilter, 'purpose' | 'kinds'> }

/**
 * exportLog gives the lines of the file of docs/audit-export.md: entries of the log, with all that proves them to somebody
 * who trusts no hospital. Everything is in it that stood in the log when it was called. It proves nothing by itself: who keeps
 * the file verifies it. The account must be allowed to read the entries.
 */
export async function* exportLog(client: Client, claim: Claim): AsyncGenerator<string, void> {
  const [sum, encoder] = [sha256.create(), new TextEncoder()]
  let entries = 0
  for await (const line of lines(client, claim)) {
    const text = `${JSON.stringify(line)}\n`
    sum.update(encoder.encode(text))
    if ('entry' in line) entries++
    yield text
  }
  yield `${JSON.stringify({ end: { entries, sha256: hex(sum.digest()) } })}\n`
}

async function* lines(client: Client, claim: Claim): AsyncGenerator<object, void> {
  yield { head: headOf(claim) }
  const tip = await nextBlock(client)
  for (const height of await trail(client, tip)) yield { block: await signedBlock(client, height) }
  // A block names the state after the one before it.
  const height = tip - 1n
  switch (claim.kind) {
    case 'patient':
      return yield* patientLines(client, claim.patient, height)
    case 'period':
      return yield* periodLines(client, claim, height)
    case 'selection':
      return yield* selectionLines(client, claim.filter, height)
  }
}

// Fields in the order of the document, empty ones left out.
function headOf(claim: Claim): object {
  const all = claim.kind === 'period' ? { from: claim.from, to: claim.to } : claim.kind === 'patient' ? { patient: claim.patient } : claim.filter
  const { patient, from, to, record, actor, hospital, kind, unlock }: LogFilter = all
  const fields = { patient, from, to, record, actor, hospital, what: kind, unlock }
  const filled = Object.entries(fields).filter(([, value]) => Boolean(value))
  return { format: 'phrd log export 1', kind: claim.kind, ...Object.fromEntries(filled.map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value])) }
}

// The block that names the state of now is the one after the newest.
async function nextBlock(client: Client): Promise<bigint> {
  const seen = (await client.gateways.try((gateway) => gateway.chain())).height
  const after = seen > client.height ? seen : client.height
  return poll(AbortSignal.timeout(blockWait), async () => {
    const { height } = await newest(client)
    return height > after ? height : undefined
  })
}

// The blocks that lead from the genesis to a block: each that hands over to other validators, and the block itself.
async function trail(client: Client, height: bigint): Promise<bigint[]> {
  const [end, heights] = [await header(client, height), [] as bigint[]]
  for (let low = await header(client, 1n); low.validatorsHash !== end.validatorsHash; ) {
    let [before, after] = [low, end]
    while (after.height - before.height > 1n) {
      const middle = await header(client, (before.height + after.height) / 2n)
      if (middle.validatorsHash === low.validatorsHash) before = middle
      else after = middle
    }
    heights.push(before.height)
    low = after
  }
  return heights.at(-1) === height ? heights : [...heights, height]
}

async function stateLine(client: Client, key: Uint8Array, height: bigint): Promise<{ line: object; value: Uint8Array }> {
  const { value, proof } = await stateValue(client, key, height)
  return { line: { state: { key: hex(key), value: base64.encode(value), proof: proof.map((part) => base64.encode(part)) } }, value }
}

async function* patientLines(client: Client, patient: string, height: bigint): AsyncGenerator<object, void> {
  const state = await stateLine(client, concat(Uint8Array.of(2), parseIDText(patient)), height)
  yield state.line
  const { last } = fromBinary(SubjectHeadSchema, state.value)
  for (const entry of await matching(client, { patient }, last)) yield { entry: encoded(entry) }
}

async function* selectionLines(client: Client, filter: LogFilter, height: bigint): AsyncGenerator<object, void> {
  const state = await stateLine(client, Uint8Array.of(1), height)
  yield state.line
  const { size } = fromBinary(FrontierSchema, state.value)
  for (const entry of await matching(client, filter, size)) {
    const { path } = await client.gateways.query(Query.method.inclusionProof, { sequence: entry.sequence, size })
    yield path.length === 0 ? { entry: encoded(entry) } : { entry: encoded(entry), path: path.map((node) => base64.encode(node)) }
  }
}

async function* periodLines(client: Client, { from, to }: { from: bigint; to: bigint }, height: bigint): AsyncGenerator<object, void> {
  const state = await stateLine(client, Uint8Array.of(1), height)
  yield state.line
  const { size } = fromBinary(FrontierSchema, state.value)
  // With the neighbours of the time, where there are any.
  const first = from === 0n ? 1n : larger(1n, await countBefore(client, from, size))
  const last = to === 0n ? size : smaller(size, (await countBefore(client, to, size)) + 1n)
  const { path } = await client.gateways.query(Query.method.inclusionProof, { sequence: first, size })
  const growth = await client.gateways.query(Query.method.consistencyProof, { first: last, second: size })
  const list = (name: string, nodes: readonly Uint8Array[]) => (nodes.length === 0 ? {} : { [name]: nodes.map((node) => base64.encode(node)) })
  yield { range: { first: Number(first), last: Number(last), ...list('before', beforeOf(first, size, path)), ...list('after', growth.path) } }
  for (let next = first; next <= last; ) {
    const limit = smaller(page, last - next + 1n)
    const { entries } = await client.gateways.query(Query.method.entries, { before: next + limit, limit: Number(limit) })
    if (BigInt(entries.length) !== limit) throw new PhrdError('answer', `entries ${next} to ${next + limit - 1n}: the gateway shows ${entries.length}`)
    for (const entry of entries.toReversed()) yield { entry: encoded(entry) }
    next += limit
  }
}

// The entries that match up to a sequence, in their order.
async function matching(client: Client, filter: LogFilter, last: bigint): Promise<Entry[]> {
  const found: Entry[] = []
  for await (const entry of log(client, filter)) if (entry.sequence <= last) found.push(entry)
  return found.reverse()
}

// How many entries stand before a time, which grows along the log.
async function countBefore(client: Client, time: bigint, size: bigint): Promise<bigint> {
  let [low, high] = [0n, size]
  while (low < high) {
    const middle = (low + high) / 2n
    const { entry } = await client.gateways.query(Query.method.entry, { sequence: middle + 1n })
    if (entry === undefined) throw new PhrdError('answer', `the gateway shows no entry ${middle + 1n}`)
    if (entry.time < time) low = middle + 1n
    else high = middle
  }
  return low
}

// What the inclusion proof of an entry says of the entries before it: the roots of the perfect subtrees over them, largest first.
function beforeOf(first: bigint, size: bigint, path: readonly Uint8Array[]): Uint8Array[] {
  const before: Uint8Array[] = []
  let [begin, end] = [0n, size]
  for (const node of path.toReversed()) {
    const middle = begin + largestPowerBelow(end - begin)
    if (first - 1n < middle) end = middle
    else {
      before.push(node)
      begin = middle
    }
  }
  return before
}

function largestPowerBelow(n: bigint): bigint {
  let power = 1n
  while (power * 2n < n) power *= 2n
  return power
}

function encoded(entry: Entry): string {
  return base64.encode(toBinary(EntrySchema, entry))
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
