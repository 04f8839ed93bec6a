import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chainInfo } from '../../pages/src/wallet/chain.js'
import { checkChain } from '../src/chain.js'

const suggested = () => chainInfo({ chainID: 'phrd-demo-1' }, 'https://hospital.example') as any

test('the chain that the pages suggest is taken', () => {
  assert.deepEqual(checkChain(suggested()), {
    id: 'phrd-demo-1', name: 'phrd phrd-demo-1', prefix: 'phrd', rest: 'https://hospital.example', rpc: 'https://hospital.example/rpc',
  })
})

const wrongs: Readonly<Record<string, (chain: any) => void>> = {
  'fees': (c) => (c.feeCurrencies[0].gasPriceStep.average = 0.01),
  'no word of fees': (c) => delete c.feeCurrencies[0].gasPriceStep,
  'no currency for fees': (c) => (c.feeCurrencies = []),
  'another currency for fees': (c) => (c.feeCurrencies[0].coinMinimalDenom = 'uother'),
  'another currency to stake': (c) => (c.stakeCurrency = { ...c.stakeCurrency, coinMinimalDenom: 'uother' }),
  'no currency': (c) => (c.currencies = []),
  'half a place': (c) => (c.currencies[0].coinDecimals = 0.5),
  'no id': (c) => (c.chainId = ''),
  'no name': (c) => delete c.chainName,
  'a node without TLS': (c) => (c.rpc = 'http://hospital.example/rpc'),
  'no node': (c) => (c.rest = 'nowhere'),
  'prefixes that are not of each other': (c) => (c.bech32Config.bech32PrefixValAddr = 'cosmosvaloper'),
  'a prefix that is none': (c) => (c.bech32Config.bech32PrefixAccAddr = 'PHRD'),
  'keys of another kind': (c) => (c.bip44.coinType = 60),
  'features that are no list': (c) => (c.features = {}),
}

for (const [name, make] of Object.entries(wrongs)) {
  test(`a chain with ${name} is refused`, () => {
    const chain = suggested()
    make(chain)
    assert.throws(() => checkChain(chain))
  })
}

test('what is no chain is refused', () => {
  for (const none of [undefined, null, 'phrd-demo-1', [], {}]) assert.throws(() => checkChain(none))
})
