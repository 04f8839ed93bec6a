import { serializeSignDoc, type StdSignature, type StdSignDoc } from '@cosmjs/amino'
import { type Chain, checkChain } from './chain.js'
import { arbitraryDocument } from './document.js'
import { isArbitrarySignature, Keys } from './keys.js'
import { ledgerScreens, type Screen } from './ledger.js'
import { aminoLines, directLines, isArbitrary, type Line } from './show.js'

/** Account is one that the wallet has. Of a Ledger it has the words here, and behaves as if it had not. */
export interface Account {
  readonly name: string
  readonly words: string
  readonly ledger: boolean
}

/** State is all that the wallet keeps. */
export interface State {
  readonly accounts: readonly Account[]
  /** Which of them is used. */
  readonly used: number
  readonly locked: boolean
  readonly chains: readonly Chain[]
  /** The chains whose account a site may ask for, by the site's origin. */
  readonly permitted: Readonly<Record<string, readonly string[]>>
}

/** Question is what the wallet asks a person, in a window of its own. */
export interface Question {
  readonly title: string
  /** The site that asks for it. */
  readonly origin: string
  /** The name of the account that is used, and on what it lies. */
  readonly account: string
  readonly lines: readonly Line[]
  /** What a Ledger shows of the same. */
  readonly screens?: readonly Screen[]
  /** What to click to accept. */
  readonly accept: string
}

/** Surroundings are where the wallet keeps its state, and how it asks. */
export interface Surroundings {
  state(): Promise<State>
  change(how: (state: State) => State): Promise<void>
  /** ask gives whether the person accepted. */
  ask(question: Question): Promise<boolean>
}

/** Key is what a site is told of an account. */
export interface Key {
  readonly name: string
  readonly algo: 'secp256k1'
  readonly pubKey: Uint8Array
  readonly address: Uint8Array
  readonly bech32Address: string
  readonly isNanoLedger: boolean
  readonly isKeystone: false
}

interface DirectDocument {
  readonly bodyBytes: Uint8Array
  readonly authInfoBytes: Uint8Array
  readonly chainId: string
  readonly accountNumber: bigint
}

/** Method is what a site may call. */
export type Method = 'enable' | 'disable' | 'experimentalSuggestChain' | 'getKey' | 'signAmino' | 'signDirect' | 'signArbitrary' | 'verifyArbitrary'

/** rejection is what sites are told when the person says no, in Keplr's words. */
export const rejection = 'Request rejected'

interface Signing {
  readonly account: Account
  readonly keys: Keys
}

/** Wallet does what sites call, as Keplr does: nothing is told to a site that the person has not permitted, and nothing is signed that was not shown and accepted. */
export class Wallet {
  readonly #around: Surroundings
  // One window at a time.
  #last: Promise<unknown> = Promise.resolve()

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** call carries out a method for the site of an origin. */
  async call(origin: string, method: Method, given: readonly unknown[]): Promise<unknown> {
    switch (method) {
      case 'enable':
        return this.#enable(origin, given[0] as readonly string[])
      case 'disable':
        return this.#disable(origin, given[0] as readonly string[] | null | undefined)
      case 'experimentalSuggestChain':
        return this.#suggest(origin, given[0])
      case 'getKey':
        return this.#key(origin, given[0] as string)
      case 'signAmino':
        return this.#signAmino(origin, ...(given as [string, string, StdSignDoc]))
      case 'signDirect':
        return this.#signDirect(origin, ...(given as [string, string, DirectDocument]))
      case 'signArbitrary':
        return this.#signArbitrary(origin, ...(given as [string, string, string | Uint8Array]))
      case 'verifyArbitrary':
        return this.#verifyArbitrary(...(given as [string, string, string | Uint8Array, StdSignature]))
      default:
        throw new Error(`${String(method)} is no method of this wallet`)
    }
  }

  /** use changes the account that is used. */
  use(account: number): Promise<void> {
    return this.#around.change((state) => (account in state.accounts ? { ...state, used: account } : state))
  }

  /** lock has the wallet ask before it does anything else. */
  lock(): Promise<void> {
    return this.#around.change((state) => ({ ...state, locked: true }))
  }

  async #suggest(origin: string, suggested: unknown): Promise<void> {
    const chain = checkChain(suggested)
    await this.#unlocked(origin)
    if ((await this.#around.state()).chains.some(({ id }) => id === chain.id)) return
    const lines: Line[] = [['Name', chain.name], ['Network', chain.id], ['Addresses begin with', chain.prefix], ['Asked at', `${chain.rest}\n${chain.rpc}`], ['Fees', 'none']]
    await this.#ask(origin, 'Add a network', lines, 'Add')
    await this.#around.change((state) => ({ ...state, chains: [...state.chains.filter(({ id }) => id !== chain.id), chain] }))
  }

  async #enable(origin: string, ids: readonly string[]): Promise<void> {
    await this.#unlocked(origin)
    for (const id of ids) await this.#chain(id)
    const { permitted } = await this.#around.state()
    const missing = ids.filter((id) => permitted[origin]?.includes(id) !== true)
    if (missing.length === 0) return
    await this.#ask(origin, 'Show your account to this site', missing.map((id) => ['Network', id]), 'Connect')
    await this.#around.change((state) => ({ ...state, permitted: { ...state.permitted, [origin]: [...new Set([...(state.permitted[origin] ?? []), ...missing])] } }))
  }

  async #disable(origin: string, ids: readonly string[] | null | undefined): Promise<void> {
    await this.#around.change((state) => ({ ...state, permitted: { ...state.permitted, [origin]: (state.permitted[origin] ?? []).filter((id) => ids?.includes(id) === false) } }))
  }

  async #key(origin: string, id: string): Promise<Key> {
    await this.#enable(origin, [id])
    const { account, keys } = await this.#used(id)
    return {
      name: account.name, algo: 'secp256k1', pubKey: keys.publicKey, address: keys.rawAddress(), bech32Address: keys.address, isNanoLedger: account.ledger, isKeystone: false,
    }
  }

  async #signAmino(origin: string, id: string, signer: string, document: StdSignDoc): Promise<unknown> {
    const { account, keys } = await this.#signing(origin, id, signer)
    if (!isArbitrary(document) && document.chain_id !== id) throw new Error('Chain id in the message is not matched with the requested chain id')
    if (isArbitrary(document) && (document.chain_id !== '' || document.msgs[0]?.value['signer'] !== signer)) throw new Error('the text is not to be signed by this account')
    const lines = aminoLines(document)
    const screens = account.ledger ? ledgerScreens(serializeSignDoc(document)) : undefined
    await this.#ask(origin, isArbitrary(document) ? 'Sign a text' : 'Sign a transaction', lines, 'Sign', screens)
    return keys.signAmino(document)
  }

  async #signDirect(origin: string, id: string, signer: string, document: DirectDocument): Promise<unknown> {
    const { account, keys } = await this.#signing(origin, id, signer)
    if (account.ledger) throw new Error('Ledger: it signs amino documents only')
    if (document.chainId !== id) throw new Error('Chain id in the message is not matched with the requested chain id')
    await this.#ask(origin, 'Sign a transaction', directLines(id, document.bodyBytes, document.authInfoBytes), 'Sign')
    return keys.signDirect(document)
  }

  async #signArbitrary(origin: string, id: string, signer: string, data: string | Uint8Array): Promise<StdSignature> {
    const { signature } = (await this.#signAmino(origin, id, signer, arbitraryDocument(signer, data))) as { signature: StdSignature }
    return signature
  }

  async #verifyArbitrary(id: string, signer: string, data: string | Uint8Array, signature: StdSignature): Promise<boolean> {
    return isArbitrarySignature((await this.#chain(id)).prefix, signer, data, signature)
  }

  async #signing(origin: string, id: string, signer: string): Promise<Signing> {
    await this.#enable(origin, [id])
    const signing = await this.#used(id)
    if (signing.keys.address !== signer) throw new Error('Signer mismatched')
    return signing
  }

  async #used(id: string): Promise<Signing> {
    const { prefix } = await this.#chain(id)
    const { accounts, used } = await this.#around.state()
    const account = accounts[used]
    if (account === undefined) throw new Error('the wallet has no account')
    return { account, keys: await Keys.of(account.words, prefix) }
  }

  async #chain(id: string): Promise<Chain> {
    const chain = (await this.#around.state()).chains.find((chain) => chain.id === id)
    if (chain === undefined) throw new Error(`There is no chain info for ${id}`)
    return chain
  }

  async #unlocked(origin: string): Promise<void> {
    if (!(await this.#around.state()).locked) return
    await this.#ask(origin, 'The wallet is locked', [], 'Unlock')
    await this.#around.change((state) => ({ ...state, locked: false }))
  }

  async #ask(origin: string, title: string, lines: readonly Line[], accept: string, screens?: readonly Screen[]): Promise<void> {
    const { accounts, used } = await this.#around.state()
    const account = accounts[used]
    const name = account === undefined ? 'no account' : account.ledger ? `${account.name}, on a Ledger` : account.name
    const question = { title, origin, account: name, lines, accept, ...(screens === undefined ? {} : { screens }) }
    const answered = this.#last.then(() => this.#around.ask(question))
    this.#last = answered.catch(() => undefined)
    if (!(await answered)) throw new Error(rejection)
  }
}
