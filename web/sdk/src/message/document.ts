import type { DescMessage, Message } from '@bufbuild/protobuf'
import { PhrdError } from '../errors.js'
import { type AminoMessage, toAmino } from './amino.js'

/** Account is where an account stands on the chain. */
export interface Account {
  readonly chainID: string
  readonly number: bigint
  readonly sequence: bigint
}

/** SignDocument is what a wallet signs in amino mode. Its form is that of CosmJS's StdSignDoc. */
export interface SignDocument {
  readonly account_number: string
  readonly chain_id: string
  readonly fee: { readonly amount: readonly { readonly denom: string; readonly amount: string }[]; readonly gas: string }
  readonly memo: string
  readonly msgs: readonly AminoMessage[]
  readonly sequence: string
}

/** signDocument is the document of a transaction with one message, no fee and no memo. */
export function signDocument(account: Account, gas: bigint, schema: DescMessage, message: Message): SignDocument {
  return {
    account_number: account.number.toString(),
    chain_id: account.chainID,
    fee: { amount: [], gas: gas.toString() },
    memo: '',
    msgs: [toAmino(schema, message)],
    sequence: account.sequence.toString(),
  }
}

/** documentBytes are the bytes that are hashed and signed: keys sorted, no white space, and the three characters escaped that Go escapes. */
export function documentBytes(document: SignDocument): Uint8Array {
  return new TextEncoder().encode(sortedJSON(document).replace(/[&<>]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`))
}

/** checkSigned refuses a document that a wallet changed in anything but the fee. */
export function checkSigned(given: SignDocument, signed: SignDocument): void {
  const [want, got] = [given, signed].map((document) => sortedJSON({ ...document, fee: null }))
  if (want !== got) throw new PhrdError('document', 'the wallet signed another document than the one it was given')
}

/** sortedJSON is JSON with sorted keys and no white space. */
export function sortedJSON(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJSON).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${sortedJSON(field)}`).join(',')}}`
}
