/** chainInfo is how the network introduces itself to a wallet. Nothing costs anything there, yet a wallet wants a currency. */
export function chainInfo(chain: { readonly chainID: string }, gateway: string): object {
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
