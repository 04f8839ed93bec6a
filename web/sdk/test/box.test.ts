import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { u64 } from '#custody/encoding.js'
import { emergencyHash, emergencyLabel, openBox } from '#custody/emergency.js'
import { verifyEncapsulation } from '#custody/encap.js'
import { generationHash } from '#custody/generation.js'
import * as hybrid from '#custody/hybrid.js'
import { openOwn } from '#custody/own.js'
import { encodePoint, G, parseEncapsulation, parsePoint, times } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import { randomScalar } from '#custody/scalar.js'
import { randomBytes } from '#custody/encoding.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { KeyKind, KeySchema } from '../src/generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../src/generated/phrd/custody/v1/query_pb.js'
import { type BoxTerms, boxTerms, newBox } from '../src/records/box.js'
import { FakeNetwork } from './fake.js'

test('a box opens with the emergency key’s half and one of its hospitals’ vaults, and its proof is for who signs', async () => {
  const x = randomScalar()
  const net = randomBytes(32)
  const seeds = [randomBytes(32), randomBytes(32)]
  const key = create(KeySchema, { kind: KeyKind.EMERGENCY, generation: 3n, publicKey: encodePoint(times(x, G)) })
  const gen = generationHash({ net, kind: 2n, generation: 3n, X: times(x, G) })
  const terms: BoxTerms = {
    generation: { key, X: times(x, G), gen }, vaults: await Promise.all(seeds.map(async (seed, i) => ({ hospital: BigInt(i + 2), epoch: 5n, key: await hybrid.publicKey(seed) }))),
  }
  const [ctx, pc, p, signer] = [randomBytes(64), randomBytes(32), randomBytes(32), randomBytes(20)]
  const U = times(randomScalar(), G)
  const { block, lock, proof } = await newBox(terms, { ctx, U, pc, p }, signer)
  const at = { U: parseEncapsulation(lock.u), UBar: parsePoint(lock.uBar) }
  const E = emergencyHash(ctx, gen, at.U, at.UBar, pc)
  verifyEncapsulation(emergencyLabel(E, lock.hash, signer), gen, at, proof)
  assert.throws(() => verifyEncapsulation(emergencyLabel(E, lock.hash, randomBytes(20)), gen, at, proof), Refusal)
  const halves = await openBox(E, times(x, block.U), block.box)
  assert.deepEqual(halves.map((half) => half.hospital), [2n, 3n])
  for (const [i, half] of halves.entries()) {
    const to = { kind: 4n, id: u64(half.hospital), epoch: 5n }
    assert.deepEqual(await openOwn(ctx, U, to, seeds[i] ?? assert.fail(), half.sealed), p)
    await assert.rejects(openOwn(ctx, U, to, seeds[1 - i] ?? assert.fail(), half.sealed), Refusal)
  }
  await assert.rejects(openBox(E, times(randomScalar(), block.U), block.box), Refusal)
})

test('who did not agree gets no box, nor who did while the hospitals have no key for it', async () => {
  const net = await FakeNetwork.make()
  const clerk = await net.client(net.alice, 'clinic')
  const vault = { hospital: 2n, epoch: 1n, key: await hybrid.publicKey(randomBytes(32)) }
  net.shows(Access.method.emergencyTerms, { patient: 'A' }, { vaults: [] })
  net.shows(Access.method.emergencyTerms, { patient: 'B' }, { vaults: [vault] })
  assert.equal(await boxTerms(clerk, 'A'), undefined)
  assert.equal(await boxTerms(clerk, 'B'), undefined)
  net.shows(Custody.method.key, { kind: KeyKind.EMERGENCY, generation: 0n }, { key: { kind: KeyKind.EMERGENCY, generation: 1n, publicKey: encodePoint(times(randomScalar(), G)) } })
  assert.equal(await boxTerms(clerk, 'A'), undefined)
  assert.deepEqual((await boxTerms(clerk, 'B'))?.vaults.map((v) => v.hospital), [2n])
})
