import { create, type DescMessage, fromBinary, type Message, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { base64 } from '@scure/base'
import type { Bytes } from '#custody/encoding.js'
import { Message as Fields } from '#custody/protobuf.js'
import { unhex } from '#custody/wallet.js'
import { isKind, PhrdError, Refused } from './errors.js'
import { fieldOf, type Member, numberOf, textOf } from './gateway/gateway.js'
import type { Gateways } from './gateway/gateways.js'
import { Outcome } from './generated/phrd/audit/v1/entry_pb.js'
import { type Account, checkSigned, signDocument } from './message/document.js'
import { signedTransaction, signMode, transactionParts } from './message/transaction.js'
import { poll, sleep } from './poll.js'
import type { Signer } from './wallet/signer.js'

/** commitTime is how long a transaction is awaited, in milliseconds. */
export const commitTime = 60_000
// There is no fee, so too much gas costs only room in a block.
const gasItem = 500_000n
const mostGas = 20_000_000n
/** gasBase is asked for a message. */
export const gasBase = 1_000_000n

const mostTries = 5
// Codes of the SDK for what passes: a signature over another number or sequence, a full pool, a sequence that another program took.
const passing = [4n, 20n, 32n]
const alreadyThere = 19n

/** gasFor is what a message that names so many versions asks for. */
export function gasFor(items: number): bigint {
  const gas = gasBase + gasItem * BigInt(items)
  return gas < mostGas ? gas : mostGas
}

/** Mode is how a message is signed: amino is what a person reads in a wallet, direct is what programs send. */
export type Mode = 'amino' | 'direct'

/** Receipt says where a transaction stands on the chain. */
export interface Receipt {
  readonly hash: string
  readonly height: bigint
}

/** Sender signs and hands in the messages of one account, one after another: their transactions are in sequence. */
export class Sender {
  /** The highest block in which a transaction was seen. */
  height = 0n
  readonly #gateways: Gateways
  readonly #member: Member
  #last: Promise<unknown> = Promise.resolve()

  constructor(gateways: Gateways, member: Member) {
    this.#gateways = gateways
    this.#member = member
  }

  async send<I extends DescMessage, O extends DescMessage>(
    mode: Mode, gas: bigint, schema: I, init: MessageInitShape<I>, answer: O,
  ): Promise<{ answer: MessageShape<O>; receipt: Receipt }> {
    const signer = this.#member.signer
    if (signer === undefined) throw new PhrdError('no account', 'no account to sign with')
    const message = create(schema, init)
    const mine = this.#last.then(() => this.#commit(signer, mode, gas, schema, message))
    this.#last = mine.catch(() => undefined)
    const { receipt, data } = await mine
    const said = readAnswer(schema.typeName, data, answer)
    const outcome: unknown = Reflect.get(said, 'outcome')
    if (outcome !== undefined && outcome !== Outcome.OK) throw new Refused(schema.typeName, String(Reflect.get(said, 'reason')))
    return { answer: said, receipt }
  }

  async #commit(signer: Signer, mode: Mode, gas: bigint, schema: DescMessage, message: Message): Promise<{ receipt: Receipt; data: string }> {
    for (let attempt = 1; ; attempt++) {
      const account = await this.#account(signer.address)
      const tx = await signed(signer, mode, account, gas, schema, message)
      const sent = await this.#broadcast(tx)
      const isSDK = textOf(sent, 'codespace') === 'sdk'
      const code = numberOf(sent, 'code')
      if (code === 0n || (isSDK && code === alreadyThere)) return this.#committed(schema.typeName, textOf(sent, 'txhash'))
      if (!isSDK || !passing.includes(code) || attempt === mostTries) throw refusedByCode(schema.typeName, sent)
      await sleep(attempt * 500)
    }
  }

  async #account(address: string): Promise<Account> {
    try {
      const said = await this.#gateways.try((gateway) => gateway.call('GET', `/cosmos/auth/v1beta1/account_info/${address}`))
      const info = fieldOf(said, 'info')
      return { chainID: this.#member.chainID, number: numberOf(info, 'account_number'), sequence: numberOf(info, 'sequence') }
    } catch (cause) {
      throw isKind(cause, 'not found') ? new PhrdError('no account', `the network does not know account ${address}`, cause) : cause
    }
  }

  async #broadcast(tx: Bytes): Promise<unknown> {
    const body = { tx_bytes: base64.encode(tx), mode: 'BROADCAST_MODE_SYNC' }
    return fieldOf(await this.#gateways.try((gateway) => gateway.call('POST', '/cosmos/tx/v1beta1/txs', body)), 'tx_response')
  }

  async #committed(name: string, hash: string): Promise<{ receipt: Receipt; data: string }> {
    const signal = AbortSignal.timeout(commitTime)
    let done: unknown
    try {
      done = await poll(signal, () => this.#find(hash))
    } catch (cause) {
      throw signal.aborted ? new PhrdError('not committed', `${name}: transaction ${hash} is in no block yet`, cause) : cause
    }
    const height = numberOf(done, 'height')
    if (height > this.height) this.height = height
    if (numberOf(done, 'code') !== 0n) throw refusedByCode(name, done)
    return { receipt: { hash, height }, data: textOf(done, 'data') }
  }

  async #find(hash: string): Promise<unknown> {
    try {
      return fieldOf(await this.#gateways.try((gateway) => gateway.call('GET', `/cosmos/tx/v1beta1/txs/${hash}`)), 'tx_response')
    } catch (cause) {
      if (isKind(cause, 'not found', 'unreachable')) return undefined // what was handed in may be carried out
      throw cause
    }
  }
}

async function signed(signer: Signer, mode: Mode, account: Account, gas: bigint, schema: DescMessage, message: Message): Promise<Bytes> {
  if (mode === 'direct') {
    const parts = transactionParts(account, gas, signer.publicKey, signMode.direct, schema, message)
    return signedTransaction(parts, await signer.signDirect(account.chainID, account.number, parts))
  }
  const document = signDocument(account, gas, schema, message)
  const { signed, signature } = await signer.signAmino(document)
  checkSigned(document, signed)
  // A wallet may have set another limit. The network takes no fee, so an amount in it is refused there.
  const parts = transactionParts(account, BigInt(signed.fee.gas), signer.publicKey, signMode.amino, schema, message)
  return signedTransaction(parts, signature)
}

// The data of a transaction is a TxMsgData: the answer to its one message is the Any of field 2.
function readAnswer<O extends DescMessage>(name: string, data: string, answer: O): MessageShape<O> {
  const [only, ...others] = new Fields(unhex(data.toLowerCase()), { 1: 'messages', 2: 'messages' }).messages(2)
  if (only === undefined || others.length > 0) throw new PhrdError('answer', `${name}: not one answer`)
  return fromBinary(answer, new Fields(only, { 1: 'bytes', 2: 'bytes' }).bytes(2))
}

function refusedByCode(name: string, response: unknown): Refused {
  return new Refused(name, `${textOf(response, 'codespace')}/${numberOf(response, 'code')}`, textOf(response, 'raw_log'))
}
