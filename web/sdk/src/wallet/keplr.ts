import { base64 } from '@scure/base'
import { PhrdError } from '../errors.js'
import type { SignDocument } from '../message/document.js'
import { addressOf } from './address.js'
import type { Signer } from './signer.js'

interface WalletSignature {
  readonly signature: string
}

/** Keplr is what this package uses of `window.keplr`, and of wallets that offer the same. */
export interface Keplr {
  getKey(chainID: string): Promise<{ readonly bech32Address: string; readonly pubKey: Uint8Array }>
  signAmino(chainID: string, signer: string, document: SignDocument, options?: object): Promise<{ readonly signed: SignDocument; readonly signature: WalletSignature }>
  signDirect(
    chainID: string,
    signer: string,
    document: { bodyBytes: Uint8Array; authInfoBytes: Uint8Array; chainId: string; accountNumber: bigint },
    options?: object,
  ): Promise<{ readonly signed: { readonly bodyBytes: Uint8Array; readonly authInfoBytes: Uint8Array }; readonly signature: WalletSignature }>
  signArbitrary(chainID: string, signer: string, data: string): Promise<WalletSignature>
}

// Nothing costs anything, so the wallet neither looks for money nor offers a fee or a memo.
const options = { preferNoSetFee: true, preferNoSetMemo: true, disableBalanceCheck: true }

/** answered gives what a wallet answers, and an error of kind 'rejected' where somebody said no. Wallets tell by a text alone, like Keplr's "Request rejected". */
export async function answered<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (cause) {
    throw cause instanceof Error && /reject/i.test(cause.message) ? new PhrdError('rejected', 'it was rejected in the wallet', cause) : cause
  }
}

/** keplrSigner is the account that a wallet has for a chain, which was enabled there before. */
export async function keplrSigner(keplr: Keplr, chainID: string): Promise<Signer> {
  const { bech32Address: address, pubKey: publicKey } = await answered(keplr.getKey(chainID))
  if (addressOf(publicKey) !== address) throw new PhrdError('login', 'the wallet shows an address that is not of its key')
  return {
    address,
    publicKey,
    async signAmino(document) {
      const { signed, signature } = await answered(keplr.signAmino(chainID, address, document, options))
      return { signed, signature: base64.decode(signature.signature) }
    },
    async signDirect(chain, accountNumber, parts) {
      const given = { bodyBytes: parts.body, authInfoBytes: parts.auth, chainId: chain, accountNumber }
      const { signed, signature } = await answered(keplr.signDirect(chainID, address, given, options))
      // Its account number comes back negative for the accounts of this network, and is not looked at.
      if (!same(signed.bodyBytes, parts.body) || !same(signed.authInfoBytes, parts.auth)) {
        throw new PhrdError('document', 'the wallet signed another transaction than the one it was given')
      }
      return base64.decode(signature.signature)
    },
    async signText(text) {
      return base64.decode((await answered(keplr.signArbitrary(chainID, address, text))).signature)
    },
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
