import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64 } from '@scure/base'
import { parseIDText } from '#custody/id.js'
import { type Client, handOverOf, type Kind, monthStart, openVault, openVaultByCode, prepareEmpty, preparePatient, type VaultFile, wanted } from '../src/index.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { RecoveryStatus, RecoveryWay } from '../src/generated/phrd/access/v1/recovery_pb.js'
import { untilText } from '../src/recovery/handover.js'
import { FakeNetwork } from './fake.js'

test('a month stands for its first second, and a wallet shows that', () => {
  assert.equal(untilText(monthStart('2031-05')), '2031-05-01T00:00:00Z')
  assert.equal(untilText(0n), '')
  for (const text of ['', '2031', '2031-00', '2031-13', '31-05', '2031-05-17', 'May 2031']) assert.throws(() => monthStart(text), { kind: 'month' satisfies Kind }, text)
})

test('a wallet is the patient’s own where nothing else is said', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic')
  const { file } = await preparePatient(alice)
  assert.equal(await handOverOf(alice, file.patient), undefined)
  net.shows(Access.method.handOver, { patient: file.patient }, { handOver: { patient: file.patient, due: 1_900_000_000n, representative: true } })
  const found = await handOverOf(alice, file.patient)
  assert.deepEqual([found?.due, found?.representative, found?.closed], [1_900_000_000n, true, false])
})

// A recovery of alice by the doctor's account, as all hospitals show it.
async function ready(way = RecoveryWay.HOSPITALS, status = RecoveryStatus.READY): Promise<{ next: Client; file: VaultFile; lost: Client }> {
  const net = await FakeNetwork.make()
  const lost = await net.client(net.alice, 'clinic')
  const { file } = await preparePatient(lost)
  const vault = { id: file.vault, epoch: BigInt(file.epoch), revision: BigInt(file.revision), key: base64.decode(file.key), blob: 'none that anybody opens' }
  const recovery = { number: 7n, patient: file.patient, account: net.doctor.address, former: file.address, way, needed: 2 }
  net.shows(Access.method.recovery, { number: 7n }, { recovery, status, vault })
  return { next: await net.client(net.doctor, 'clinic'), file, lost }
}

test('who has no words begins with an empty vault, which has a fresh key and none from before', async () => {
  const { next, file, lost } = await ready()
  const made = await prepareEmpty(next, 7n)
  assert.deepEqual([made.file.patient, made.file.vault, made.file.epoch, made.file.revision], [file.patient, file.vault, 2, 2])
  assert.notEqual(made.file.key, file.key)
  assert.deepEqual([made.vault.has(1n), made.vault.has(2n), made.file.guardians], [false, true, undefined])
  assert.deepEqual((await made.vault.newest()).id, parseIDText(file.patient))
  const again = await openVaultByCode(made.file, made.code)
  assert.deepEqual([again.has(1n), again.has(2n)], [false, true])
  // The former vault is not in it, and the former one opens as it did.
  assert.equal((await openVault(lost, file)).has(1n), true)
})

test('a vault is begun anew where hospitals approved and the delay is over, and nowhere else', async () => {
  const guarded = await ready(RecoveryWay.GUARDIANS)
  await assert.rejects(prepareEmpty(guarded.next, 7n), { kind: 'vault' satisfies Kind })
  for (const status of [RecoveryStatus.PROPOSED, RecoveryStatus.DELAYED, RecoveryStatus.DUE]) {
    const { next } = await ready(RecoveryWay.HOSPITALS, status)
    await assert.rejects(prepareEmpty(next, 7n), { kind: 'not ready' satisfies Kind })
  }
  for (const status of [RecoveryStatus.CANCELLED, RecoveryStatus.EXPIRED, RecoveryStatus.FINISHED]) {
    const { next } = await ready(RecoveryWay.HOSPITALS, status)
    await assert.rejects(prepareEmpty(next, 7n), { kind: 'ended' satisfies Kind })
  }
})

test('a version that is due for two reasons is locked anew once', () => {
  const [a, b] = [1, 2].map((n) => ({ record: new Uint8Array(16).fill(n), version: 1n })) as [{ record: Uint8Array<ArrayBuffer>; version: bigint }, { record: Uint8Array<ArrayBuffer>; version: bigint }]
  assert.deepEqual(wanted({ ended: [a], former: [a, b], waiting: [b], asked: [], all: [a, b], shut: [] }), [a, b])
  assert.deepEqual(wanted({ ended: [], former: [], waiting: [], asked: [], all: [a, b], shut: [] }), [])
})
