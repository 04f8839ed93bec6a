import { createRequire } from 'node:module'
import { chainInfo } from '../src/wallet/chain.ts'
import { check, demand } from './check.ts'
import { network } from './scene.ts'

interface Validator {
  /** Gives the chain as Keplr takes it, or throws what is wrong with it. */
  validateBasicChainInfoType(chain: object): Promise<object>
}

const { validateBasicChainInfoType } = createRequire(new URL('../../../tools/keplr/package.json', import.meta.url))('@keplr-wallet/chain-validator') as Validator

await check('Keplr takes the network as the page suggests it', async () => {
  const gateway = await network.gateway(1)
  const suggested = chainInfo({ chainID: await network.chainID() }, gateway)
  demand(JSON.stringify(await validateBasicChainInfoType(suggested)) === JSON.stringify(suggested), 'Keplr takes another chain than the one that is suggested')
  for (const wrong of [{ chainId: '' }, { rpc: 'nowhere' }, { currencies: [] }]) {
    const taken = await validateBasicChainInfoType({ ...suggested, ...wrong }).catch(() => undefined)
    demand(taken === undefined, `Keplr takes ${JSON.stringify(wrong)}`)
  }
})
