import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { cidText } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { hex } from '#custody/wallet.js'
import { isKind, PhrdError } from '../errors.js'
import { MemberStatus } from '../generated/phrd/consortium/v1/member_pb.js'
import { Query } from '../generated/phrd/consortium/v1/query_pb.js'
import { type Door, hostOf, type Transport } from './door.js'
import { Gateway, largestSmallBlock, type Member } from './gateway.js'
import type { Connection } from './query.js'

/** elsewhere tells whether another gateway may have what one did not give: it did not answer, does not find it, or gave something else. */
export function elsewhere(cause: unknown): boolean {
  return isKind(cause, 'unreachable', 'not found', 'block')
}

/** Gateways are those that a program knows, the configured ones first. A question goes to the one that answered last, then to the others. */
export class Gateways implements Connection {
  readonly #all: Gateway[]
  readonly #member: Member
  readonly #transport: Transport
  #current = 0
  #learned = false

  constructor(doors: readonly Door[], member: Member, transport: Transport) {
    this.#member = member
    this.#transport = transport
    this.#all = doors.map((door) => new Gateway(door, member, transport))
    if (this.#all.length === 0) throw new PhrdError('network', 'no gateway is named')
  }

  /** order is that in which gateways are tried. */
  order(): Gateway[] {
    return [...this.#all.slice(this.#current), ...this.#all.slice(0, this.#current)]
  }

  /** try asks one gateway after another while onward says so of the error; where all failed, the error is that of the first. */
  async try<T>(ask: (gateway: Gateway) => Promise<T>, onward = (cause: unknown) => isKind(cause, 'unreachable')): Promise<T> {
    const faults: unknown[] = []
    for (const gateway of this.order()) {
      try {
        const found = await ask(gateway)
        this.#current = this.#all.indexOf(gateway)
        return found
      } catch (cause) {
        if (!onward(cause)) throw cause
        faults.push(cause)
      }
    }
    throw faults.find((cause) => !isKind(cause, 'unreachable')) ?? faults[0]
  }

  async query<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, request: MessageInitShape<I>): Promise<MessageShape<O>> {
    return this.try((gateway) => gateway.query(method, request))
  }

  /** learn asks once for the gateways of all members. Those that were configured keep what they were configured with. */
  async learn(): Promise<void> {
    if (this.#learned) return
    const { members } = await this.query(Query.method.members, {})
    for (const m of members) {
      const isThere = m.status === MemberStatus.ACTIVE || m.status === MemberStatus.LEAVING
      if (m.gatewayUrl !== '' && isThere) this.#add({ hospital: m.number, name: m.name, gateway: m.gatewayUrl, fingerprint: hex(m.gatewayFingerprint) })
    }
    this.#learned = true
  }

  #add(door: Door): void {
    let host: string
    try {
      host = hostOf(door.gateway)
    } catch {
      return // a member with an address that is none cannot be asked
    }
    const known = this.#all.find((gateway) => gateway.host === host)
    if (known === undefined) this.#all.push(new Gateway(door, this.#member, this.#transport))
    else if (known.hospital === 0n) [known.hospital, known.name] = [door.hospital, door.name]
  }

  /** doors are the gateways of all members, the configured ones first and as they were configured. */
  async doors(): Promise<Door[]> {
    await this.learn()
    return this.#all.map((gateway) => ({ ...gateway.door, hospital: gateway.hospital, name: gateway.name }))
  }

  /** of is the gateway of a hospital. */
  async of(hospital: bigint): Promise<Gateway> {
    const find = () => this.#all.find((gateway) => gateway.hospital === hospital)
    if (find() === undefined) await this.learn()
    const found = find()
    if (found === undefined) throw new PhrdError('unreachable', `the gateway of hospital ${hospital} is not known`)
    return found
  }

  /** smallBlock reads a small block from whichever gateway has it; reason says why the account may have it, like "unlock=<id>". */
  async smallBlock(cid: Uint8Array, reason = ''): Promise<Bytes> {
    const path = `/blocks/${cidText(cid)}${reason === '' ? '' : `?${reason}`}`
    return this.try((gateway) => gateway.block(path, cid, largestSmallBlock), elsewhere)
  }

  /** putBlock uploads a small block to the first gateway that answers, and to a second one if that takes it. */
  async putBlock(cid: Uint8Array, block: Bytes): Promise<void> {
    await this.learn()
    await this.try((gateway) => gateway.putBlock(cid, block))
    // One copy is enough; the second one is for the day on which the first gateway is away.
    for (const gateway of this.order().slice(1)) {
      if (await this.offer(gateway, cid, block)) return
    }
  }

  /** putBlocks uploads small blocks to one gateway, the first that takes all of them, reads them back, and gives the hospital whose gateway it is. */
  async putBlocks(blocks: readonly { readonly cid: Uint8Array; readonly block: Bytes }[]): Promise<bigint> {
    return this.try(async (gateway) => {
      for (const { cid, block } of blocks) {
        await gateway.putBlock(cid, block)
        await gateway.block(`/blocks/${cidText(cid)}`, cid, largestSmallBlock)
      }
      if (gateway.hospital === 0n) await gateway.chain()
      return gateway.hospital
    })
  }

  /** offer uploads a small block to a gateway that need not take it, and tells whether it did. */
  async offer(gateway: Gateway, cid: Uint8Array, block: Bytes): Promise<boolean> {
    return gateway.putBlock(cid, block).then(() => true, () => false)
  }
}
