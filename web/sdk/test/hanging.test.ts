import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cidOf } from '#custody/cid.js'
import { WorkerChunks } from '../src/content/workers.js'
import { isKind } from '../src/errors.js'
import { Gateway } from '../src/gateway/gateway.js'
import { Upload } from '../src/gateway/upload.js'
import { Query } from '../src/generated/phrd/consortium/v1/query_pb.js'
import { LocalSigner } from '../src/wallet/local.js'

const door = { hospital: 1n, name: 'clinic', gateway: 'https://clinic.test', fingerprint: '' }
const net = new Uint8Array(32)
const signer = new LocalSigner(Uint8Array.from({ length: 32 }, () => 1))

/** asks has a gateway answer by path, and notes whether each request would ever be given up. */
function asks(answers: Readonly<Record<string, () => Response>>) {
  const endless: string[] = []
  const paths: string[] = []
  const gateway = new Gateway(door, { chainID: 'phrd-test-1', network: net, signer }, () => async (url, init) => {
    const path = url.slice(door.gateway.length)
    paths.push(`${init.method} ${path}`)
    if (!(init.signal instanceof AbortSignal)) endless.push(path)
    return answers[path]?.() ?? new Response('{}', { status: 404 })
  })
  return { gateway, endless, paths }
}

const chain = () => Response.json({
  chain_id: 'phrd-test-1', network_id: '00'.repeat(32), hospital: { number: 1, name: 'clinic' }, height: 1, block_time: '2026-11-30T07:00:00Z',
})

test('no request waits for ever: questions, blocks, what is handed in, and uploads', async () => {
  const block = Uint8Array.of(1, 2, 3)
  const nonce = '00'.repeat(16)
  const expires_at = '2999-01-01T00:00:00Z'
  const text = [
    'phrd login', 'network: 00000000 phrd-test-1', `account: ${signer.address}`, 'host: clinic.test:443', `nonce: ${nonce}`, `expires: ${expires_at}`,
  ].join('\n')
  const { gateway, endless, paths } = asks({
    '/chain': chain,
    '/login/challenge': () => Response.json({ nonce, text, expires_at }),
    '/login': () => Response.json({ token: 't', expires_at, principal: { address: signer.address, role: 'clerk', hospital: 1, patient: '' } }),
    '/blocks/x': () => new Response(block),
    '/phrd/consortium/v1/params': () => Response.json({}),
    '/uploads': () => new Response(null, { status: 201, headers: { Location: '/uploads/0a' } }),
    '/uploads/0a': () => new Response(null, { status: 204, headers: { 'Upload-Offset': '26' } }),
  })
  await gateway.query(Query.method.params, {})
  await gateway.at(1n).query(Query.method.params, {})
  await gateway.block('/blocks/x', cidOf(block), 100)
  await gateway.putBlock(cidOf(block), block).catch(() => undefined)
  await (await Upload.begin(gateway)).drain()
  assert.ok(paths.includes('PATCH /uploads/0a') && paths.includes('GET /blocks/x'))
  assert.deepEqual(endless, [])
})

test('a question without a login does not wait for ever either', async () => {
  const { gateway, endless } = asks({ '/chain': chain, '/phrd/consortium/v1/params': () => Response.json({}) })
  await gateway.query(Query.method.params, {})
  assert.deepEqual(endless, [])
})

test('a request that is given up counts as a hospital that does not answer', async () => {
  const away = new Gateway(door, { chainID: '', network: new Uint8Array(), signer: undefined }, () => async () => {
    throw new DOMException('given up', 'TimeoutError')
  })
  await assert.rejects(away.chain(), (cause) => isKind(cause, 'unreachable'))
})

test('workers that end let nobody wait: neither who has one nor who is in the queue, nor who comes later', async () => {
  let ended = 0
  const chunks = new WorkerChunks([{ post: () => undefined, listen: () => undefined, end: () => ended++ }])
  const seal = () => chunks.seal(0n, 0, new Uint8Array(), new Uint8Array(32))
  const waiting = [assert.rejects(seal(), /ended/), assert.rejects(seal(), /ended/), assert.rejects(seal(), /ended/)]
  await Promise.resolve()
  chunks.close()
  await Promise.all(waiting)
  await assert.rejects(seal(), /ended/)
  assert.equal(ended, 1)
})

test('a worker that breaks ends them all', async () => {
  let broken: (cause: unknown) => void = () => undefined
  const chunks = new WorkerChunks([{ post: () => undefined, listen: (_, fault) => (broken = fault), end: () => undefined }])
  const waiting = [1, 2].map(() => assert.rejects(chunks.seal(0n, 0, new Uint8Array(), new Uint8Array(32)), /broken/))
  await Promise.resolve()
  broken(new Error('broken'))
  await Promise.all(waiting)
})
