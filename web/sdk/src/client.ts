import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { Bytes } from '#custody/encoding.js'
import { PhrdError } from './errors.js'
import { type Door, platformTransport, type Transport } from './gateway/door.js'
import type { Member, Principal } from './gateway/gateway.js'
import { Gateways } from './gateway/gateways.js'
import { MemorySecrets, type Secrets } from './secrets.js'
import { type Mode, type Receipt, Sender } from './send.js'
import type { Signer } from './wallet/signer.js'

/** Config says how to reach the network, and as whom. */
export interface Config {
  /** The gateway that is talked to first, and others that are known from a source that is not that gateway: approvals are checked there. */
  readonly doors: readonly Door[]
  /** Where they are given, they must be those that the gateways name. */
  readonly chainID?: string
  readonly network?: Bytes
  /** The account. Without it only what needs no login works. */
  readonly signer?: Signer
  /** Without it secrets live as long as the client. */
  readonly secrets?: Secrets
  readonly transport?: Transport
}

/** Client talks to the network for one account. */
export class Client {
  readonly gateways: Gateways
  readonly secrets: Secrets
  readonly #member: Member
  readonly #sender: Sender

  private constructor(config: Config) {
    this.#member = { chainID: config.chainID ?? '', network: config.network ?? new Uint8Array(), signer: config.signer }
    this.gateways = new Gateways(config.doors, this.#member, config.transport ?? platformTransport)
    this.secrets = config.secrets ?? new MemorySecrets()
    this.#sender = new Sender(this.gateways, this.#member)
  }

  /** dial asks the first gateway that answers which network it belongs to. It logs in when that is first needed. */
  static async dial(config: Config): Promise<Client> {
    const client = new Client(config)
    await client.gateways.try((gateway) => gateway.chain())
    return client
  }

  get chainID(): string {
    return this.#member.chainID
  }

  /** The network id, 32 bytes. */
  get network(): Bytes {
    return this.#member.network
  }

  /** The account. It fails for a client without one. */
  get signer(): Signer {
    if (this.#member.signer === undefined) throw new PhrdError('no account', 'the client has no account')
    return this.#member.signer
  }

  /** The height that this client has seen committed. */
  get height(): bigint {
    return this.#sender.height
  }

  /** principal says who the account is, as it was at login; again asks anew. */
  async principal(again = false): Promise<Principal> {
    return this.gateways.try((gateway) => gateway.login(again))
  }

  /** patient is the account's patient number. The error is of kind 'forbidden' where it has none. */
  async patient(): Promise<string> {
    // Who was nobody yet at login may have registered since.
    const { patient } = await this.principal()
    const now = patient === '' ? (await this.principal(true)).patient : patient
    if (now === '') throw new PhrdError('forbidden', 'this account is no patient’s')
    return now
  }

  /** blockTime is the time by which the chain measures expiries, in unix seconds. */
  async blockTime(): Promise<bigint> {
    return (await this.gateways.try((gateway) => gateway.chain())).blockTime
  }

  /** send signs a message, has it committed, and gives the handler's answer. The error is a Refused where the chain did not carry it out. */
  async send<I extends DescMessage, O extends DescMessage>(
    mode: Mode, gas: bigint, schema: I, message: MessageInitShape<I>, answer: O,
  ): Promise<{ answer: MessageShape<O>; receipt: Receipt }> {
    return this.#sender.send(mode, gas, schema, message, answer)
  }

  /** logout ends the logins at all gateways. */
  async logout(): Promise<void> {
    await Promise.all(this.gateways.order().map((gateway) => gateway.logout()))
  }
}
