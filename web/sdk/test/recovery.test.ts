import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBytes } from '#custody/encoding.js'
import { idText } from '#custody/id.js'
import { approveRecoveryForHospital, type Client, type Kind, monthStart, reviewRecovery } from '../src/index.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { RecoveryStatus, RecoveryWay } from '../src/generated/phrd/access/v1/recovery_pb.js'
import { FakeNetwork } from './fake.js'

const patient = idText(randomBytes(16))

interface Change {
  readonly number?: bigint
  readonly patient?: string
  readonly account?: string
  readonly until?: bigint
  readonly way?: RecoveryWay
}

// A recovery by the doctor's account, whom the second hospital invited, as all hospitals show it to an officer of the first.
async function shown(change: Change = {}): Promise<{ net: FakeNetwork; officer: Client; show: (change: Change, status?: RecoveryStatus, by?: string) => void }> {
  const net = await FakeNetwork.make()
  net.who = { role: 'officer', hospital: 1 }
  const recovery = { number: 7n, patient, account: net.doctor.address, former: net.alice.address, inviter: 2n, way: RecoveryWay.HOSPITALS, needed: 2, delay: 30n }
  const show = (change: Change, status = RecoveryStatus.PROPOSED, by = '') =>
    net.shows(Access.method.recovery, { number: 7n }, { recovery: { ...recovery, ...change }, status }, by)
  show(change)
  return { net, officer: await net.client(net.alice, 'clinic', 'north'), show }
}

test('an officer signs what two other hospitals show of a recovery, with the end of acting for the patient where there is one', async () => {
  for (const [until, text] of [[0n, ''], [monthStart('2031-05'), '2031-05-01T00:00:00Z']] as const) {
    const { net, officer } = await shown({ until })
    const review = await reviewRecovery(officer, 7n)
    assert.deepEqual([review.invitedBy, review.witnesses, review.checked], ['north', ['clinic', 'er'], undefined])
    await approveRecoveryForHospital(officer, review)
    const [signed] = net.recoveries
    assert.deepEqual(
      [signed?.approver, signed?.recovery, signed?.patient, signed?.account, signed?.invitedBy, signed?.unlock, signed?.capsule, signed?.until],
      [officer.signer.address, 7n, patient, net.doctor.address, 'north', '', '', text],
    )
  }
})

test('an officer is not shown what one hospital says alone, and nothing that has ended', async () => {
  const { net, officer, show } = await shown()
  for (const liar of ['clinic', 'er']) {
    for (const change of [{ account: net.alice.address }, { patient: idText(randomBytes(16)) }, { until: 1_900_000_000n }, { way: RecoveryWay.UNSPECIFIED }]) {
      show(change, RecoveryStatus.PROPOSED, liar)
      await assert.rejects(reviewRecovery(officer, 7n), { kind: 'disagree' satisfies Kind }, Object.keys(change).join())
      show({})
    }
  }
  show({}, RecoveryStatus.EXPIRED)
  await assert.rejects(reviewRecovery(officer, 7n), { kind: 'ended' satisfies Kind })
  show({ number: 8n })
  await assert.rejects(reviewRecovery(officer, 7n), { kind: 'proposal' satisfies Kind })
  show({})
  await reviewRecovery(officer, 7n)
})
