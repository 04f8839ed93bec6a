import { type Bytes, concat, equal } from '#custody/encoding.js'
import { parseIDText } from '#custody/id.js'
import { Message } from '#custody/protobuf.js'
import { demand } from '#custody/refusal.js'
import type { Form } from './form.js'
import type { Head } from './head.js'
import { iavl, rootOf, tendermint } from './store.js'
import { Frontier, parseHash } from './tree.js'

const storeName = new TextEncoder().encode('audit')
const [logKey, patientKey] = [Uint8Array.of(1), Uint8Array.of(2)]

/** LogEnd is the size and the root of the log in the state. */
export interface LogEnd {
  readonly size: bigint
  readonly root: Bytes
}

/** PatientEnd is the end of the chain of one patient's entries in the state. */
export interface PatientEnd {
  readonly count: bigint
  readonly head: Bytes
  /** The sequence of the newest entry about the patient. */
  readonly last: bigint
}

/** readState reads the line with the state: the value, which the two proofs show under the hash of the last block. */
export function readState(line: Form, head: Head, appHash: Uint8Array): LogEnd | PatientEnd {
  const { key, value, proof } = line.whole(() =>
    line.object('state', () => ({ key: line.hex('key'), value: line.bytes('value'), proof: line.list('proof', () => line.base64()) })),
  )
  const isOfPatient = head.kind === 'patient'
  demand(equal(key, isOfPatient ? concat(patientKey, parseIDText(head.patient)) : logKey), 'the state is of something else')
  const [inStore, inStores] = proof
  demand(proof.length === 2 && inStore !== undefined && inStores !== undefined, 'the state has not two proofs')
  const root = rootOf(iavl, inStore, key, value)
  demand(equal(rootOf(tendermint, inStores, storeName, root), appHash), 'the state is not that of the block')
  return isOfPatient ? parsePatientEnd(value) : parseLogEnd(value)
}

function parseLogEnd(value: Uint8Array): LogEnd {
  const message = new Message(value, { 1: 'number', 2: 'messages' })
  const size = message.number(1)
  return { size, root: new Frontier(size, message.messages(2)).root() }
}

function parsePatientEnd(value: Uint8Array): PatientEnd {
  const message = new Message(value, { 1: 'number', 2: 'bytes', 3: 'number' })
  return { count: message.number(1), head: parseHash(message.bytes(2)), last: message.number(3) }
}
