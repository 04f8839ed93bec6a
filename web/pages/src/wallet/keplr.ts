import type { Chain } from '#sdk/gateway/gateway.js'
import { type Keplr, keplrSigner } from '#sdk/wallet/keplr.js'
import type { Signer } from '#sdk/wallet/signer.js'

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

/** chainInfo is how the network introduces itself to a wallet. Nothing costs anything there, yet a wallet wants a currency. */
export function chainInfo(chain: Chain, gateway: string): object {
  const currency = { coinDenom: 'PHRD', coinMinimalDenom: 'uphrd', coinDecimals: 6 }
  const prefix = 'phrd'
  return {
    chainId: chain.chainID, chainName: `phrd ${chain.chainID}`.slice(0, 36), rpc: `${gateway}/rpc`, rest: gateway, bip44: { coinType: 118 },
    bech32Config: {
      bech32PrefixAccAddr: prefix, bech32PrefixAccPub: `${prefix}pub`, bech32PrefixValAddr: `${prefix}valoper`, bech32PrefixValPub: `${prefix}valoperpub`,
      bech32PrefixConsAddr: `${prefix}valcons`, bech32PrefixConsPub: `${prefix}valconspub`,
    },
    currencies: [currency], feeCurrencies: [{ ...currency, gasPriceStep: { low: 0, average: 0, high: 0 } }], stakeCurrency: currency, features: [],
  }
}

/** connectWallet introduces the network to the browser's wallet, and gives the account that it has there. */
export async function connectWallet(chain: Chain, gateway: string): Promise<Signer> {
  const wallet = window.keplr
  if (wallet === undefined) throw new Error('no wallet')
  await wallet.experimentalSuggestChain(chainInfo(chain, gateway))
  await wallet.enable(chain.chainID)
  return keplrSigner(wallet, chain.chainID)
}
