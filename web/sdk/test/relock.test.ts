import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { parseEnvelope } from '#custody/envelope.js'
import { generationHash } from '#custody/generation.js'
import * as hybrid from '#custody/hybrid.js'
import { parsePoint } from '#custody/point.js'
import { type Kind, LocalSigner } from '../src/index.js'
import { type Locked, lockVersion } from '../src/records/lock.js'
import { lockedAnew, opensAgain } from '../src/records/relock.js'
import { type Generation, lockOf, type LockedVersion } from '../src/unlock/locked.js'
import { Vault } from '../src/vault/open.js'
import { newWorld } from './world.js'

/** Relocked is a version and another lock of it, sealed to the patient's newest key. */
interface Relocked {
  readonly vault: Vault
  readonly version: LockedVersion
  readonly dek: Bytes
  readonly again: () => Promise<Locked>
}

async function relocked(): Promise<Relocked> {
  const { state } = await newWorld(new LocalSigner(randomBytes(32)).address)
  const X = parsePoint(state.key.publicKey)
  const generation: Generation = { key: state.key, X, gen: generationHash({ net: state.network, kind: 1n, generation: 1n, X }) }
  const version = lockOf(state.network, generation, state.version)
  const [patient, seed, dek, manifest] = [randomBytes(16), randomBytes(32), randomBytes(32), version.envelope]
  const again = async () => lockVersion({
    net: state.network, record: version.record, version: version.version, ownerKind: 1n, ownerID: patient, custodian: 1n, generation, signer: randomBytes(20),
    recipients: [{ kind: 1n, id: patient, epoch: 2n, key: await hybrid.publicKey(seed) }],
  }, { object: version.object, manifest, dek })
  return { vault: new Vault(patient, [{ epoch: 2n, seed }], randomBytes(32)), version, dek, again }
}

test('a version that is locked anew opens by its new lock, and has nothing in common with the former one', async () => {
  const { vault, version, dek, again } = await relocked()
  const locked = await again()
  const fresh = lockedAnew(version, locked)
  await opensAgain(vault, fresh, locked, locked.block, dek)
  assert.notDeepEqual([fresh.c, fresh.pc, fresh.envelope], [version.c, version.pc, version.envelope])
  assert.equal(fresh.U.equals(version.U), false)
  assert.deepEqual(fresh.object, version.object)
})

test('a new lock that would not open is never confirmed', async () => {
  const { vault, version, dek, again } = await relocked()
  const [locked, other] = [await again(), await again()]
  const fresh = lockedAnew(version, locked)
  // The envelope of another lock, also one of the same version and key.
  await assert.rejects(opensAgain(vault, fresh, locked, other.block, dek), { kind: 'block' satisfies Kind })
  // Another data key.
  await assert.rejects(opensAgain(vault, fresh, locked, locked.block, randomBytes(32)), { kind: 'vault' satisfies Kind })
  // A vault that it is not sealed to, and one that lacks the key.
  const { own } = parseEnvelope(locked.block)
  for (const stranger of [new Vault(randomBytes(16), [{ epoch: 2n, seed: randomBytes(32) }], randomBytes(32)), new Vault(Uint8Array.from(own[0]?.id ?? assert.fail()), [{ epoch: 1n, seed: randomBytes(32) }], randomBytes(32))]) {
    await assert.rejects(opensAgain(stranger, fresh, locked, locked.block, dek), { kind: 'vault' satisfies Kind })
  }
  await assert.rejects(opensAgain(new Vault(Uint8Array.from(own[0]?.id ?? assert.fail()), [{ epoch: 2n, seed: randomBytes(32) }], randomBytes(32)), fresh, locked, locked.block, dek), { kind: 'vault' satisfies Kind })
  // The halves of another lock.
  await assert.rejects(opensAgain(vault, fresh, other, locked.block, dek), { kind: 'vault' satisfies Kind })
})
