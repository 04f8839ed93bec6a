import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cidOf } from '#custody/cid.js'
import { type Bytes, concat, randomBytes } from '#custody/encoding.js'
import { hex } from '#custody/wallet.js'
import { Gateway, type Member } from '../src/gateway/gateway.js'
import { Upload } from '../src/gateway/upload.js'
import { LocalSigner } from '../src/wallet/local.js'

const network = randomBytes(32)
const expires = '2100-01-01T00:00:00Z'

// A gateway that takes uploads, and breaks as a test says: what PATCH number n does with so many bytes.
class Taker {
  taken: Bytes = new Uint8Array()
  length: number | undefined
  patches = 0
  readonly #breaks: (patch: number, length: number) => 'cut' | 'busy' | 'lost' | 'lies' | 'refuses' | undefined

  constructor(breaks: Taker['breaks'] = () => undefined) {
    this.#breaks = breaks
  }

  get breaks() {
    return this.#breaks
  }

  answer(method: string, path: string, init: RequestInit): Response {
    const headers = new Headers(init.headers)
    switch (`${method} ${path}`) {
      case 'GET /chain':
        return Response.json({ chain_id: 'c-1', network_id: hex(network), hospital: { number: 1, name: 'clinic' }, height: 1, block_time: expires })
      case 'POST /login/challenge':
        return Response.json({ nonce: '00'.repeat(16), expires_at: expires, text: loginText(String(JSON.parse(String(init.body)).address)) })
      case 'POST /login':
        return Response.json({ token: 't', expires_at: expires, principal: { address: String(JSON.parse(String(init.body)).address), role: 'clerk', hospital: 1, patient: '' } })
      case 'POST /uploads':
        return new Response(null, { status: 201, headers: { location: '/uploads/ab' } })
      case 'HEAD /uploads/ab':
        return new Response(null, { headers: { 'upload-offset': String(this.taken.length) } })
      case 'DELETE /uploads/ab':
        this.taken = new Uint8Array()
        return new Response(null, { status: 204 })
    }
    assert.equal(`${method} ${path}`, 'PATCH /uploads/ab')
    return this.#patch(headers, init.body)
  }

  #patch(headers: Headers, body: unknown): Response {
    assert.ok(body instanceof Uint8Array)
    const how = this.#breaks(++this.patches, body.length)
    if (how === 'busy') return Response.json({ title: 'Locked' }, { status: 423 })
    if (how === 'refuses') return Response.json({ title: 'Unprocessable' }, { status: 422 })
    if (how === 'lies') return new Response(null, { status: 204, headers: { 'upload-offset': '1' } })
    assert.equal(headers.get('upload-offset'), String(this.taken.length))
    const length = headers.get('upload-length')
    if (length !== null) this.length = Number(length)
    this.taken = concat(this.taken, how === 'cut' ? body.subarray(0, body.length >> 1) : body)
    if (how === 'cut' || how === 'lost') throw new TypeError('fetch failed')
    return new Response(null, { status: 204, headers: { 'upload-offset': String(this.taken.length) } })
  }
}

function loginText(address: string): string {
  return ['phrd login', `network: ${hex(network).slice(0, 8)} c-1`, `account: ${address}`, 'host: clinic.test:443', `nonce: ${'00'.repeat(16)}`, `expires: ${expires}`].join('\n')
}

async function upload(taker: Taker, segment: number): Promise<Upload> {
  const member: Member = { chainID: '', network: new Uint8Array(), signer: new LocalSigner(randomBytes(32)) }
  const door = { hospital: 0n, name: '', gateway: 'https://clinic.test', fingerprint: '' }
  const gateway = new Gateway(door, member, () => async (url, init) => taker.answer(init.method ?? '', new URL(url).pathname, init))
  return Upload.begin(gateway, () => undefined, segment)
}

// Ten blocks, of which segments of 100 bytes hold a few.
const blocks = Array.from({ length: 10 }, (_, i) => randomBytes(30 + i))

async function sendAll(taker: Taker): Promise<void> {
  const u = await upload(taker, 100)
  for (const block of blocks) await u.put(cidOf(block), block)
  await u.finish()
}

// The stream of a CAR: header, then each block behind its length and CID.
const stream = concat(
  Uint8Array.from(Buffer.from('19a265726f6f747381d82a450001550000' + '6776657273696f6e01', 'hex')),
  ...blocks.map((block) => concat(Uint8Array.of(36 + block.length), cidOf(block), block)),
)

test('an upload is a CAR stream', async () => {
  const taker = new Taker()
  await sendAll(taker)
  assert.deepEqual(taker.taken, stream)
  assert.equal(taker.length, stream.length)
})

for (const how of ['cut', 'busy', 'lost'] as const) {
  test(`an upload goes on where a connection was ${how}`, async () => {
    const taker = new Taker((patch) => (patch % 3 === 1 ? how : undefined))
    await sendAll(taker)
    assert.deepEqual(taker.taken, stream)
    assert.equal(taker.length, stream.length)
  })
}

test('an upload that a gateway refuses ends, and so does one that goes on where nothing was sent', async () => {
  for (const how of ['refuses', 'lies'] as const) {
    await assert.rejects(sendAll(new Taker((patch) => (patch === 2 ? how : undefined))), { kind: 'upload' })
  }
})

test('an upload that is given up is forgotten', async () => {
  const taker = new Taker()
  const u = await upload(taker, 100)
  for (const block of blocks) await u.put(cidOf(block), block)
  await u.abandon()
  assert.equal(taker.taken.length, 0)
})
