import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, collect, type Door, notices, type Transport } from '../src/index.js'
import { FakeNetwork } from './fake.js'

const line = (sequence: number, kind = 'proposed') =>
  `id: ${sequence}\nevent: ${kind}\ndata: ${JSON.stringify({ sequence, height: 9, time: '2027-01-15T08:00:00Z', kind, outcome: 'ok', unlock: 'ab', records: ['r'] })}\n\n`
const beat = (sequence: number) => `:\nid: ${sequence}\n\n`

/** Telling is what a hospital's streams say, one after another, and with which ids they were asked for. */
interface Telling {
  readonly streams: (readonly string[])[]
  readonly asked: (string | null)[]
}

// A stream is cut where it ends.
async function told(by: Readonly<Record<string, Telling>>): Promise<Client> {
  const net = await FakeNetwork.make()
  const transport: Transport = (door) => async (url, init) => {
    if (!url.endsWith('/notices')) return net.transport(door)(url, init)
    const telling = by[new URL(url).hostname.replace('.test', '')]
    telling?.asked.push(new Headers(init.headers).get('last-event-id'))
    const parts = telling?.streams.shift()
    if (parts === undefined) return Response.json({ title: 'Service Unavailable' }, { status: 503 })
    const bytes = parts.map((part) => new TextEncoder().encode(part))
    return new Response(new ReadableStream({
      pull: (controller) => {
        const next = bytes.shift()
        if (next === undefined) controller.close()
        else controller.enqueue(next)
      },
    }))
  }
  const doors = Object.keys(by).map((name): Door => ({ hospital: 0n, name: '', gateway: `https://${name}.test`, fingerprint: '' }))
  return Client.dial({ doors, signer: net.alice, transport })
}

const telling = (...streams: (readonly string[])[]): Telling => ({ streams, asked: [] })

// Listens until so many were told.
async function first(client: Client, count: number, after?: bigint): Promise<{ sequences: bigint[]; listening: boolean[] }> {
  const end = new AbortController()
  const [sequences, listening]: [bigint[], boolean[]] = [[], []]
  for await (const notice of notices(client, { signal: end.signal, listening: (is) => listening.push(is), ...(after === undefined ? {} : { after }) })) {
    assert.deepEqual({ ...notice, sequence: 0n }, { sequence: 0n, height: 9n, time: 1_800_000_000n, kind: 'proposed', outcome: 'ok', unlock: 'ab', records: ['r'] })
    sequences.push(notice.sequence)
    if (sequences.length === count) end.abort()
  }
  return { sequences, listening }
}

test('what is told comes once and in order, also where a hospital goes away and another one repeats', async () => {
  const clinic = telling([line(4), line(6).slice(0, 20), line(6).slice(20)])
  const north = telling([line(6), line(7)])
  const { sequences, listening } = await first(await told({ clinic, north }), 3)
  assert.deepEqual(sequences, [4n, 6n, 7n])
  assert.deepEqual(clinic.asked, [null])
  assert.deepEqual(north.asked, ['6'])
  assert.deepEqual(listening.slice(0, 3), [true, false, true])
})

test('a heartbeat moves the place, and it begins behind what is said', async () => {
  const clinic = telling([beat(90)])
  const north = telling([line(91)])
  assert.deepEqual((await first(await told({ clinic, north }), 1, 12n)).sequences, [91n])
  assert.deepEqual([clinic.asked, north.asked], [['12'], ['90']])
})

test('what is no notice ends it', async () => {
  const bad = ['id: 4\ndata: {\n\n', 'id: x\ndata: {}\n\n', 'id: 4\ndata: {"sequence":4}\n\n', line(4).replace('"ok"', '"maybe"'), 'x'.repeat(70_000)]
  for (const text of bad) await assert.rejects(collect(notices(await told({ clinic: telling([text]) }), { signal: AbortSignal.timeout(5_000) })), { kind: 'answer' }, text.slice(0, 40))
})

test('who may not be told gets an error, and who is told to end gets none', async () => {
  const net = await FakeNetwork.make()
  const forbidding: Transport = (door) => async (url, init) => (url.endsWith('/notices') ? Response.json({ title: 'Forbidden' }, { status: 403 }) : net.transport(door)(url, init))
  const client = await Client.dial({ doors: [{ hospital: 0n, name: '', gateway: 'https://clinic.test', fingerprint: '' }], signer: net.alice, transport: forbidding })
  await assert.rejects(collect(notices(client, { signal: AbortSignal.timeout(5_000) })), { kind: 'forbidden' })
  assert.deepEqual(await collect(notices(await told({ clinic: telling([line(1)]) }), { signal: AbortSignal.abort() })), [])
})
