import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeSignDoc, type StdSignDoc, type StdSignature } from '@cosmjs/amino'
import { toBech32, toUtf8 } from '@cosmjs/encoding'
import { encodePubkey, makeAuthInfoBytes, Registry } from '@cosmjs/proto-signing'
import { cosmJSTypes } from '../../sdk/src/message/cosmjs.js'
import { personalMessages } from '../../sdk/src/message/personal.js'
import { chainInfo } from '../../pages/src/wallet/chain.js'
import { pack, unpack } from '../src/packed.js'
import { type Key, type Question, rejection, type State, Wallet } from '../src/wallet.js'

// Words that everybody knows.
const words = ['abandon '.repeat(23) + 'art', 'zoo '.repeat(23) + 'vote']
const site = 'https://hospital.example'
const chain = 'phrd-demo-1'
const info = chainInfo({ chainID: chain }, site)

/** Person has a wallet, sees what it asks, and says yes to all but what they were told to reject. */
class Person {
  readonly seen: Question[] = []
  rejects = ''
  state: State
  readonly wallet = new Wallet({
    state: async () => this.state,
    change: async (how) => void (this.state = how(this.state)),
    ask: async (question) => {
      this.seen.push(question)
      return question.title !== this.rejects
    },
  })

  constructor(ledger = false) {
    this.state = { accounts: words.map((words, i) => ({ name: `account ${i}`, words, ledger })), used: 0, locked: false, chains: [], permitted: {} }
  }

  async connected(): Promise<Key> {
    await this.wallet.call(site, 'experimentalSuggestChain', [info])
    return (await this.wallet.call(site, 'getKey', [chain])) as Key
  }

  titles(): string[] {
    return this.seen.map(({ title }) => title)
  }
}

const document = (id = chain): StdSignDoc => makeSignDoc([{ type: 'phrd/MsgDenyUnlock', value: { signer: 'phrd1x', unlock: 'ff' } }], { amount: [], gas: '1' }, id, '', 0, 0)
const valueOf = (question: Question | undefined, name: string) => question?.lines.find(([n]) => n === name)?.[1]

test('a network is added and an account shown once the person said so, and only then', async () => {
  const person = new Person()
  await assert.rejects(person.wallet.call(site, 'enable', [[chain]]), { message: `There is no chain info for ${chain}` })
  person.rejects = 'Add a network'
  await assert.rejects(person.connected(), { message: rejection })
  person.rejects = 'Show your account to this site'
  await assert.rejects(person.connected(), { message: rejection })
  person.rejects = ''
  const key = await person.connected()
  assert.equal(toBech32('phrd', key.address), key.bech32Address)
  assert.equal(key.isNanoLedger, false)
  const asked = person.seen.length
  await person.connected()
  assert.equal(person.seen.length, asked, 'what was permitted is not asked again')
  await person.wallet.call('https://elsewhere.example', 'getKey', [chain])
  assert.equal(person.seen.at(-1)?.origin, 'https://elsewhere.example')
  await person.wallet.call(site, 'disable', [undefined])
  await person.connected()
  assert.equal(person.seen.length, asked + 2, 'what is no longer permitted is asked again')
})

test('what is signed was shown, and nothing is signed without a yes', async () => {
  const person = new Person()
  const { bech32Address: address } = await person.connected()
  const signed = (await person.wallet.call(site, 'signAmino', [chain, address, document()])) as { signed: StdSignDoc }
  assert.deepEqual(signed.signed, document())
  assert.equal(valueOf(person.seen.at(-1), 'Message'), 'phrd/MsgDenyUnlock')
  assert.equal(valueOf(person.seen.at(-1), 'unlock'), 'ff')
  person.rejects = 'Sign a transaction'
  await assert.rejects(person.wallet.call(site, 'signAmino', [chain, address, document()]), { message: rejection })
  const asked = person.seen.length
  await assert.rejects(person.wallet.call(site, 'signAmino', [chain, 'phrd1other', document()]), { message: 'Signer mismatched' })
  await assert.rejects(person.wallet.call(site, 'signAmino', [chain, address, document('other-1')]), /Chain id/)
  assert.equal(person.seen.length, asked, 'what is not to be signed is not shown')
})

test('a text is shown as it is, its signature is the same each time, and checked', async () => {
  const person = new Person()
  const { bech32Address: address } = await person.connected()
  const sign = (text: string) => person.wallet.call(site, 'signArbitrary', [chain, address, text]) as Promise<StdSignature>
  const first = await sign('phrd login\nnonce: 1')
  assert.equal(person.seen.at(-1)?.lines[0]?.[1], 'phrd login\nnonce: 1')
  assert.deepEqual(await sign('phrd login\nnonce: 1'), first)
  const isRight = (signer: string, text: string | Uint8Array) => person.wallet.call(site, 'verifyArbitrary', [chain, signer, text, first])
  assert.equal(await isRight(address, 'phrd login\nnonce: 1'), true)
  assert.equal(await isRight(address, toUtf8('phrd login\nnonce: 1')), true)
  assert.equal(await isRight(address, 'phrd login\nnonce: 2'), false)
  await person.wallet.use(1)
  const { bech32Address: other } = (await person.wallet.call(site, 'getKey', [chain])) as Key
  assert.notEqual(other, address)
  assert.equal(await isRight(other, 'phrd login\nnonce: 1'), false)
})

test('what has no shape is shown by its number', async () => {
  const person = new Person()
  const { bech32Address: address } = await person.connected()
  await person.wallet.call(site, 'signArbitrary', [chain, address, 'a\u202eb\u200bc\td'])
  assert.equal(person.seen.at(-1)?.lines[0]?.[1], 'a\\u{202e}b\\u{200b}c\\u{9}d')
})

/** direct is an encoded transaction of an account. */
function direct(key: Key, id = chain) {
  const schema = personalMessages.find(({ name }) => name === 'MsgDenyUnlock') ?? assert.fail()
  const registry = new Registry(cosmJSTypes() as never)
  const bodyBytes = registry.encodeTxBody({ messages: [{ typeUrl: `/${schema.typeName}`, value: { signer: key.bech32Address, unlock: 'ff' } }] })
  const pubkey = encodePubkey({ type: 'tendermint/PubKeySecp256k1', value: Buffer.from(key.pubKey).toString('base64') })
  return { bodyBytes, authInfoBytes: makeAuthInfoBytes([{ pubkey, sequence: 0 }], [], 1, undefined, undefined), chainId: id, accountNumber: 2n ** 63n + 1n }
}

test('an encoded transaction is read, shown and signed as it is', async () => {
  const person = new Person()
  const key = await person.connected()
  const given = direct(key)
  const { signed } = (await person.wallet.call(site, 'signDirect', [chain, key.bech32Address, given])) as { signed: typeof given }
  assert.deepEqual(signed, given)
  assert.equal(valueOf(person.seen.at(-1), 'Message'), '/phrd.access.v1.MsgDenyUnlock')
  assert.equal(valueOf(person.seen.at(-1), 'unlock'), 'ff')
  await assert.rejects(person.wallet.call(site, 'signDirect', [chain, key.bech32Address, direct(key, 'other-1')]), /Chain id/)
})

test('a Ledger signs what it can show, and no encoded transaction', async () => {
  const person = new Person(true)
  const key = await person.connected()
  assert.equal(key.isNanoLedger, true)
  await person.wallet.call(site, 'signAmino', [chain, key.bech32Address, document()])
  assert.ok(person.seen.at(-1)?.screens?.some(({ title, pages }) => title === 'msgs/value/unlock' && pages[0] === 'ff'))
  const asked = person.seen.length
  await assert.rejects(person.wallet.call(site, 'signDirect', [chain, key.bech32Address, direct(key)]), /amino documents only/)
  await assert.rejects(person.wallet.call(site, 'signAmino', [chain, key.bech32Address, { ...document(), memo: 'x'.repeat(20_000) }]), /bytes/)
  assert.equal(person.seen.length, asked)
})

test('a wallet that is locked does nothing before it is unlocked', async () => {
  const person = new Person()
  const { bech32Address: address } = await person.connected()
  await person.wallet.lock()
  person.rejects = 'The wallet is locked'
  await assert.rejects(person.wallet.call(site, 'signAmino', [chain, address, document()]), { message: rejection })
  assert.equal(person.titles().at(-1), 'The wallet is locked')
  person.rejects = ''
  await person.wallet.call(site, 'signAmino', [chain, address, document()])
  assert.deepEqual(person.titles().slice(-2), ['The wallet is locked', 'Sign a transaction'])
})

test('windows open one after another', async () => {
  const person = new Person()
  const { bech32Address: address } = await person.connected()
  let open = 0
  const wallet = new Wallet({
    state: async () => person.state,
    change: async () => undefined,
    ask: async () => {
      assert.equal(++open, 1)
      await new Promise(setImmediate)
      open--
      return true
    },
  })
  await Promise.all(['a', 'b', 'c'].map((text) => wallet.call(site, 'signArbitrary', [chain, address, text])))
})

test('bytes and large numbers pass between the parts of the extension', () => {
  const given = [{ bytes: toUtf8('x'), number: 2n ** 64n, text: 'y', none: null }, []]
  assert.deepEqual(unpack(pack(given)), given)
  assert.equal(unpack(pack(undefined)), null)
})
