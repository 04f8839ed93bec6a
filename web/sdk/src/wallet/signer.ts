import type { SignDocument } from '../message/document.js'
import type { Parts } from '../message/transaction.js'

/** Signer signs for one account. The key is behind it, in an extension or a device, and does not come out. */
export interface Signer {
  /** The account's bech32 address. */
  readonly address: string
  /** The compressed public key, 33 bytes. */
  readonly publicKey: Uint8Array
  /** signAmino shows a document and signs it: r‖s, 64 bytes, low s. The wallet may set the fee, and says what it signed. */
  signAmino(document: SignDocument): Promise<{ readonly signed: SignDocument; readonly signature: Uint8Array }>
  /** signDirect signs an encoded transaction, which the wallet may not change. */
  signDirect(chainID: string, accountNumber: bigint, parts: Parts): Promise<Uint8Array>
  /** signText signs an ADR-36 document over text. */
  signText(text: string): Promise<Uint8Array>
}
