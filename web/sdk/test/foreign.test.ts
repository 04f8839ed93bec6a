import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cidOf, cidText } from '#custody/cid.js'
import { randomBytes } from '#custody/encoding.js'
import { encodeEnvelope, type Envelope, parseEnvelope } from '#custody/envelope.js'
import { approve, Client, review, type Signer } from '../src/index.js'
import { HeaderSchema, VersionSchema } from '../src/generated/phrd/records/v1/record_pb.js'
import { FakeNetwork } from './fake.js'
import { changed } from './world.js'

// Neither the envelope nor the commitment to the owner's half is in the hash of a request, so hospitals that agree can show others.

/** showEnvelope has all hospitals name another envelope of the version, and have it under its CID. */
function showEnvelope(net: FakeNetwork, change: (e: Envelope) => Envelope, header: { pc?: Uint8Array } = {}): void {
  const { version } = net.world.state
  const block = encodeEnvelope(change(parseEnvelope(net.world.blocks.get(version.envelope) ?? assert.fail())))
  const envelope = cidText(cidOf(block))
  net.world.blocks.set(envelope, block)
  const shown = changed(HeaderSchema, version.header ?? assert.fail(), header)
  net.change((s) => ({ ...s, version: changed(VersionSchema, version, { envelope, header: shown }) }))
}

test('an envelope of another lock is refused, though its CID is right', async () => {
  for (const change of [{ c: randomBytes(32) }, { dc: randomBytes(32) }, { pc: randomBytes(32) }]) {
    const net = await FakeNetwork.make()
    const alice = await net.client(net.alice, 'clinic', 'north')
    await review(alice, net.id)
    showEnvelope(net, (e) => ({ ...e, ...change }))
    await assert.rejects(review(alice, net.id), { kind: 'block' })
  }
})

test('an owner half that is not the one committed to is not handed on, and nothing is signed', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const pc = randomBytes(32)
  showEnvelope(net, (e) => ({ ...e, pc }), { pc })
  const seen = await review(alice, net.id)
  await assert.rejects(approve(alice, seen, net.world.vault), { kind: 'vault', message: /not the one committed to/ })
  assert.deepEqual(net.events, [])
})

test('a wallet that signs another document than it was given sends nothing, and an honest one does', async () => {
  const net = await FakeNetwork.make()
  const wallet = (memo: string): Signer => ({
    address: net.alice.address, publicKey: net.alice.publicKey, signText: (text) => net.alice.signText(text),
    signDirect: (...of) => net.alice.signDirect(...of), signAmino: (document) => net.alice.signAmino({ ...document, memo }),
  })
  const doors = ['clinic', 'north'].map((name) => ({ hospital: 0n, name: '', gateway: `https://${name}.test`, fingerprint: '' }))
  const other = await Client.dial({ doors, signer: wallet('and more'), transport: net.transport })
  await assert.rejects(approve(other, await review(other, net.id), net.world.vault), { kind: 'document' })
  assert.deepEqual(net.events, [])
  const honest = await Client.dial({ doors, signer: wallet(''), transport: net.transport })
  await approve(honest, await review(honest, net.id), net.world.vault)
  assert.equal(net.events[0], 'approved')
})
