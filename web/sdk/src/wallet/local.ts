import { secp256k1 } from '@noble/curves/secp256k1.js'
import { HDKey } from '@scure/bip32'
import { generateMnemonic, mnemonicToSeed, validateMnemonic } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { PhrdError } from '../errors.js'
import { documentBytes, type SignDocument } from '../message/document.js'
import { directBytes, type Parts } from '../message/transaction.js'
import { addressOf } from './address.js'
import type { Signer } from './signer.js'
import { arbitraryDocument } from './arbitrary.js'

// The path of a Cosmos account in BIP-44, as Keplr and Ledger have it.
const path = "m/44'/118'/0'/0/0"

/** newWords draws 24 words for a new account. */
export function newWords(): string {
  return generateMnemonic(wordlist, 256)
}

/** LocalSigner holds an account's key in the memory of this program: for tests, demos and programs without a person. */
export class LocalSigner implements Signer {
  readonly address: string
  readonly publicKey: Uint8Array
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = Uint8Array.from(key)
    this.publicKey = secp256k1.getPublicKey(this.#key, true)
    this.address = addressOf(this.publicKey)
  }

  /** fromWords is the first account of 24 words, the one that wallets show. */
  static async fromWords(words: string): Promise<LocalSigner> {
    const phrase = words.trim().toLowerCase().split(/\s+/).join(' ')
    if (phrase.split(' ').length !== 24 || !validateMnemonic(phrase, wordlist)) throw new PhrdError('login', 'not the 24 words of an account')
    const { privateKey } = HDKey.fromMasterSeed(await mnemonicToSeed(phrase)).derive(path)
    if (privateKey === null) throw new PhrdError('login', 'the words give no key')
    return new LocalSigner(privateKey)
  }

  async signAmino(document: SignDocument): Promise<{ signed: SignDocument; signature: Uint8Array }> {
    return { signed: document, signature: this.#sign(documentBytes(document)) }
  }

  async signDirect(chainID: string, accountNumber: bigint, parts: Parts): Promise<Uint8Array> {
    return this.#sign(directBytes({ chainID, number: accountNumber, sequence: 0n }, parts))
  }

  async signText(text: string): Promise<Uint8Array> {
    return this.#sign(documentBytes(arbitraryDocument(this.address, text)))
  }

  // SHA-256, RFC 6979, low s.
  #sign(bytes: Uint8Array): Uint8Array {
    return secp256k1.sign(bytes, this.#key, { prehash: true, lowS: true, format: 'compact' })
  }
}
