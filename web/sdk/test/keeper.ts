import assert from 'node:assert/strict'
import { ed25519 } from '@noble/curves/ed25519.js'
import type { JsonValue } from '@bufbuild/protobuf'
import { base64 } from '@scure/base'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { parseIDText } from '#custody/id.js'
import { pepperDigest } from '#custody/pepper.js'
import { hex, unhex } from '#custody/wallet.js'
import { parseAddress } from '../src/wallet/address.js'

interface Kept {
  readonly vault: string
  readonly slot: string
  readonly revision: string
  readonly pepper: string
  readonly keys: readonly string[]
}

/** Keeper is what one gateway does with the pepper of one patient, without the rules of who may deposit and how often is tried. */
export class Keeper {
  kept: Kept | undefined
  /** The number of that patient. */
  patient = ''
  /** The word of an admission. */
  word = ''
  readonly #net: Bytes
  readonly #host: string
  readonly #address: string
  #nonce = ''

  constructor(net: Bytes, host: string, address: string) {
    this.#net = net
    this.#host = host
    this.#address = address
  }

  /** answer is that of the gateway; undefined is "not found". */
  answer(method: string, path: string, body: unknown): JsonValue | undefined {
    const fields = typeof body === 'string' ? (JSON.parse(body) as Record<string, string>) : {}
    const given = (name: string) => fields[name] ?? assert.fail(`no field ${name}`)
    switch (`${method} ${path}`) {
      case 'PUT /pepper':
        this.kept = { vault: given('vault'), slot: given('slot'), revision: given('revision'), pepper: given('pepper'), keys: given('keys').split(' ') }
        return {}
      case 'GET /pepper':
        return this.kept && { vault: this.kept.vault, slot: this.kept.slot, ways: this.kept.keys.map((key) => ({ way: key.split(':')[0] ?? '', slot: key.split(':')[1] ?? '' })) }
      case 'DELETE /pepper':
        this.kept = undefined
        return {}
      case 'POST /pepper/challenge':
        this.#nonce = hex(randomBytes(32))
        return { nonce: this.#nonce, expires_at: '2100-01-01T00:00:00Z' }
      case 'POST /pepper/collect':
        return this.#shown(given('by'), given('nonce'), given('signature')) ? { pepper: this.kept?.pepper ?? '' } : undefined
      case 'POST /pepper/admissions':
        if (given('patient') !== this.patient || this.kept === undefined) return undefined
        this.word = 'abcd-efgh'
        return { word: this.word, expires_at: '2027-01-15T08:15:00Z' }
      case 'POST /pepper/collect-in-person':
        return given('word') === this.word && this.word !== '' ? { pepper: this.kept?.pepper ?? '' } : undefined
    }
    return undefined
  }

  #shown(by: string, nonce: string, signature: string): boolean {
    const key = this.kept?.keys.find((k) => k.split(':')[1] === by)?.split(':')[2]
    if (this.kept === undefined || key === undefined || nonce !== this.#nonce) return false
    this.#nonce = ''
    const digest = pepperDigest({
      net: this.#net, host: this.#host, address: parseAddress(this.#address), vault: parseIDText(this.kept.vault), slot: parseIDText(this.kept.slot),
      by: parseIDText(by), nonce: unhex(nonce),
    })
    return ed25519.verify(base64.decode(signature), digest, unhex(key))
  }
}
