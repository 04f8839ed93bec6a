import assert from 'node:assert/strict'
import { create, type DescMessage, type DescMethodUnary, fromBinary, type JsonValue, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf'
import { base64 } from '@scure/base'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { bytesField, Message } from '#custody/protobuf.js'
import { hex } from '#custody/wallet.js'
import { Client } from '../src/client.js'
import type { Door, Transport } from '../src/gateway/door.js'
import { queryPath } from '../src/gateway/query.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { type MsgApproveRecovery, MsgApproveRecoverySchema, MsgApproveUnlockResponseSchema, MsgApproveUnlockSchema, MsgUseConsentSchema } from '../src/generated/phrd/access/v1/tx_pb.js'
import { UnlockSchema, UnlockStatus } from '../src/generated/phrd/access/v1/unlock_pb.js'
import { Outcome } from '../src/generated/phrd/audit/v1/entry_pb.js'
import { Query as Consortium } from '../src/generated/phrd/consortium/v1/query_pb.js'
import { KeyKind } from '../src/generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../src/generated/phrd/custody/v1/query_pb.js'
import { Query as Records } from '../src/generated/phrd/records/v1/query_pb.js'
import { MemorySecrets } from '../src/secrets.js'
import { LocalSigner } from '../src/wallet/local.js'
import type { Keeper } from './keeper.js'
import { changed, names, newWorld, type State, type Wishes, type World } from './world.js'

const chainID = 'phrd-test-1'
const expires = '2100-01-01T00:00:00Z'

/** FakeNetwork is four hospitals whose gateways answer without a chain: what is approved is so at once. A test has one of them lie. */
export class FakeNetwork {
  readonly alice = new LocalSigner(randomBytes(32))
  readonly doctor: LocalSigner
  readonly world: World
  /** What happened, in order: "approved", and "block <hospital>" for each that was handed in. */
  readonly events: string[] = []
  /** The approvals of recoveries. */
  readonly recoveries: MsgApproveRecovery[] = []
  /** Who everybody is that logs in. */
  who = { role: 'patient', hospital: 0 }
  /** What a hospital shows in the place of the truth. */
  readonly lies = new Map<string, (state: State) => State>()
  /** Blocks that a hospital gives in the place of others. */
  readonly otherBlocks = new Map<string, (cid: string) => Bytes | undefined>()
  readonly away = new Set<string>()
  /** What hospitals keep of the patient's pepper. */
  readonly keepers = new Map<string, Keeper>()
  readonly #more: { readonly path: string; readonly answer: JsonValue; readonly by: string }[] = []
  /** What gateways ask to sign at login. */
  loginText = (text: string): string => text
  #state: State

  private constructor(world: World, doctor: LocalSigner) {
    this.world = world
    this.doctor = doctor
    this.#state = world.state
  }

  static async make(wishes: Wishes = {}): Promise<FakeNetwork> {
    const doctor = new LocalSigner(randomBytes(32))
    return new FakeNetwork(await newWorld(doctor.address, wishes), doctor)
  }

  get id(): string {
    return this.#state.unlock.id
  }

  /** client is that of an account, whose configured gateways are these. */
  client(signer: LocalSigner, ...hospitals: string[]): Promise<Client> {
    const doors = hospitals.map((name): Door => ({ hospital: 0n, name: '', gateway: `https://${name}.test`, fingerprint: '' }))
    return Client.dial({ doors, signer, secrets: new MemorySecrets(), transport: this.transport })
  }

  readonly transport: Transport = (door) => async (url, init) => {
    const name = new URL(door.gateway).hostname.replace('.test', '')
    if (this.away.has(name)) throw new TypeError('fetch failed')
    const { pathname, search } = new URL(url)
    const found = this.#answer(name, init.method ?? 'GET', pathname + search, init.body)
    if (found === undefined) return Response.json({ title: 'Not Found', detail: `${init.method} ${pathname}` }, { status: 404 })
    return found instanceof Uint8Array ? new Response(found) : Response.json(found)
  }

  /** change changes what all hospitals show. */
  change(by: (state: State) => State): void {
    this.#state = by(this.#state)
  }

  /** shows has every hospital answer a question, or one alone, in the place of what it answered before. */
  shows<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, request: MessageInitShape<I>, answer: MessageInitShape<O>, by = ''): void {
    this.#more.unshift({ path: queryPath(method, request), answer: toJson(method.output, create(method.output, answer), { useProtoFieldName: true, alwaysEmitImplicit: true }), by })
  }

  #answer(name: string, method: string, path: string, body: unknown): JsonValue | Bytes | undefined {
    switch (`${method} ${path}`) {
      case 'GET /chain':
        return {
          chain_id: chainID, network_id: hex(this.world.state.network), hospital: { number: names.findIndex((n) => n === name), name }, height: this.events.includes('approved') ? 8 : 7, block_time: '2027-01-15T08:00:00Z',
        }
      case 'POST /login/challenge':
        return this.#challenge(name, fieldOf(body, 'address'))
      case 'POST /login':
        return { token: 'token', expires_at: expires, principal: { address: fieldOf(body, 'address'), ...this.who, patient: '' } }
      case 'POST /cosmos/tx/v1beta1/txs':
        return { tx_response: { codespace: '', code: 0, txhash: this.#take(base64.decode(fieldOf(body, 'tx_bytes'))) } }
      case 'GET /cosmos/tx/v1beta1/txs/APPROVED':
        return { tx_response: { height: '8', codespace: '', code: 0, data: hex(approvedData()), raw_log: '' } }
    }
    if (path.startsWith('/pepper')) return this.keepers.get(name)?.answer(method, path, body)
    if (path.startsWith('/cosmos/auth/')) return { info: { account_number: '9', sequence: '1' } }
    const cid = /\/blocks\/(b[a-z2-7]+)/.exec(path)?.[1]
    if (cid !== undefined) return this.#block(name, method, cid, body)
    const more = this.#more.find((m) => m.path === path && (m.by === '' || m.by === name))
    return more === undefined ? this.#queries(this.#shownBy(name)).get(path) : more.answer
  }

  #challenge(name: string, address: string): JsonValue {
    const nonce = '00'.repeat(16)
    const text = [
      'phrd login', `network: ${hex(this.world.state.network).slice(0, 8)} ${chainID}`, `account: ${address}`, `host: ${name}.test:443`, `nonce: ${nonce}`, `expires: ${expires}`,
    ].join('\n')
    return { nonce, text: this.loginText(text), expires_at: expires }
  }

  #block(name: string, method: string, cid: string, body: unknown): Bytes | JsonValue | undefined {
    if (method !== 'PUT') return this.otherBlocks.get(name)?.(cid) ?? this.world.blocks.get(cid)?.slice()
    assert.ok(body instanceof Uint8Array)
    this.world.blocks.set(cid, Uint8Array.from(body))
    this.events.push(`block ${name}`)
    return {}
  }

  #take(tx: Uint8Array): string {
    const body = new Message(new Message(tx, { 1: 'bytes', 2: 'bytes', 3: 'bytes' }).bytes(1), { 1: 'bytes' }).bytes(1)
    const any = new Message(body, { 1: 'bytes', 2: 'bytes' })
    const type = new TextDecoder().decode(any.bytes(1))
    if (type === `/${MsgUseConsentSchema.typeName}`) return this.#consented(fromBinary(MsgUseConsentSchema, any.bytes(2)).consent)
    if (type === `/${MsgApproveRecoverySchema.typeName}`) {
      this.recoveries.push(fromBinary(MsgApproveRecoverySchema, any.bytes(2)))
      return 'APPROVED'
    }
    assert.equal(type, `/${MsgApproveUnlockSchema.typeName}`)
    const approval = fromBinary(MsgApproveUnlockSchema, any.bytes(2))
    this.events.push('approved')
    this.change((s) => ({
      ...s, status: UnlockStatus.RELEASED, unlock: changed(UnlockSchema, s.unlock, { approval: { by: approval.owner, capsule: approval.capsule, at: 1n, height: 8n } }),
    }))
    return 'APPROVED'
  }

  #consented(consent: bigint): string {
    this.events.push(`consent ${consent}`)
    this.change((s) => ({ ...s, status: UnlockStatus.RELEASED, unlock: changed(UnlockSchema, s.unlock, { approval: { by: this.alice.address, consent, at: 1n, height: 8n } }) }))
    return 'APPROVED'
  }

  #shownBy(name: string): State {
    return (this.lies.get(name) ?? ((s) => s))(this.#state)
  }

  #queries(s: State): Map<string, JsonValue> {
    const answers = new Map<string, JsonValue>()
    const add = <I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, request: MessageInitShape<I>, answer: MessageInitShape<O>) =>
      answers.set(queryPath(method, request), toJson(method.output, create(method.output, answer), { useProtoFieldName: true, alwaysEmitImplicit: true }))
    add(Access.method.unlock, { id: this.id }, { unlock: s.unlock, status: s.status })
    add(Records.method.version, { record: s.version.record, version: 1n }, { version: s.version })
    for (const generation of [0n, 1n]) add(Custody.method.key, { kind: KeyKind.RECORDS, generation }, { key: s.key })
    add(Custody.method.holders, { kind: KeyKind.RECORDS, generation: 1n, shareEpoch: 1n }, { holders: [...s.holders] })
    add(Custody.method.shares, { unlock: this.id }, { shares: [...s.shares] })
    add(Consortium.method.principal, { address: s.unlock.requester }, { principal: s.requester })
    add(Consortium.method.params, {}, { networkId: s.network })
    add(Consortium.method.members, {}, { members: [...s.members] })
    for (const member of s.members) add(Consortium.method.member, { number: member.number }, { member })
    return answers
  }
}

function approvedData(): Bytes {
  const answer = toBinary(MsgApproveUnlockResponseSchema, create(MsgApproveUnlockResponseSchema, { outcome: Outcome.OK }))
  return bytesField(2, bytesField(2, answer))
}

function fieldOf(body: unknown, field: string): string {
  assert.ok(typeof body === 'string')
  return String(JSON.parse(body)[field])
}
