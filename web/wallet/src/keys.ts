import { type AminoSignResponse, encodeSecp256k1Pubkey, pubkeyToAddress, Secp256k1HdWallet, serializeSignDoc, type StdSignature, type StdSignDoc } from '@cosmjs/amino'
import { Secp256k1, Secp256k1Signature, Sha256 } from '@cosmjs/crypto'
import { fromBase64, fromBech32 } from '@cosmjs/encoding'
import { DirectSecp256k1HdWallet, type DirectSignResponse } from '@cosmjs/proto-signing'
import { arbitraryDocument } from './document.js'

type DirectDocument = Parameters<DirectSecp256k1HdWallet['signDirect']>[1]

/** Keys are those of the first account of some words on one chain, as CosmJS has them. */
export class Keys {
  readonly address: string
  readonly publicKey: Uint8Array
  readonly #words: string
  readonly #prefix: string
  readonly #amino: Secp256k1HdWallet

  private constructor(address: string, publicKey: Uint8Array, words: string, prefix: string, amino: Secp256k1HdWallet) {
    this.address = address
    this.publicKey = publicKey
    this.#words = words
    this.#prefix = prefix
    this.#amino = amino
  }

  static async of(words: string, prefix: string): Promise<Keys> {
    const amino = await Secp256k1HdWallet.fromMnemonic(words, { prefix })
    const [account] = await amino.getAccounts()
    if (account === undefined) throw new Error('the words give no account')
    return new Keys(account.address, account.pubkey, words, prefix, amino)
  }

  /** rawAddress are the 20 bytes of the address. */
  rawAddress(): Uint8Array {
    return fromBech32(this.address).data
  }

  signAmino(document: StdSignDoc): Promise<AminoSignResponse> {
    return this.#amino.signAmino(this.address, document)
  }

  async signDirect(document: DirectDocument): Promise<DirectSignResponse> {
    return (await DirectSecp256k1HdWallet.fromMnemonic(this.#words, { prefix: this.#prefix })).signDirect(this.address, document)
  }
}

/** isArbitrarySignature tells whether a signature of an address is over the ADR-36 document of the data. */
export async function isArbitrarySignature(prefix: string, signer: string, data: string | Uint8Array, signature: StdSignature): Promise<boolean> {
  const publicKey = fromBase64(signature.pub_key.value)
  if (pubkeyToAddress(encodeSecp256k1Pubkey(publicKey), prefix) !== signer) return false
  const digest = new Sha256(serializeSignDoc(arbitraryDocument(signer, data))).digest()
  return Secp256k1.verifySignature(Secp256k1Signature.fromFixedLength(fromBase64(signature.signature)), digest, publicKey)
}
