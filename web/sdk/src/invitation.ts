import { ed25519 } from '@noble/curves/ed25519.js'
import { base64, base64urlnopad } from '@scure/base'
import { type Bytes, concat, equal, hash, readU64, sha256, u64 } from '#custody/encoding.js'
import { hex, unhex } from '#custody/wallet.js'
import { Client, type Config } from './client.js'
import { isKind, PhrdError, Refused } from './errors.js'
import type { Door } from './gateway/door.js'
import { hostOf } from './gateway/door.js'
import { textOf } from './gateway/gateway.js'
import { parseAddress } from './wallet/address.js'

const prefix = 'phrd1'
const version = 1
const checksumSize = 4
const longest = 4096
const headSize = 1 + 32 + 32 + 8

/** Invitation lets one person open an account at any gateway of the network, once. Its seed is the secret that makes it valid. */
export interface Invitation {
  readonly seed: Bytes
  readonly chainID: string
  readonly network: Bytes
  /** When it ends, in unix seconds of block time. */
  readonly expires: bigint
  /** The inviting hospital's gateway, and one to check it against. */
  readonly doors: readonly Door[]
}

/** invitationText is an invitation as one line: what a QR code or a letter carries. */
export function invitationText(i: Invitation): string {
  const doors = i.doors.flatMap((door) => [short(utf8Bytes(door.gateway)), short(unhex(door.fingerprint))])
  const body = concat(Uint8Array.of(version), i.seed, i.network, u64(i.expires), short(utf8Bytes(i.chainID)), ...doors)
  return prefix + base64urlnopad.encode(concat(body, sha256(body).subarray(0, checksumSize)))
}

/** parseInvitation reads the text of an invitation: a line of a letter, or what a QR code holds. */
export function parseInvitation(text: string): Invitation {
  const line = text.trim()
  if (!line.startsWith(prefix) || line.length > longest) throw bad('it does not start as one, or is too long')
  const bytes = decoded(line.slice(prefix.length))
  const body = bytes.subarray(0, Math.max(0, bytes.length - checksumSize))
  if (!equal(sha256(body).subarray(0, checksumSize), bytes.subarray(body.length))) throw bad('a character is missing or wrong')
  if (body.length < headSize || body[0] !== version) throw bad('it is of another version of the program')
  const [chainID, rest] = cut(body.subarray(headSize))
  const doors = [...doorsIn(rest)]
  if (utf8(chainID) === '' || doors.length === 0) throw bad('it names no network')
  return { seed: body.slice(1, 33), network: body.slice(33, 65), expires: readU64(body, 65), chainID: utf8(chainID), doors }
}

function* doorsIn(bytes: Uint8Array): Generator<Door> {
  for (let rest = bytes; rest.length > 0; ) {
    const [gateway, afterGateway] = cut(rest)
    const [pin, afterPin] = cut(afterGateway)
    hostOf(utf8(gateway))
    yield { hospital: 0n, name: '', gateway: utf8(gateway), fingerprint: hex(pin) }
    rest = afterPin
  }
}

/** joinConfig is what reaches the network that an invitation is for. */
export function joinConfig(i: Invitation): Pick<Config, 'doors' | 'chainID' | 'network'> {
  return { doors: i.doors, chainID: i.chainID, network: i.network }
}

/** openAccount opens the account of the client with an invitation, which is used up by it. It needs no login. */
export async function openAccount(client: Client, i: Invitation): Promise<void> {
  if (!equal(i.network, client.network) || i.chainID !== client.chainID) throw new PhrdError('network', `the invitation is for chain ${i.chainID}`)
  const key = ed25519.getPublicKey(i.seed)
  const digest = hash('phrd/v1/open-account', client.network, key, parseAddress(client.signer.address))
  const body = { invitation: hex(key), address: client.signer.address, signature: base64.encode(ed25519.sign(digest, i.seed)) }
  const said = await client.gateways.try((gateway) => gateway.call('POST', '/accounts', body))
  if (textOf(said, 'outcome') !== 'OUTCOME_OK') throw new Refused('phrd.consortium.v1.MsgOpenAccount', textOf(said, 'reason'))
}

/** hasAccount tells whether the network knows the client's account. */
export async function hasAccount(client: Client): Promise<boolean> {
  try {
    await client.gateways.try((gateway) => gateway.call('GET', `/cosmos/auth/v1beta1/account_info/${client.signer.address}`))
    return true
  } catch (cause) {
    if (isKind(cause, 'not found')) return false
    throw cause
  }
}

// At most 255 bytes behind their length.
function short(bytes: Uint8Array): Bytes {
  if (bytes.length > 255) throw bad('a text in it is too long')
  return concat(Uint8Array.of(bytes.length), bytes)
}

function cut(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const length = bytes[0]
  if (length === undefined || bytes.length < 1 + length) throw bad('it ends too early')
  return [bytes.subarray(1, 1 + length), bytes.subarray(1 + length)]
}

function decoded(text: string): Uint8Array {
  try {
    return base64urlnopad.decode(text)
  } catch (cause) {
    throw bad('a character is missing or wrong', cause)
  }
}

function utf8Bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function bad(why: string, cause?: unknown): PhrdError {
  return new PhrdError('invitation', `not an invitation: ${why}`, cause)
}
