import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBytes } from '#custody/encoding.js'
import { idText } from '#custody/id.js'
import { type Grant, type Kind, reviewGrant } from '../src/index.js'
import { MemberSchema, MemberStatus, PrincipalSchema, Role } from '../src/generated/phrd/consortium/v1/member_pb.js'
import { Class } from '../src/generated/phrd/records/v1/record_pb.js'
import { FakeNetwork } from './fake.js'
import { changed, type State } from './world.js'

const now = 1_800_000_000n
const withVault = (s: State): State => ({ ...s, requester: changed(PrincipalSchema, s.requester, { vaultEpoch: 1n }) })

function grantTo(doctor: string, fields: Partial<Grant> = {}): Grant {
  return { hospital: 3n, to: { clinician: doctor }, what: { classes: [Class.RESULT, Class.IMAGING] }, purpose: 'TREAT', until: now + 86_400n, usesADay: 3, ...fields }
}

test('a grant is reviewed at two hospitals, neither the grantee’s, and reads as it will be signed', async () => {
  const net = await FakeNetwork.make()
  net.change(withVault)
  const alice = await net.client(net.alice, 'er', 'north')
  const r = await reviewGrant(alice, grantTo(net.doctor.address))
  assert.deepEqual({ ...r, grant: undefined }, {
    grant: undefined, hospital: 'er', to: net.doctor.address, what: ['imaging', 'result'], until: '2027-01-16T08:00:00Z', witnesses: ['north', 'clinic'],
  })
  assert.equal((await reviewGrant(alice, grantTo('', { to: { ward: 4711 } }))).to, 'ward 4711')
  const records = [randomBytes(16), randomBytes(16)]
  const named = await reviewGrant(alice, grantTo('', { to: 'all clinicians', what: { records: [...records, ...records] } }))
  assert.deepEqual([named.to, named.what], ['all clinicians', records.map(idText).sort()])
})

// What both hospitals show alike and nobody should sign.
const refused: Readonly<Record<string, { grant?: Partial<Grant>; change?: (s: State) => State }>> = {
  'that has ended': { grant: { until: now } },
  'of more than two years': { grant: { until: now + 2n * 365n * 86_400n + 1n } },
  'for no use a day': { grant: { usesADay: 0 } },
  'for half a use a day': { grant: { usesADay: 1.5 } },
  'without a purpose': { grant: { purpose: '' } },
  'of nothing': { grant: { what: { classes: [] } } },
  'of too many records': { grant: { what: { records: Array.from({ length: 65 }, () => randomBytes(16)) } } },
  'to no ward': { grant: { to: { ward: 0 } } },
  'to who is no clinician': { change: principalWith({ role: Role.OFFICER }) },
  'to who works elsewhere': { change: principalWith({ hospital: 4n }) },
  'to who may not act': { change: principalWith({ active: false }) },
  'to who has no vault': { change: principalWith({ vaultEpoch: 0n }) },
  'to a hospital that is suspended': { change: (s) => ({ ...s, members: s.members.map((m) => (m.number === 3n ? changed(MemberSchema, m, { status: MemberStatus.SUSPENDED }) : m)) }) },
}

for (const [what, { grant, change }] of Object.entries(refused)) {
  test(`no consent ${what}`, async () => {
    const net = await FakeNetwork.make()
    net.change(withVault)
    const alice = await net.client(net.alice, 'clinic', 'north')
    await reviewGrant(alice, grantTo(net.doctor.address))
    if (change !== undefined) net.change(change)
    await assert.rejects(reviewGrant(alice, grantTo(net.doctor.address, grant)), { name: 'PhrdError', kind: 'consent' satisfies Kind })
  })
}

// What one of two hospitals shows otherwise.
const lies: Readonly<Record<string, (s: State) => State>> = {
  hospital: (s) => ({ ...s, members: s.members.map((m) => (m.number === 3n ? changed(MemberSchema, m, { name: 'other' }) : m)) }),
  clinician: principalWith({ vaultEpoch: 2n }),
}

for (const [what, lie] of Object.entries(lies)) {
  test(`two hospitals that show another ${what} are not believed`, async () => {
    for (const liar of ['clinic', 'north']) {
      const net = await FakeNetwork.make()
      net.change(withVault)
      const alice = await net.client(net.alice, 'clinic', 'north')
      net.lies.set(liar, lie)
      await assert.rejects(reviewGrant(alice, grantTo(net.doctor.address)), { kind: 'disagree' satisfies Kind })
    }
  })
}

function principalWith(fields: Parameters<typeof changed<typeof PrincipalSchema>>[2]): (s: State) => State {
  return (s) => ({ ...s, requester: changed(PrincipalSchema, s.requester, fields) })
}
