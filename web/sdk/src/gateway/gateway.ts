import type { DescMessage, DescMethodUnary, JsonValue, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { base64 } from '@scure/base'
import { cidText, cidOfDigest } from '#custody/cid.js'
import { type Bytes, equal, sha256Of } from '#custody/encoding.js'
import { hex, unhex } from '#custody/wallet.js'
import { isKind, PhrdError } from '../errors.js'
import type { Signer } from '../wallet/signer.js'
import { type Door, type Fetch, hostOf, type Transport } from './door.js'
import { problemOf } from './problem.js'
import { answerOf, type Connection, queryPath } from './query.js'

/** attemptTime bounds one question to one gateway, in milliseconds. */
export const attemptTime = 15_000
/** blockTime bounds the reading of one block. */
export const blockTime = 60_000
/** largestSmallBlock is the largest block that travels alone; largestBlock is one full leaf. */
export const largestSmallBlock = 64 << 10
export const largestBlock = 1 << 20
const heightHeader = 'x-cosmos-block-height'

/** Member is the network that a program belongs to, and its account. It is filled in by the first gateway that answers where it is open. */
export interface Member {
  chainID: string
  /** The network id, 32 bytes; none where it is not known yet. */
  network: Bytes
  readonly signer: Signer | undefined
}

/** Chain is what a gateway says of its network. */
export interface Chain {
  readonly chainID: string
  readonly network: Bytes
  readonly hospital: bigint
  readonly name: string
  readonly height: bigint
  /** Of the newest block, in unix seconds. */
  readonly blockTime: bigint
  /** The hash of the pages that the gateway serves, SHA-256 in hex; empty where it serves none. */
  readonly pages: string
}

/** Principal says who an account is. Patient is empty for others, and for a patient who is not registered yet. */
export interface Principal {
  readonly address: string
  readonly role: string
  readonly hospital: bigint
  readonly patient: string
  /** What of the log an auditor sees; absent for others. */
  readonly audits?: AuditScope
}

/** AuditScope is what of the log an auditor sees: all of it, or what concerns some hospitals. */
export interface AuditScope {
  readonly all: boolean
  readonly hospitals: readonly bigint[]
}

/** Gateway is the connection to one hospital. It logs in when that is first needed. */
export class Gateway implements Connection {
  readonly door: Door
  readonly host: string
  height = 0n
  hospital: bigint
  name: string
  readonly #base: string
  readonly #fetch: Fetch
  readonly #member: Member
  #checked = false
  #token = ''
  #ends = 0
  #who: Principal | undefined
  #loggingIn: Promise<Principal> | undefined

  constructor(door: Door, member: Member, transport: Transport) {
    this.door = door
    this.host = hostOf(door.gateway)
    this.hospital = door.hospital
    this.name = door.name
    this.#base = door.gateway.replace(/\/$/, '')
    this.#fetch = transport(door)
    this.#member = member
  }

  /** chain asks about the network, and refuses another one. */
  async chain(): Promise<Chain> {
    const said = await this.#json('GET', '/chain')
    const chain = readChain(said)
    const member = this.#member
    if (member.chainID === '') member.chainID = chain.chainID
    if (member.network.length === 0) member.network = chain.network
    if (chain.chainID !== member.chainID || !equal(chain.network, member.network)) {
      throw new PhrdError('network', `gateway ${this.#base}: it belongs to chain ${chain.chainID}, not ${member.chainID}`)
    }
    if (this.hospital === 0n) [this.hospital, this.name] = [chain.hospital, chain.name]
    if (this.hospital !== chain.hospital) throw new PhrdError('network', `gateway ${this.#base}: it is of hospital ${chain.hospital}, not ${this.hospital}`)
    this.#checked = true
    if (chain.height > this.height) this.height = chain.height
    return chain
  }

  /** genesis is the network's genesis file as the gateway shows it. Whether it is the right one its hash tells, which people compare. */
  async genesis(): Promise<Bytes> {
    return new Uint8Array(await this.#read(await this.#send('GET', '/genesis', { signal: AbortSignal.timeout(attemptTime) })))
  }

  /** readiness is what the gateway says of its server. That it is not ready is an answer, and no error. */
  async readiness(): Promise<unknown> {
    const response = await this.#reach('GET', '/readyz', { signal: AbortSignal.timeout(attemptTime) })
    if (!response.ok && response.status !== 503) throw await problemOf(this.#base, response)
    return response.json()
  }

  /** login logs in unless that was done, or anyway when fresh. It signs exactly the text that it composes itself. Who waits for it at the same time shares one signature. */
  async login(fresh = false): Promise<Principal> {
    const signer = this.#member.signer
    if (signer === undefined) throw new PhrdError('login', `gateway ${this.#base}: no account to log in with`)
    if (!fresh && this.#who !== undefined && Date.now() < this.#ends) return this.#who
    this.#loggingIn ??= this.#logInHere(signer).finally(() => {
      this.#loggingIn = undefined
    })
    return this.#loggingIn
  }

  async #logInHere(signer: Signer): Promise<Principal> {
    if (!this.#checked) await this.chain()
    try {
      return await this.#logIn(signer)
    } catch (cause) {
      throw isKind(cause, 'unreachable', 'login', 'rejected') ? cause : new PhrdError('login', `gateway ${this.#base}: it does not accept the login`, cause)
    }
  }

  async #logIn(signer: Signer): Promise<Principal> {
    const asked = await this.#json('POST', '/login/challenge', { address: signer.address })
    const [nonce, expires] = [textOf(asked, 'nonce'), textOf(asked, 'expires_at')]
    const text = this.#loginText(signer.address, nonce, expires)
    if (textOf(asked, 'text') !== text) throw new PhrdError('login', `gateway ${this.#base}: it asks to sign something else than a login there`)
    const said = await this.#json('POST', '/login', {
      address: signer.address, public_key: base64.encode(signer.publicKey), nonce, signature: base64.encode(await signer.signText(text)),
    })
    const principal = fieldOf(said, 'principal')
    const audits = scopeOf(principal)
    const who = {
      address: textOf(principal, 'address'), role: textOf(principal, 'role'), hospital: numberOf(principal, 'hospital'), patient: textOf(principal, 'patient'),
      ...(audits !== undefined && { audits }),
    }
    if (who.address !== signer.address) throw new PhrdError('login', `gateway ${this.#base}: the login is of another account`)
    ;[this.#token, this.#ends, this.#who] = [textOf(said, 'token'), Date.parse(textOf(said, 'expires_at')), who]
    return who
  }

  // The text names the network, the account and the gateway, so that a signature given to one serves nobody else.
  #loginText(address: string, nonce: string, expires: string): string {
    if (!/^[0-9a-f]{32}$/.test(nonce) || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(expires)) return 'none'
    const network = `${hex(this.#member.network).slice(0, 8)} ${this.#member.chainID}`
    return ['phrd login', `network: ${network}`, `account: ${address}`, `host: ${this.host}`, `nonce: ${nonce}`, `expires: ${expires}`].join('\n')
  }

  /** logout ends the login. One that has ended already is no error. */
  async logout(): Promise<void> {
    const token = this.#token
    ;[this.#token, this.#who] = ['', undefined]
    if (token === '') return
    try {
      await this.#send('POST', '/logout', { headers: { Authorization: `Bearer ${token}` } })
    } catch (cause) {
      if (!isKind(cause, 'login')) throw cause
    }
  }

  /** call sends a small request without a login, and reads its JSON. */
  async call(method: string, path: string, body?: JsonValue): Promise<unknown> {
    return this.#json(method, path, body)
  }

  /** request sends a request as the account, and once more after another login where the first one has ended. */
  async request(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    for (let again = false; ; again = true) {
      await this.login(again)
      try {
        return await this.#send(method, path, { ...init, headers: { ...headersOf(init), Authorization: `Bearer ${this.#token}` } })
      } catch (cause) {
        if (again || !isKind(cause, 'login')) throw cause
      }
    }
  }

  async query<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, request: MessageInitShape<I>): Promise<MessageShape<O>> {
    return this.#query(method, request, {})
  }

  /** at answers with what the hospital's node knew at a height. */
  at(height: bigint): Connection {
    return { query: (method, request) => this.#query(method, request, { [heightHeader]: height.toString() }) }
  }

  async #query<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>, request: MessageInitShape<I>, headers: Record<string, string>,
  ): Promise<MessageShape<O>> {
    const path = queryPath(method, request)
    // Who has no account yet may still ask what everybody may.
    const asked = this.#member.signer === undefined || !(await this.#loggedIn())
      ? await this.#send('GET', path, { headers })
      : await this.request('GET', path, { headers, signal: AbortSignal.timeout(attemptTime) })
    return answerOf(method, await asked.json())
  }

  async #loggedIn(): Promise<boolean> {
    try {
      await this.login()
      return true
    } catch (cause) {
      if (isKind(cause, 'login')) return false
      throw cause
    }
  }

  /** block reads a block, and refuses another one than the CID names. */
  async block(path: string, cid: Uint8Array, limit: number, signal?: AbortSignal): Promise<Bytes> {
    const late = AbortSignal.timeout(blockTime)
    const response = await this.request('GET', path, { signal: signal === undefined ? late : AbortSignal.any([signal, late]) })
    const length = Number(response.headers.get('content-length') ?? 0)
    if (length > limit) throw new PhrdError('block', `gateway ${this.#base}: block ${cidText(cid)} has ${length} bytes, at most ${limit}`)
    const block = new Uint8Array(await this.#read(response))
    if (block.length > limit || !equal(cidOfDigest(await sha256Of(block)).subarray(4), cid.subarray(4))) {
      throw new PhrdError('block', `gateway ${this.#base}: another block came than ${cidText(cid)}`)
    }
    return block
  }

  /** capsule has the hospital's server open owner's halves with a vault of the hospital's, and seal them to the one-time key of who asks. */
  async capsule(path: string, body?: Bytes): Promise<Bytes> {
    const init = body === undefined ? {} : { body, headers: { 'Content-Type': 'application/octet-stream' } }
    const capsule = await this.#read(await this.request('POST', path, { ...init, signal: AbortSignal.timeout(blockTime) }))
    if (capsule.byteLength > largestSmallBlock) throw new PhrdError('block', `gateway ${this.#base}: a capsule of ${capsule.byteLength} bytes`)
    return new Uint8Array(capsule)
  }

  /** putBlock uploads a small block. */
  async putBlock(cid: Uint8Array, block: Bytes): Promise<void> {
    const init = { body: block, headers: { 'Content-Type': 'application/octet-stream' }, signal: AbortSignal.timeout(attemptTime) }
    await this.request('PUT', `/blocks/${cidText(cid)}`, init)
  }

  async #json(method: string, path: string, body?: JsonValue): Promise<unknown> {
    const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
    const response = await this.#send(method, path, { ...init, signal: AbortSignal.timeout(attemptTime) })
    return response.json().catch((cause: unknown) => {
      throw new PhrdError('unreachable', `gateway ${this.#base}: ${path} answers no JSON`, cause)
    })
  }

  async #send(method: string, path: string, init: RequestInit): Promise<Response> {
    const response = await this.#reach(method, path, init)
    if (!response.ok) throw await problemOf(this.#base, response)
    return response
  }

  async #reach(method: string, path: string, init: RequestInit): Promise<Response> {
    try {
      // A hospital that takes a question and never answers is one that is away.
      const signal = AbortSignal.timeout(attemptTime)
      const safe: RequestInit = { credentials: 'omit', redirect: 'error', cache: 'no-store', referrerPolicy: 'no-referrer', signal }
      return await this.#fetch(this.#base + path, { ...safe, ...init, method })
    } catch (cause) {
      throw cause instanceof PhrdError ? cause : new PhrdError('unreachable', `gateway ${this.#base}: it does not answer`, cause)
    }
  }

  async #read(response: Response): Promise<ArrayBuffer> {
    try {
      return await response.arrayBuffer()
    } catch (cause) {
      throw new PhrdError('unreachable', `gateway ${this.#base}: the answer was cut`, cause)
    }
  }
}

function readChain(said: unknown): Chain {
  const hospital = fieldOf(said, 'hospital')
  const network = unhex(textOf(said, 'network_id'))
  if (network.length !== 32 || textOf(said, 'chain_id') === '') throw new PhrdError('network', 'a gateway names no network')
  return {
    chainID: textOf(said, 'chain_id'), network, hospital: numberOf(hospital, 'number'), name: textOf(hospital, 'name'),
    height: numberOf(said, 'height'), blockTime: BigInt(Math.floor(Date.parse(textOf(said, 'block_time')) / 1000)),
    pages: fieldOf(said, 'pages') === undefined ? '' : textOf(said, 'pages'),
  }
}

/** fieldOf is a field of JSON that a gateway gave. */
export function fieldOf(json: unknown, field: string): unknown {
  if (typeof json !== 'object' || json === null) throw new PhrdError('answer', `an answer has no ${field}`)
  return Reflect.get(json, field)
}

/** textOf is a field of text. */
export function textOf(json: unknown, field: string): string {
  const value = fieldOf(json, field)
  if (typeof value !== 'string') throw new PhrdError('answer', `an answer has no text ${field}`)
  return value
}

/** numberOf is a field that is a whole number, as such or in decimal digits. */
export function numberOf(json: unknown, field: string): bigint {
  const value = fieldOf(json, field)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && /^\d+$/.test(value)) return BigInt(value)
  throw new PhrdError('answer', `an answer has no number ${field}`)
}

/** scopeOf reads what of the log a principal sees, where it is an auditor. */
function scopeOf(principal: unknown): AuditScope | undefined {
  if (typeof principal !== 'object' || principal === null || !('audits' in principal) || principal.audits === null) return undefined
  const { audits } = principal
  const hospitals = fieldOf(audits, 'hospitals')
  if (!Array.isArray(hospitals)) throw new PhrdError('answer', 'an answer has no list of hospitals')
  return { all: fieldOf(audits, 'all') === true, hospitals: hospitals.map((_, i) => numberOf(hospitals, String(i))) }
}

function headersOf(init: RequestInit): Record<string, string> {
  return Object.fromEntries(new Headers(init.headers))
}
