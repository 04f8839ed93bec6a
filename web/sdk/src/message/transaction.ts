import { type DescMessage, type Message, toBinary } from '@bufbuild/protobuf'
import { type Bytes, concat } from '#custody/encoding.js'
import { bytesField, numberField } from '#custody/protobuf.js'
import type { Account } from './document.js'

// The chain's own types of a transaction are few and settled, so they are written here by hand.
const keyType = '/cosmos.crypto.secp256k1.PubKey'

/** signMode is what a signature covers: the encoded transaction, or the document that a wallet shows. */
export const signMode = { direct: 1n, amino: 127n } as const
export type SignMode = (typeof signMode)[keyof typeof signMode]

/** Parts are the two encoded halves of a transaction. */
export interface Parts {
  readonly body: Bytes
  readonly auth: Bytes
}

/** transactionParts is a transaction with one message, no fee and no memo. */
export function transactionParts(account: Account, gas: bigint, publicKey: Uint8Array, mode: SignMode, schema: DescMessage, message: Message): Parts {
  const body = bytesField(1, any(`/${schema.typeName}`, toBinary(schema, message)))
  const single = bytesField(1, numberField(1, mode))
  const signer = concat(bytesField(1, any(keyType, bytesField(1, publicKey))), bytesField(2, single), numberField(3, account.sequence))
  return { body, auth: concat(bytesField(1, signer), bytesField(2, numberField(2, gas))) }
}

/** directBytes are the bytes that are hashed and signed in direct mode. */
export function directBytes(account: Account, parts: Parts): Bytes {
  return concat(bytesField(1, parts.body), bytesField(2, parts.auth), bytesField(3, utf8(account.chainID)), numberField(4, account.number))
}

/** signedTransaction is what is handed in. */
export function signedTransaction(parts: Parts, signature: Uint8Array): Bytes {
  return concat(bytesField(1, parts.body), bytesField(2, parts.auth), bytesField(3, signature))
}

function any(type: string, value: Uint8Array): Bytes {
  return concat(bytesField(1, utf8(type)), bytesField(2, value))
}

function utf8(text: string): Bytes {
  return new TextEncoder().encode(text)
}
