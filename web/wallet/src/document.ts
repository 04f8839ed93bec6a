import { serializeSignDoc, type StdSignDoc } from '@cosmjs/amino'
import { fromUtf8, toBase64, toUtf8 } from '@cosmjs/encoding'

/** documentText is the JSON of a document, or of a part of one, as it is signed: keys sorted, no white space, and the characters escaped that Go escapes. */
export function documentText(value: unknown): string {
  return fromUtf8(serializeSignDoc(value as StdSignDoc))
}

/** arbitraryType is the one message of an ADR-36 document. */
export const arbitraryType = 'sign/MsgSignData'

/** arbitraryDocument is the ADR-36 document over data: what is signed off the chain, and no chain takes for a transaction. */
export function arbitraryDocument(signer: string, data: string | Uint8Array): StdSignDoc {
  const bytes = typeof data === 'string' ? toUtf8(data) : data
  return {
    account_number: '0', chain_id: '', fee: { amount: [], gas: '0' }, memo: '', msgs: [{ type: arbitraryType, value: { data: toBase64(bytes), signer } }], sequence: '0',
  }
}
