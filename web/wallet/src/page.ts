import type { StdSignDoc } from '@cosmjs/amino'
import { type Asked, channel, type Told } from './messages.js'
import { pack, unpack } from './packed.js'
import type { Key, Method } from './wallet.js'

// This runs among the page's own scripts, with no more rights than they have: it hands on what they ask.

interface Waiting {
  readonly done: (value: unknown) => void
  readonly failed: (cause: Error) => void
}

const waiting = new Map<number, Waiting>()
let asked = 0

function ask(method: Method, ...given: unknown[]): Promise<unknown> {
  return new Promise((done, failed) => {
    const number = asked++
    waiting.set(number, { done, failed })
    const message: Asked = { channel, number, method, given: pack(given) }
    window.postMessage(message, location.origin)
  })
}

addEventListener('message', ({ source, data }: MessageEvent<Partial<Told> | null>) => {
  if (source !== window || data?.channel !== channel || data.to === undefined || data.outcome === undefined) return
  const one = waiting.get(data.to)
  waiting.delete(data.to)
  if ('fault' in data.outcome) one?.failed(new Error(data.outcome.fault))
  else one?.done(unpack(data.outcome.value))
})

interface DirectDocument {
  readonly bodyBytes: Uint8Array
  readonly authInfoBytes: Uint8Array
  readonly chainId: string
  // A bigint, a Long or a text.
  readonly accountNumber: { toString(): string }
}

const getKey = (chain: string) => ask('getKey', chain) as Promise<Key>
const signAmino = (chain: string, signer: string, document: StdSignDoc) => ask('signAmino', chain, signer, document)
const signDirect = (chain: string, signer: string, { bodyBytes, authInfoBytes, chainId, accountNumber }: DirectDocument) =>
  ask('signDirect', chain, signer, { bodyBytes, authInfoBytes, chainId, accountNumber: BigInt(accountNumber.toString()) })

function aminoSigner(chain: string) {
  return {
    async getAccounts() {
      const { bech32Address: address, algo, pubKey: pubkey } = await getKey(chain)
      return [{ address, algo, pubkey }]
    },
    signAmino: (signer: string, document: StdSignDoc) => signAmino(chain, signer, document),
  }
}

function signer(chain: string) {
  return { ...aminoSigner(chain), signDirect: (signer: string, document: DirectDocument) => signDirect(chain, signer, document) }
}

const wallet = {
  version: 'phrd-test-wallet',
  mode: 'extension',
  enable: (chains: string | readonly string[]) => ask('enable', [chains].flat()),
  disable: (chains?: string | readonly string[]) => ask('disable', chains === undefined ? undefined : [chains].flat()),
  experimentalSuggestChain: (chain: object) => ask('experimentalSuggestChain', chain),
  getKey,
  signAmino,
  signDirect,
  signArbitrary: (chain: string, signer: string, data: string | Uint8Array) => ask('signArbitrary', chain, signer, data),
  verifyArbitrary: (chain: string, signer: string, data: string | Uint8Array, signature: object) => ask('verifyArbitrary', chain, signer, data, signature),
  getOfflineSigner: signer,
  getOfflineSignerOnlyAmino: aminoSigner,
  getOfflineSignerAuto: async (chain: string) => ((await getKey(chain)).isNanoLedger ? aminoSigner(chain) : signer(chain)),
}

Object.defineProperty(window, 'keplr', { value: Object.freeze(wallet) })
