import assert from 'node:assert/strict'
import { randomBytes as nodeBytes } from 'node:crypto'
import { test } from 'node:test'
import { create, type DescMessage, type DescMethodUnary, fromBinary, type JsonValue, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf'
import { base64 } from '@scure/base'
import { cidText, parseRawCID } from '#custody/cid.js'
import { type Bytes, concat, randomBytes } from '#custody/encoding.js'
import * as hybrid from '#custody/hybrid.js'
import { idText } from '#custody/id.js'
import { encodePoint, G, times } from '#custody/point.js'
import { bytesField, Message } from '#custody/protobuf.js'
import { randomScalar } from '#custody/scalar.js'
import { hex } from '#custody/wallet.js'
import { Client } from '../src/client.js'
import type { Transport } from '../src/gateway/door.js'
import { queryPath } from '../src/gateway/query.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { Outcome } from '../src/generated/phrd/audit/v1/entry_pb.js'
import { KeyKind } from '../src/generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../src/generated/phrd/custody/v1/query_pb.js'
import { Query as Records } from '../src/generated/phrd/records/v1/query_pb.js'
import { Class } from '../src/generated/phrd/records/v1/record_pb.js'
import { MsgStoreVersionsResponseSchema, MsgStoreVersionsSchema } from '../src/generated/phrd/records/v1/tx_pb.js'
import { begin, begunFiles, carryOn, giveUp } from '../src/records/begun.js'
import { MemorySecrets } from '../src/secrets.js'
import { LocalSigner } from '../src/wallet/local.js'

const chainID = 'phrd-test-1'
const expires = '2100-01-01T00:00:00Z'
const clerk = new LocalSigner(randomBytes(32))
const patient = idText(randomBytes(16))
const network = randomBytes(32)
const key = encodePoint(times(randomScalar(), G))
const vault = await hybrid.publicKey(randomBytes(32))
const of = { patient, class: Class.IMAGING, draft: { name: 'ct.dcm', mediaType: 'application/dicom', modified: 1_700_000_000n } }

/** Clinic is a hospital's gateway that takes uploads as the real one does, of which whole blocks alone are acknowledged, and a chain that registers what it is sent. */
class Clinic {
  readonly uploads = new Map<string, Bytes>()
  readonly stored: string[] = []
  /** The objects of the versions that were stored, by ref. */
  readonly objects = new Map<string, string>()
  /** What came in by PATCH. */
  sent = 0
  /** Whether the answer to a transaction is lost. */
  loses = false

  readonly transport: Transport = () => async (url, init) => {
    const { pathname, search } = new URL(url)
    const found = this.#answer(init.method ?? 'GET', pathname + search, init)
    if (found instanceof Response) return found
    return found === undefined ? Response.json({ title: 'Not Found' }, { status: 404 }) : Response.json(found)
  }

  /** client is that of a program that starts with these secrets. */
  client(secrets: MemorySecrets): Promise<Client> {
    return Client.dial({ doors: [{ hospital: 0n, name: '', gateway: 'https://clinic.test', fingerprint: '' }], signer: clerk, secrets, transport: this.transport })
  }

  #answer(method: string, path: string, init: RequestInit): JsonValue | Response | undefined {
    const nonce = '00'.repeat(16)
    switch (`${method} ${path}`) {
      case 'GET /chain':
        return { chain_id: chainID, network_id: hex(network), hospital: { number: 1, name: 'clinic' }, height: 7, block_time: '2027-01-15T08:00:00Z' }
      case 'POST /login/challenge': {
        const lines = ['phrd login', `network: ${hex(network).slice(0, 8)} ${chainID}`, `account: ${clerk.address}`, 'host: clinic.test:443', `nonce: ${nonce}`, `expires: ${expires}`]
        return { nonce, text: lines.join('\n'), expires_at: expires }
      }
      case 'POST /login':
        return { token: 'token', expires_at: expires, principal: { address: clerk.address, role: 'clerk', hospital: 1, patient: '' } }
      case 'POST /uploads': {
        const made = `/uploads/${hex(randomBytes(4))}`
        this.uploads.set(made, new Uint8Array())
        return new Response(null, { status: 201, headers: { location: made } })
      }
      case 'POST /cosmos/tx/v1beta1/txs':
        assert.ok(typeof init.body === 'string')
        return this.#take(base64.decode(JSON.parse(init.body).tx_bytes))
      case 'GET /cosmos/tx/v1beta1/txs/STORED':
        return { tx_response: { height: '8', codespace: '', code: 0, data: hex(storedData()), raw_log: '' } }
    }
    if (path.startsWith('/cosmos/auth/')) return { info: { account_number: '9', sequence: '1' } }
    if (path.startsWith('/uploads/')) return this.#upload(method, path, init)
    return this.#queries().get(path)
  }

  #upload(method: string, path: string, init: RequestInit): Response | undefined {
    const [name = '', cid] = path.split('/blocks/')
    const taken = this.uploads.get(name)
    if (taken === undefined) return undefined
    if (cid !== undefined) {
      const block = blocksOf(taken).blocks.get(cid)
      return block === undefined ? undefined : new Response(block.slice())
    }
    if (method === 'DELETE') this.uploads.delete(name)
    if (method === 'PATCH') {
      assert.ok(init.body instanceof Uint8Array)
      assert.equal(new Headers(init.headers).get('upload-offset'), String(taken.length))
      this.sent += init.body.length
      const whole = concat(taken, init.body)
      this.uploads.set(name, whole.slice(0, blocksOf(whole).end))
    }
    return new Response(null, { status: 204, headers: { 'upload-offset': String(this.uploads.get(name)?.length ?? 0) } })
  }

  #take(tx: Uint8Array): JsonValue {
    const body = new Message(new Message(tx, { 1: 'bytes', 2: 'bytes', 3: 'bytes' }).bytes(1), { 1: 'bytes' }).bytes(1)
    const [version] = fromBinary(MsgStoreVersionsSchema, new Message(body, { 1: 'bytes', 2: 'bytes' }).bytes(2)).versions
    this.stored.push(`${version?.record}/${version?.version}`)
    this.objects.set(`${version?.record}/${version?.version}`, version?.object ?? '')
    if (this.loses) throw new TypeError('fetch failed')
    return { tx_response: { codespace: '', code: 0, txhash: 'STORED' } }
  }

  #queries(): Map<string, JsonValue> {
    const answers = new Map<string, JsonValue>()
    const add = <I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, request: MessageInitShape<I>, answer: MessageInitShape<O>) =>
      answers.set(queryPath(method, request), toJson(method.output, create(method.output, answer), { useProtoFieldName: true, alwaysEmitImplicit: true }))
    add(Custody.method.key, { kind: KeyKind.RECORDS, generation: 0n }, { key: { kind: KeyKind.RECORDS, generation: 1n, publicKey: key } })
    add(Records.method.patient, { id: patient }, { patient: { id: patient, vault: { epoch: 1n, key: vault } } })
    add(Access.method.grantees, { patient, class: Class.IMAGING, record: '' }, {})
    add(Access.method.emergencyTerms, { patient }, {})
    for (const [ref, object] of this.objects) {
      const [id = '', number = '1'] = ref.split('/')
      add(Records.method.version, { record: id, version: BigInt(number) }, { version: { record: id, version: BigInt(number), object } })
      add(Records.method.record, { id }, { record: { id, patient, class: Class.IMAGING, versions: BigInt([...this.objects.keys()].filter((other) => other.startsWith(id)).length) } })
      add(Access.method.grantees, { patient, class: Class.IMAGING, record: id }, {})
    }
    return answers
  }
}

function storedData(): Bytes {
  return bytesField(2, bytesField(2, toBinary(MsgStoreVersionsResponseSchema, create(MsgStoreVersionsResponseSchema, { outcome: Outcome.OK }))))
}

// The whole blocks of a CAR stream, and where the last one ends.
function blocksOf(stream: Bytes): { blocks: Map<string, Bytes>; end: number } {
  const blocks = new Map<string, Bytes>()
  if (stream.length < 26) return { blocks, end: 0 }
  for (let at = 26; ; ) {
    let [length, width] = [0, 0]
    for (let byte = 128; byte >= 128 && at + width < stream.length; width++) {
      byte = stream[at + width] ?? 0
      length += (byte & 127) * 128 ** width
    }
    if (width === 0 || at + width + length > stream.length) return { blocks, end: at }
    const start = at + width
    blocks.set(cidTextOf(stream.slice(start, start + 36)), stream.slice(start + 36, start + length))
    at = start + length
  }
}

function cidTextOf(cid: Bytes): string {
  return cidText(cid[1] === 0x55 ? parseRawCID(cid) : cid)
}

// Two segments and a half, which is what is sent and waited for at a time.
const plain = Uint8Array.from(nodeBytes(20 << 20))
const total = plain.length * 1.04

/** begunHalf is a program that ended when half of the file was at the gateway. */
async function begunHalf(clinic: Clinic): Promise<MemorySecrets> {
  const secrets = new MemorySecrets()
  const client = await clinic.client(secrets)
  const begun = await begin(client, { ...of, size: plain.length })
  const end = new AbortController()
  const progress = (_: string, done: bigint) => {
    if (done > 8n << 20n) end.abort(new Error('the program ended'))
  }
  await assert.rejects(carryOn(client, begun, new Blob([plain]), { signal: end.signal, progress }), /the program ended/)
  assert.equal(clinic.stored.length, 0)
  return secrets
}

async function onlyBegun(secrets: MemorySecrets) {
  const [begun, ...others] = await begunFiles(secrets)
  assert.equal(others.length, 0)
  return begun ?? assert.fail('nothing is begun')
}

test('another program carries a file on: what the gateway has is not sent again, and everything opens', async () => {
  const clinic = new Clinic()
  const secrets = await begunHalf(clinic)
  const sent = clinic.sent
  const begun = await onlyBegun(secrets)
  assert.deepEqual({ patient: begun.patient, class: begun.class, draft: { ...begun.draft, created: undefined }, size: begun.size }, { ...of, draft: { ...of.draft, created: undefined }, size: plain.length })
  const ref = await carryOn(await clinic.client(secrets), begun, new Blob([plain]))
  assert.deepEqual(clinic.stored, [`${idText(ref.record)}/1`])
  assert.ok(clinic.sent - sent < total - (7 << 20), `${clinic.sent - sent} bytes were sent again`)
  assert.deepEqual(await secrets.names(''), [])
  assert.equal(clinic.uploads.size, 0)
})

test('another file is found out before anything of it is sent, and the right one still goes on', async () => {
  const clinic = new Clinic()
  const secrets = await begunHalf(clinic)
  const [sent, begun, client] = [clinic.sent, await onlyBegun(secrets), await clinic.client(secrets)]
  const changed = Uint8Array.from(plain)
  changed[1 << 20] = (changed[1 << 20] ?? 0) ^ 1
  await assert.rejects(carryOn(client, begun, new Blob([changed])), { kind: 'file' })
  await assert.rejects(carryOn(client, begun, new Blob([plain.slice(1)])), { kind: 'file' })
  assert.equal(clinic.sent, sent)
  await carryOn(client, begun, new Blob([plain]))
  assert.equal(clinic.stored.length, 1)
})

test('an upload that the gateway has forgotten begins anew, with other keys', async () => {
  const clinic = new Clinic()
  const secrets = await begunHalf(clinic)
  const before = [...clinic.uploads.values()].flatMap((stream) => [...blocksOf(stream).blocks.keys()])
  assert.ok(before.length > 7)
  clinic.uploads.clear()
  const seen = new Set<string>()
  const client = await clinic.client(secrets)
  const progress = () => [...clinic.uploads.values()].forEach((stream) => [...blocksOf(stream).blocks.keys()].forEach((cid) => seen.add(cid)))
  await carryOn(client, await onlyBegun(secrets), new Blob([plain]), { progress })
  assert.equal(clinic.stored.length, 1)
  assert.ok(seen.size > before.length && before.every((cid) => !seen.has(cid)), 'a leaf was sealed with a key that was used before')
})

test('leaves that were sealed and did not arrive are sealed with other keys', async () => {
  const clinic = new Clinic()
  const secrets = await begunHalf(clinic)
  const [path = '', stream = new Uint8Array()] = [...clinic.uploads][0] ?? []
  const { blocks } = blocksOf(stream)
  const last = [...blocks.keys()].at(-1) ?? assert.fail()
  // The gateway acknowledged the last block, and lost it with its disk's cache.
  clinic.uploads.set(path, stream.slice(0, stream.length - 39 - (blocks.get(last)?.length ?? 0)))
  const seen = new Set<string>()
  const progress = () => [...clinic.uploads.values()].forEach((now) => [...blocksOf(now).blocks.keys()].forEach((cid) => seen.add(cid)))
  await carryOn(await clinic.client(secrets), await onlyBegun(secrets), new Blob([plain]), { progress })
  assert.equal(clinic.stored.length, 1)
  assert.ok(!seen.has(last) && [...blocks.keys()].slice(0, -1).every((cid) => seen.has(cid)))
})

test('a file whose registration was not heard of is not stored twice', async () => {
  const clinic = new Clinic()
  const secrets = new MemorySecrets()
  const small = new Blob([randomBytes(5000)])
  const client = await clinic.client(secrets)
  const begun = await begin(client, { ...of, size: small.size })
  clinic.loses = true
  await assert.rejects(carryOn(client, begun, small), { kind: 'unreachable' })
  clinic.loses = false
  await carryOn(await clinic.client(secrets), await onlyBegun(secrets), small)
  assert.equal(clinic.stored.length, 1)
  assert.deepEqual(await secrets.names(''), [])
})

test('a file that is given up is forgotten, here and at the gateway', async () => {
  const clinic = new Clinic()
  const secrets = await begunHalf(clinic)
  assert.equal(clinic.uploads.size, 1)
  await giveUp(await clinic.client(secrets), await onlyBegun(secrets))
  assert.equal(clinic.uploads.size, 0)
  assert.deepEqual(await secrets.names(''), [])
})

test('nothing is begun for a patient whom the network does not know', async () => {
  const clinic = new Clinic()
  await assert.rejects(begin(await clinic.client(new MemorySecrets()), { ...of, patient: idText(randomBytes(16)), size: 1 }), { kind: 'not found' })
  assert.equal(clinic.uploads.size, 0)
})

/** newVersion begins a small file that becomes the second version of a record. */
async function newVersion(clinic: Clinic) {
  const [secrets, record] = [new MemorySecrets(), randomBytes(16)]
  clinic.objects.set(`${idText(record)}/1`, 'the first')
  const small = new Blob([randomBytes(5000)])
  const begun = await begin(await clinic.client(secrets), { ...of, record, size: small.size })
  assert.deepEqual(begun.ref, { record, version: 2n })
  return { secrets, small, record: idText(record) }
}

test('a file becomes the next version of a record, also when another program carries it on', async () => {
  const clinic = new Clinic()
  const { secrets, small, record } = await newVersion(clinic)
  const ref = await carryOn(await clinic.client(secrets), await onlyBegun(secrets), small)
  assert.equal(ref.version, 2n)
  assert.deepEqual(clinic.stored, [`${record}/2`])
  assert.deepEqual(await secrets.names(''), [])
})

test('a version that somebody else stored meanwhile is not taken for one’s own', async () => {
  const clinic = new Clinic()
  const { secrets, small, record } = await newVersion(clinic)
  clinic.objects.set(`${record}/2`, 'somebody else’s')
  const ref = await carryOn(await clinic.client(secrets), await onlyBegun(secrets), small)
  assert.equal(ref.version, 3n)
  assert.deepEqual(clinic.stored, [`${record}/3`])
})

test('a new version whose registration was not heard of is not stored twice', async () => {
  const clinic = new Clinic()
  const { secrets, small, record } = await newVersion(clinic)
  clinic.loses = true
  await assert.rejects(carryOn(await clinic.client(secrets), await onlyBegun(secrets), small), { kind: 'unreachable' })
  clinic.loses = false
  const ref = await carryOn(await clinic.client(secrets), await onlyBegun(secrets), small)
  assert.equal(ref.version, 2n)
  assert.deepEqual(clinic.stored, [`${record}/2`])
  assert.deepEqual(await secrets.names(''), [])
})
