import { Message } from '#custody/protobuf.js'
import { demand, refuse } from '#custody/refusal.js'

/** Subject is one version of a record, and the part of it that was touched. */
export interface Subject {
  readonly record: string
  /** From 1; 0 says the record as a whole. */
  readonly version: bigint
  /** The first byte of ciphertext that was served, and how many were. */
  readonly offset: bigint
  readonly length: bigint
}

/** Entry is one line of the log, the message phrd.audit.v1.Entry. */
export interface Entry {
  readonly sequence: bigint
  readonly height: bigint
  /** The time of the block, in unix seconds. */
  readonly time: bigint
  readonly kind: string
  readonly actor: string
  readonly role: string
  readonly hospital: bigint
  readonly patient: string
  readonly subjects: readonly Subject[]
  readonly target: string
  readonly unlock: string
  readonly purpose: string
  readonly outcome: 'ok' | 'refused'
  readonly reason: string
  readonly count: bigint
}

const fields = {
  1: 'number', 2: 'number', 3: 'number', 4: 'bytes', 5: 'bytes', 6: 'bytes', 7: 'number', 8: 'bytes', 9: 'messages', 10: 'bytes', 11: 'bytes', 12: 'bytes',
  13: 'number', 14: 'bytes', 15: 'number',
} as const
const subjectFields = { 1: 'bytes', 2: 'number', 3: 'number', 4: 'number' } as const
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** parseEntry reads an entry in its canonical form. */
export function parseEntry(bytes: Uint8Array): Entry {
  const m = new Message(bytes, fields)
  const entry = {
    sequence: m.number(1), height: m.number(2), time: m.number(3), kind: text(m.bytes(4)), actor: text(m.bytes(5)), role: text(m.bytes(6)), hospital: m.number(7),
    patient: text(m.bytes(8)), subjects: m.messages(9).map(parseSubject), target: text(m.bytes(10)), unlock: text(m.bytes(11)), purpose: text(m.bytes(12)),
    outcome: outcomeOf(m.number(13)), reason: text(m.bytes(14)), count: m.number(15),
  }
  demand(entry.sequence > 0n, 'an entry has no number')
  return entry
}

function parseSubject(bytes: Uint8Array): Subject {
  const m = new Message(bytes, subjectFields)
  return { record: text(m.bytes(1)), version: m.number(2), offset: m.number(3), length: m.number(4) }
}

function outcomeOf(value: bigint): 'ok' | 'refused' {
  return value === 1n ? 'ok' : value === 2n ? 'refused' : refuse(`an entry has the outcome ${value}`)
}

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    return refuse('an entry has a text that is none')
  }
}
