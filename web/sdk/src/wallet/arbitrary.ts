import { secp256k1 } from '@noble/curves/secp256k1.js'
import { base64 } from '@scure/base'
import { documentBytes, type SignDocument } from '../message/document.js'

/** arbitraryDocument is the ADR-36 document over text: what a wallet signs off the chain. No chain takes it for a transaction. */
export function arbitraryDocument(signer: string, text: string): SignDocument {
  return {
    account_number: '0',
    chain_id: '',
    fee: { amount: [], gas: '0' },
    memo: '',
    msgs: [{ type: 'sign/MsgSignData', value: { data: base64.encode(new TextEncoder().encode(text)), signer } }],
    sequence: '0',
  }
}

/** isSignatureOf tells whether r‖s, with low s, is the key's signature of an ADR-36 document over the text. */
export function isSignatureOf(publicKey: Uint8Array, signer: string, text: string, signature: Uint8Array): boolean {
  try {
    return secp256k1.verify(signature, documentBytes(arbitraryDocument(signer, text)), publicKey, { prehash: true, lowS: true, format: 'compact' })
  } catch {
    return false
  }
}
