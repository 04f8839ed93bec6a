import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clone, type MessageInitShape } from '@bufbuild/protobuf'
import { randomBytes } from '#custody/encoding.js'
import { approve, type LocalSigner, openUnlock, parseRef, PhrdError, type Kind, review, unfinished } from '../src/index.js'
import { UnlockSchema, UnlockStatus } from '../src/generated/phrd/access/v1/unlock_pb.js'
import { MemberSchema, PrincipalSchema, Role } from '../src/generated/phrd/consortium/v1/member_pb.js'
import { KeySchema, ShareSchema } from '../src/generated/phrd/custody/v1/key_pb.js'
import { type HeaderSchema, Lock, VersionSchema } from '../src/generated/phrd/records/v1/record_pb.js'
import { keepSession } from '../src/unlock/session.js'
import { FakeNetwork } from './fake.js'
import { changed, newWorld, type State, type Wishes } from './world.js'

const soon = () => ({ signal: AbortSignal.timeout(5_000) })

test('a patient reviews at two hospitals, approves, and the doctor opens', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const r = await review(alice, net.id)
  assert.deepEqual(r.witnesses, ['clinic', 'north'])
  assert.equal(r.hospital, 'er')
  assert.equal(r.checks.length, 10)
  assert.ok(r.checks.every((c) => c.passed))
  await approve(alice, r, net.world.vault)
  // The capsule leaves when the approval stands, to both hospitals and to the requester's.
  assert.deepEqual([net.events[0], ...net.events.slice(1).sort()], ['approved', 'block clinic', 'block er', 'block north'])

  const doctor = await net.client(net.doctor, 'er')
  await keepSession(doctor.secrets, net.id, net.world.seed)
  const file = await openUnlock(doctor, net.id, parseRef(`${net.world.state.version.record}/1`), soon())
  assert.deepEqual(await file.bytes(), net.world.plain)
})

// What both hospitals show alike and an owner does not accept.
const refused: Readonly<Record<string, { kind: Kind; wishes?: Wishes; change?: (s: State) => State }>> = {
  'another purpose than was proposed': { kind: 'proposal', change: unlockWith({ purpose: 'HRESCH' }) },
  'another requester': { kind: 'proposal', change: unlockWith({ requester: 'phrd1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsr9pts' }) },
  'another expiry': { kind: 'proposal', change: (s) => unlockWith({ expiresAt: s.unlock.expiresAt + 1n })(s) },
  'another hospital': { kind: 'proposal', change: unlockWith({ hospital: 4n }) },
  'another policy': { kind: 'proposal', change: unlockWith({ policyVersion: 2n }) },
  'another request key': { kind: 'proposal', change: (s) => unlockWith({ requestKey: s.version.envelope })(s) },
  'another proof': { kind: 'proposal', change: (s) => unlockWith({ proof: s.unlock.proof.map((b, i) => (i === 3 ? b ^ 1 : b)) })(s) },
  'another lock of the version': { kind: 'proposal', change: (s) => headerWith(s, { c: randomBytes(32) }) },
  'another owner': { kind: 'proposal', change: unlockWith({ patient: '00000000000000000000000001' + '1' }) },
  'the lock of the network alone': { kind: 'proposal', change: (s) => headerWith(s, { lock: Lock.NETWORK }) },
  'another key of the network': { kind: 'proposal', change: (s) => ({ ...s, key: changed(KeySchema, s.key, { publicKey: s.unlock.b }) }) },
  'another network': { kind: 'proposal', change: (s) => ({ ...s, network: randomBytes(32) }) },
  'a purpose of guardians': { kind: 'proposal', wishes: { purpose: 'GUARDIAN' } },
  'a lifetime of more than 14 days': { kind: 'proposal', wishes: { lifetime: 14n * 86400n + 1n } },
  'a requester who is no clinician': { kind: 'proposal', change: requesterWith({ role: Role.CLERK }) },
  'a requester of another hospital': { kind: 'proposal', change: requesterWith({ hospital: 4n }) },
  'a requester who may not act': { kind: 'proposal', change: requesterWith({ active: false }) },
  'a hospital that is called as the patient': {
    kind: 'proposal', change: (s) => ({ ...s, members: s.members.map((m) => (m.number === 3n ? changed(MemberSchema, m, { name: 'own reading' }) : m)) }),
  },
  'endorsements that are missing': { kind: 'not approved', change: (s) => ({ ...s, status: UnlockStatus.PROPOSED }) },
  'an unlock that has ended': { kind: 'ended', change: (s) => ({ ...s, status: UnlockStatus.WITHDRAWN }) },
  'an approval by a consent': {
    kind: 'consented', change: (s) => ({ ...unlockWith({ approval: { by: s.unlock.requester, consent: 1n } })(s), status: UnlockStatus.APPROVED }),
  },
  'an approval by another account': {
    kind: 'proposal', change: (s) => ({ ...unlockWith({ approval: { by: s.unlock.requester } })(s), status: UnlockStatus.APPROVED }),
  },
  'an unlock of an emergency': { kind: 'proposal', change: unlockWith({ box: true }) },
}

for (const [what, { kind, wishes, change }] of Object.entries(refused)) {
  test(`no approval of ${what}`, async () => {
    const net = await FakeNetwork.make(wishes)
    if (change !== undefined) net.change(change)
    const alice = await net.client(net.alice, 'clinic', 'north')
    await assert.rejects(review(alice, net.id), { name: 'PhrdError', kind })
    assert.deepEqual(net.events, [])
  })
}

// What one of two hospitals shows otherwise, though it passes every other check.
const lies: Readonly<Record<string, (s: State) => State>> = {
  status: (s) => ({ ...s, status: UnlockStatus.APPROVED }),
  endorsements: unlockWith({ endorsements: [{ officer: 'another', at: 1n }] }),
  requester: requesterWith({ wards: [7] }),
  hospital: (s) => ({ ...s, members: s.members.map((m) => (m.number === 3n ? changed(MemberSchema, m, { name: 'other' }) : m)) }),
  key: (s) => ({ ...s, key: changed(KeySchema, s.key, { threshold: 1n }) }),
  version: (s) => ({ ...s, version: changed(VersionSchema, s.version, { size: 1n }) }),
  network: (s) => ({ ...s, network: randomBytes(32) }),
}

for (const [what, lie] of Object.entries(lies)) {
  test(`two hospitals that show another ${what} are not believed`, async () => {
    for (const liar of ['clinic', 'north']) {
      const net = await FakeNetwork.make()
      net.lies.set(liar, lie)
      const alice = await net.client(net.alice, 'clinic', 'north')
      await assert.rejects(review(alice, net.id), { kind: 'disagree' })
    }
  })
}

test('a block that is not the one named is passed over for another hospital’s, and refused where all give it', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  for (const cid of [net.world.state.unlock.requestKey, net.world.state.version.envelope]) {
    const other = (asked: string) => (asked === cid ? randomBytes(1216) : undefined)
    net.otherBlocks.set('clinic', other)
    await review(alice, net.id)
    for (const name of ['north', 'er', 'south']) net.otherBlocks.set(name, other)
    await assert.rejects(review(alice, net.id), { kind: 'block' })
    net.otherBlocks.clear()
  }
})

test('one hospital is not enough, and the requester’s is taken only where no other answers', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'er', 'north')
  assert.deepEqual((await review(alice, net.id)).witnesses, ['north', 'clinic'])
  net.away.add('clinic').add('south')
  const r = await review(alice, net.id)
  assert.deepEqual(r.witnesses, ['north', 'er'])
  assert.deepEqual(r.checks.filter((c) => !c.passed).map((c) => c.name), ['neither is the requester’s'])
  net.away.add('er')
  await assert.rejects(review(alice, net.id), { kind: 'unreachable' })
})

test('a vault that is not the owner’s approves nothing', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const { vault } = await newWorld(net.doctor.address)
  await assert.rejects(approve(alice, await review(alice, net.id), vault), { kind: 'vault' })
  assert.deepEqual(net.events, [])
})

test('the capsule stays here while a hospital shows another approval, and a second call hands it in', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const r = await review(alice, net.id)
  net.lies.set('north', (s) => (s.unlock.approval === undefined ? s : unlockWith({ approval: { by: s.unlock.approval.by, capsule: 'another' } })(s)))
  await assert.rejects(approve(alice, r, net.world.vault), { kind: 'disagree' })
  assert.deepEqual(net.events, ['approved'])
  net.lies.clear()
  await approve(alice, await review(alice, net.id), net.world.vault)
  assert.deepEqual(net.events.filter((e) => e === 'approved'), ['approved'])
  assert.ok(net.events.includes('block clinic') && net.events.includes('block north'))
})

test('an approval whose answer was lost is completed with the same review, and not signed again', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const r = await review(alice, net.id)
  assert.deepEqual([...(await unfinished(alice))], [])
  net.lies.set('north', (s) => (s.unlock.approval === undefined ? s : unlockWith({ approval: { by: s.unlock.approval.by, capsule: 'another' } })(s)))
  await assert.rejects(approve(alice, r, net.world.vault), { kind: 'disagree' })
  assert.deepEqual([...(await unfinished(alice))], [net.id])
  net.lies.clear()
  await approve(alice, r, net.world.vault)
  assert.deepEqual(net.events.filter((e) => e === 'approved'), ['approved'])
  assert.ok(net.events.includes('block clinic'))
  assert.deepEqual([...(await unfinished(alice))], [])
})

test('a login that is rejected in the wallet is asked for once', async () => {
  const net = await FakeNetwork.make()
  let asked = 0
  const signText = async () => {
    asked++
    throw new PhrdError('rejected', 'no')
  }
  const alice = await net.client(Object.assign(Object.create(net.alice) as LocalSigner, { signText }), 'clinic', 'north')
  await assert.rejects(review(alice, net.id), { kind: 'rejected' })
  assert.equal(asked, 1)
})

test('a gateway that asks to sign something else than a login gets no signature', async () => {
  for (const text of ['phrd vault key', 'phrd login\nnetwork: other']) {
    const net = await FakeNetwork.make()
    net.loginText = () => text
    const alice = await net.client(net.alice, 'clinic', 'north')
    await assert.rejects(alice.principal(), { kind: 'login' })
  }
})

test('what is asked at the same time shares one login', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic')
  let signed = 0
  const sign = net.alice.signText.bind(net.alice)
  net.alice.signText = (text) => {
    signed++
    return sign(text)
  }
  await Promise.all(Array.from({ length: 5 }, () => alice.principal()))
  assert.equal(signed, 1)
  await alice.principal(true)
  assert.equal(signed, 2)
})

async function approved(): Promise<{ net: FakeNetwork; open: () => Promise<Uint8Array> }> {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  await approve(alice, await review(alice, net.id), net.world.vault)
  const doctor = await net.client(net.doctor, 'er')
  await keepSession(doctor.secrets, net.id, net.world.seed)
  const ref = parseRef(`${net.world.state.version.record}/1`)
  return { net, open: async () => (await openUnlock(doctor, net.id, ref, soon())).bytes() }
}

test('bad shares are skipped while enough are good, and refused beyond', async () => {
  const { net, open } = await approved()
  const spoilt = (n: number) => (s: State): State => ({
    ...s, shares: s.shares.map((share, i) => (i < n ? changed(ShareSchema, share, { points: s.shares[3]?.points ?? [] }) : share)),
  })
  net.change(spoilt(1))
  assert.deepEqual(await open(), net.world.plain)
  net.change(spoilt(2))
  await assert.rejects(open(), { name: 'Refusal' })
})

test('a gateway that shows wrong shares is passed over for another one', async () => {
  const { net, open } = await approved()
  await net.client(net.doctor, 'er')
  net.lies.set('er', (s) => ({ ...s, shares: [] }))
  await assert.rejects(open(), { name: 'Refusal' }) // er is the only one that this client knows
})

test('an unlock opens with its own session only, and only what it names', async () => {
  const { net } = await approved()
  const doctor = await net.client(net.doctor, 'er')
  const ref = parseRef(`${net.world.state.version.record}/1`)
  await assert.rejects(openUnlock(doctor, net.id, ref, soon()), { kind: 'session' })
  await keepSession(doctor.secrets, net.id, randomBytes(32))
  await assert.rejects(openUnlock(doctor, net.id, ref, soon()), { kind: 'session' })
  await doctor.secrets.delete(`session/${net.id}`)
  await keepSession(doctor.secrets, net.id, net.world.seed)
  await assert.rejects(openUnlock(doctor, net.id, { ...ref, version: 2n }, soon()), { kind: 'ref' })
  await openUnlock(doctor, net.id, ref, soon())
})

test('an unlock that ends takes the session with it', async () => {
  const { net, open } = await approved()
  net.change((s) => ({ ...s, status: UnlockStatus.WITHDRAWN }))
  await assert.rejects(open(), { kind: 'ended' })
  await assert.rejects(open(), { kind: 'session' })
})

function unlockWith(fields: MessageInitShape<typeof UnlockSchema>): (s: State) => State {
  return (s) => ({ ...s, unlock: changed(UnlockSchema, s.unlock, { ...fields }) })
}

function requesterWith(fields: MessageInitShape<typeof PrincipalSchema>): (s: State) => State {
  return (s) => ({ ...s, requester: changed(PrincipalSchema, s.requester, { ...fields }) })
}

function headerWith(s: State, fields: MessageInitShape<typeof HeaderSchema>): State {
  const version = clone(VersionSchema, s.version)
  Object.assign(version.header ?? assert.fail(), fields)
  return { ...s, version }
}

