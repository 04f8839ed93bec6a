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
  patches = 0
  readonly #breaks: (patch: number, length: number) => 'cut' | 'busy' | 'lost' | 'lies' | 'refuses' | 'never' | undefined

  constructor(breaks: Taker['breaks'] = () => undefined) {
    this.#breaks = breaks
  }

  get breaks() {
    return this.#breaks
  }

  async answer(method: string, path: string, init: RequestInit): Promise<Response> {
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
    if (method === 'HEAD') return Response.json({ title: 'Not Found' }, { status: 404 })
    assert.equal(`${method} ${path}`, 'PATCH /uploads/ab')
    return this.#patch(headers, init)
  }

  async #patch(headers: Headers, { body, signal }: RequestInit): Promise<Response> {
    assert.ok(body instanceof Uint8Array)
    const how = this.#breaks(++this.patches, body.length)
    if (how === 'never') return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    if (how === 'busy') return Response.json({ title: 'Locked' }, { status: 423 })
    if (how === 'refuses') return Response.json({ title: 'Unprocessable' }, { status: 422 })
    if (how === 'lies') return new Response(null, { status: 204, headers: { 'upload-offset': '1' } })
    assert.equal(headers.get('upload-offset'), String(this.taken.length))
    this.taken = concat(this.taken, how === 'cut' ? body.subarray(0, body.length >> 1) : body)
    if (how === 'cut' || how === 'lost') throw new TypeError('fetch failed')
    return new Response(null, { status: 204, headers: { 'upload-offset': String(this.taken.length) } })
  }
}

function loginText(address: string): string {
  return ['phrd login', `network: ${hex(network).slice(0, 8)} c-1`, `account: ${address}`, 'host: clinic.test:443', `nonce: ${'00'.repeat(16)}`, `expires: ${expires}`].join('\n')
}

function gatewayOf(taker: Taker): Gateway {
  const member: Member = { chainID: '', network: new Uint8Array(), signer: new LocalSigner(randomBytes(32)) }
  const door = { hospital: 0n, name: '', gateway: 'https://clinic.test', fingerprint: '' }
  return new Gateway(door, member, () => async (url, init) => taker.answer(init.method ?? '', new URL(url).pathname, init))
}

async function upload(taker: Taker, segment: number): Promise<Upload> {
  return Upload.begin(gatewayOf(taker), { segment })
}

// Ten blocks, of which segments of 100 bytes hold a few.
const blocks = Array.from({ length: 10 }, (_, i) => randomBytes(30 + i))

async function sendAll(taker: Taker): Promise<void> {
  const u = await upload(taker, 100)
  for (const block of blocks) await u.put(cidOf(block), block)
  await u.drain()
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
})

for (const how of ['cut', 'busy', 'lost'] as const) {
  test(`an upload goes on where a connection was ${how}`, async () => {
    const taker = new Taker((patch) => (patch % 3 === 1 ? how : undefined))
    await sendAll(taker)
    assert.deepEqual(taker.taken, stream)
  })
}

test('another program carries an upload on, behind the last block that the gateway holds', async () => {
  const taker = new Taker()
  const u = await upload(taker, 100)
  const ends: number[] = []
  for (const block of blocks) {
    ends.push(u.endOf(block.length))
    await u.put(cidOf(block), block)
  }
  await u.drain()
  assert.equal(ends.at(-1), stream.length)
  // Of the last three blocks the gateway has lost everything.
  const there = ends.at(-4) ?? assert.fail()
  taker.taken = taker.taken.slice(0, there)
  const other = (await Upload.carryOn(gatewayOf(taker), u.path, { segment: 100 })) ?? assert.fail('the gateway has forgotten it')
  assert.equal(other.acknowledged, there)
  for (const block of blocks.slice(-3)) await other.put(cidOf(block), block)
  assert.equal(other.endOf(0), stream.length + 37)
  await other.drain()
  assert.deepEqual(taker.taken, stream)
})

test('an upload ends when it is told to, though the gateway never answers', async () => {
  const end = new AbortController()
  const gateway = gatewayOf(new Taker(() => 'never'))
  const u = await Upload.begin(gateway, { segment: 100, signal: end.signal })
  for (const block of blocks.slice(0, 2)) await u.put(cidOf(block), block)
  const drained = u.drain()
  end.abort(new Error('told to'))
  await assert.rejects(drained, /told to/)
})

test('an upload that the gateway has forgotten, or that is none, is not carried on', async () => {
  assert.equal(await Upload.carryOn(gatewayOf(new Taker()), '/uploads/cd'), undefined)
  await assert.rejects(Upload.carryOn(gatewayOf(new Taker()), '/chain'), { kind: 'upload' })
})

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
