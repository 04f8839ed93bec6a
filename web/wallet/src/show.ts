import type { StdSignDoc } from '@cosmjs/amino'
import { fromBase64, fromUtf8, toBase64 } from '@cosmjs/encoding'
import { Registry } from '@cosmjs/proto-signing'
import { AuthInfo, TxBody } from 'cosmjs-types/cosmos/tx/v1beta1/tx'
import { cosmJSTypes } from '../../sdk/src/message/cosmjs.js'
import { arbitraryType } from './document.js'

/** Line is a name and a value, as people are shown them. */
export type Line = readonly [name: string, value: string]

/** isArbitrary tells whether a document is of ADR-36, which is no transaction. */
export function isArbitrary(document: StdSignDoc): boolean {
  return document.msgs.length === 1 && document.msgs[0]?.type === arbitraryType
}

/** aminoLines are what a document says: each message with all its fields, or the text of an ADR-36 document. */
export function aminoLines(document: StdSignDoc): Line[] {
  if (isArbitrary(document)) return [['Signs a text, and no transaction', dataText(String(document.msgs[0]?.value['data']))]]
  const messages = document.msgs.flatMap(({ type, value }): Line[] => [['Message', type], ...Object.entries(value).map(([name, field]): Line => [name, valueText(field)])])
  return [['Network', document.chain_id] as const, ...messages, ...tail(document.fee.amount, document.memo)].map(shown)
}

/** directLines are what an encoded transaction says. A message of another kind than phrd's is shown as its bytes. */
export function directLines(chain: string, bodyBytes: Uint8Array, authInfoBytes: Uint8Array): Line[] {
  const body = TxBody.decode(bodyBytes)
  const fee = AuthInfo.decode(authInfoBytes).fee?.amount ?? []
  return [['Network', chain] as const, ...body.messages.flatMap(anyLines), ...tail(fee, body.memo)].map(shown)
}

const registry = new Registry(cosmJSTypes() as never)

function anyLines({ typeUrl, value }: { typeUrl: string; value: Uint8Array }): Line[] {
  if (registry.lookupType(typeUrl) === undefined) return [['Message', typeUrl], ['bytes', toBase64(value)]]
  const fields = Object.entries(registry.decode({ typeUrl, value }) as object).filter(([name]) => !name.startsWith('$'))
  return [['Message', typeUrl], ...fields.map(([name, field]): Line => [name, valueText(field)])]
}

function tail(fee: readonly { denom: string; amount: string }[], memo: string): Line[] {
  const costs = fee.length === 0 ? 'none' : fee.map(({ denom, amount }) => `${amount} ${denom}`).join(', ')
  return memo === '' ? [['Fee', costs]] : [['Fee', costs], ['Memo', memo]]
}

function dataText(data: string): string {
  const bytes = fromBase64(data)
  try {
    return visible(fromUtf8(bytes))
  } catch {
    return `${bytes.length} bytes that are no text: ${data}`
  }
}

function valueText(field: unknown): string {
  if (field instanceof Uint8Array) return toBase64(field)
  if (Array.isArray(field)) return field.map(valueText).join('\n')
  if (typeof field === 'object' && field !== null) return Object.entries(field).filter(([name]) => !name.startsWith('$')).map(([name, of]) => `${name}: ${valueText(of)}`).join('\n')
  return String(field)
}

function shown([name, value]: Line): Line {
  return [visible(name), visible(value)]
}

// Whatever has no shape of its own, or changes the order of what stands beside it, is shown by its number.
function visible(text: string): string {
  return text.replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`)
}
