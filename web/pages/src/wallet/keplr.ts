import type { Chain } from '#sdk/gateway/gateway.js'
import { answered, type Keplr, keplrSigner } from '#sdk/wallet/keplr.js'
import type { Signer } from '#sdk/wallet/signer.js'
import { chainInfo } from './chain'

/** Wallet is what Keplr, Leap and others put into the page. */
interface Wallet extends Keplr {
  experimentalSuggestChain(chain: object): Promise<void>
  enable(chainID: string): Promise<void>
}

declare global {
  interface Window {
    readonly keplr?: Wallet
  }
}

/** hasWallet tells whether the browser has a wallet. */
export function hasWallet(): boolean {
  return window.keplr !== undefined
}

let address: string | undefined

/** connected is the address of the account that the browser's wallet gave last. */
export function connected(): string | undefined {
  return address
}

/** connectWallet introduces the network to the browser's wallet, and gives the account that it has there. */
export async function connectWallet(chain: Chain, gateway: string): Promise<Signer> {
  const wallet = window.keplr
  if (wallet === undefined) throw new Error('no wallet')
  await answered(wallet.experimentalSuggestChain(chainInfo(chain, gateway)))
  await answered(wallet.enable(chain.chainID))
  const signer = await keplrSigner(wallet, chain.chainID)
  address = signer.address
  return signer
}
