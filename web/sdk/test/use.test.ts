import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { randomBytes } from '#custody/encoding.js'
import { type Client, consentFor, openUnlock, parseRef } from '../src/index.js'
import { type ConsentSchema, ConsentStatus } from '../src/generated/phrd/access/v1/consent_pb.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { UnlockStatus } from '../src/generated/phrd/access/v1/unlock_pb.js'
import { Query as Records } from '../src/generated/phrd/records/v1/query_pb.js'
import { Class } from '../src/generated/phrd/records/v1/record_pb.js'
import { keepSession } from '../src/unlock/session.js'
import { FakeNetwork } from './fake.js'

const seed = randomBytes(32)
const soon = () => ({ signal: AbortSignal.timeout(5_000) })

/** granted is a network in which alice consented to the doctor, whose program has the key of the vault. */
async function granted(change: MessageInitShape<typeof ConsentSchema> = {}, sealedTo: Uint8Array | undefined = seed): Promise<{ net: FakeNetwork; doctor: Client }> {
  const net = await FakeNetwork.make(sealedTo === undefined ? {} : { granted: Uint8Array.from(sealedTo) })
  const { unlock, version } = net.world.state
  const consent = { number: 1n, patient: unlock.patient, staff: net.doctor.address, classes: [Class.RESULT], purpose: 'TREAT', until: unlock.expiresAt, ...change }
  const pagination = { key: new Uint8Array(), limit: 200n }
  for (const [of, consents] of [[{ staff: net.doctor.address }, [{ consent, status: ConsentStatus.LIVE }]], [{ hospital: 3n }, []]] as const) {
    net.shows(Access.method.consents, { ...of, status: ConsentStatus.LIVE, pagination }, { consents: [...consents] })
  }
  net.shows(Access.method.consent, { number: 1n }, { consent, status: ConsentStatus.LIVE })
  net.shows(Records.method.record, { id: version.record }, { record: { id: version.record, patient: unlock.patient, class: Class.RESULT, versions: 1n } })
  const doctor = await net.client(net.doctor, 'er')
  await keepSession(doctor.secrets, net.id, net.world.seed)
  await doctor.secrets.put(`vault/staff/${net.doctor.address}/1`, seed)
  return { net, doctor }
}

test('a doctor opens by a consent, without the owner’s being asked', async () => {
  const { net, doctor } = await granted()
  const file = await openUnlock(doctor, net.id, parseRef(`${net.world.state.version.record}/1`), soon())
  assert.deepEqual(net.events, ['consent 1'])
  assert.deepEqual(await file.bytes(), net.world.plain)
})

const uncovered: Readonly<Record<string, () => ReturnType<typeof granted>>> = {
  'of another patient': () => granted({ patient: '000000000000000000000000011' }),
  'for another purpose': () => granted({ purpose: 'HRESCH' }),
  'for another class': () => granted({ classes: [Class.IMAGING] }),
  'that ends before the unlock': async () => {
    const { net, doctor } = await granted()
    net.change((s) => ({ ...s, unlock: { ...s.unlock, expiresAt: s.unlock.expiresAt + 1n } }))
    return { net, doctor }
  },
  'without the version’s being sealed for it': async () => {
    const { net, doctor } = await granted()
    await doctor.secrets.delete(`vault/staff/${net.doctor.address}/1`)
    return { net, doctor }
  },
  'for an unlock that is not endorsed': async () => {
    const { net, doctor } = await granted()
    net.change((s) => ({ ...s, status: UnlockStatus.PROPOSED }))
    return { net, doctor }
  },
}

for (const [what, make] of Object.entries(uncovered)) {
  test(`a consent ${what} is not used`, async () => {
    const { net, doctor } = await make()
    assert.equal(await consentFor(doctor, net.id), undefined)
    await assert.rejects(openUnlock(doctor, net.id, parseRef(`${net.world.state.version.record}/1`), soon()), { kind: 'not approved' })
    assert.deepEqual(net.events, [])
  })
}
