import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64 } from '@scure/base'
import { cidOf, cidText } from '#custody/cid.js'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { guardianInfo, joinGuardians, openGuardianShare, parseShares } from '#custody/guardians.js'
import * as hybrid from '#custody/hybrid.js'
import { idText, parseIDText } from '#custody/id.js'
import { encodePoint, G, parsePoint, times } from '#custody/point.js'
import { proposalHash, proveRequest, unlockID } from '#custody/request.js'
import { randomScalar, type Scalar } from '#custody/scalar.js'
import { guardiansSecret } from '#custody/slot.js'
import { hex } from '#custody/wallet.js'
import {
  approveRecovery, approveRecoveryForHospital, type Client, type Kind, openVault, openVaultByCode, openVaultByWallet, prepareVault, preparePatient, reviewRecovery, type VaultFile,
} from '../src/index.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { RecoveryStatus, RecoveryWay } from '../src/generated/phrd/access/v1/recovery_pb.js'
import { KeyKind } from '../src/generated/phrd/custody/v1/key_pb.js'
import { Query as Custody } from '../src/generated/phrd/custody/v1/query_pb.js'
import { checkSlot, recoveryProposal } from '../src/recovery/checked.js'
import { kvOf } from '../src/vault/open.js'
import { newSession } from '../src/unlock/session.js'
import { FakeNetwork } from './fake.js'

/** Named is a vault with three guardians, of whom two open it together with the network's half. */
interface Named {
  readonly net: FakeNetwork
  readonly alice: Client
  readonly file: VaultFile
  readonly seeds: readonly Bytes[]
  /** The network's key of kind 3. */
  readonly x: Scalar
}

const numbers = Array.from({ length: 3 }, () => idText(randomBytes(16)))

async function named(): Promise<Named> {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const x = randomScalar()
  for (const generation of [0n, 1n]) {
    net.shows(Custody.method.key, { kind: KeyKind.GUARDIANS, generation }, { key: { kind: KeyKind.GUARDIANS, generation: 1n, publicKey: encodePoint(times(x, G)), threshold: 3n, shareEpoch: 1n } })
  }
  const seeds = numbers.map(() => randomBytes(32))
  for (const [i, guardian] of numbers.entries()) net.shows(Access.method.guardianKey, { guardian }, { epoch: 1n, key: await hybrid.publicKey(seeds[i] ?? assert.fail()) })
  const prepared = await preparePatient(alice)
  const { file } = await prepareVault(alice, prepared.file, await openVault(alice, prepared.file), { guardians: { numbers, threshold: 2, delay: 30 } })
  return { net, alice, file, seeds, x }
}

test('a vault that is written anew opens by its new words and the wallet, and by nothing of before', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic', 'north')
  const { file, code } = await preparePatient(alice)
  const vault = await openVault(alice, file)
  const next = await prepareVault(alice, file, vault, { newKey: true, guardians: 'none' })
  assert.deepEqual([next.file.revision, next.file.epoch, next.walletSlot, next.code === code], [2, 2, true, false])
  assert.notEqual(next.file.key, file.key)
  await openVaultByCode(next.file, next.code)
  await openVaultByWallet(alice, next.file)
  await assert.rejects(openVaultByCode(next.file, code), { kind: 'vault' satisfies Kind })
  await assert.rejects(openVaultByCode(file, next.code), { kind: 'vault' satisfies Kind })
  await assert.rejects(openVaultByCode({ ...next.file, revision: 1 }, next.code), { kind: 'vault' satisfies Kind })
  // The former key is in it still, for what is sealed to it.
  assert.deepEqual((await vault.newest()).epoch, 1n)
  await next.vault.tryKeys(async (seed) => assert.deepEqual(await hybrid.publicKey(seed), base64.decode(next.file.key)))
})

test('two of three guardians open the vault together with the network’s half, and one or another half does not', async () => {
  const { file, seeds, x } = await named()
  const g = file.guardians ?? assert.fail()
  const commitments = g.commitments.map((c) => parsePoint(base64.decode(c)))
  const place = { net: base64.decode(file.network), vault: parseIDText(file.vault), slot: parseIDText(g.slot), revision: BigInt(file.revision) }
  const block = parseShares(base64.decode(g.shares))
  const shares = await Promise.all(seeds.map(async (seed, i) => {
    const at = BigInt(i + 1)
    const info = guardianInfo(place, at, commitments)
    await assert.rejects(openGuardianShare(info, seeds[(i + 1) % 3] ?? assert.fail(), block[i] ?? assert.fail()), { name: 'Refusal' })
    return { at, share: await openGuardianShare(info, seed, block[i] ?? assert.fail()) }
  }))
  const half = times(x, parsePoint(base64.decode(g.u)))
  for (const pair of [[0, 1], [2, 0], [1, 2]]) {
    const secret = guardiansSecret(joinGuardians(commitments, pair.map((i) => shares[i] ?? assert.fail())), half)
    await kvOf(file, 'guardians', async () => secret)
    const other = guardiansSecret(joinGuardians(commitments, pair.map((i) => shares[i] ?? assert.fail())), times(2n, half))
    await assert.rejects(kvOf(file, 'guardians', async () => other), { kind: 'vault' satisfies Kind })
  }
  const [one, two] = [shares[0] ?? assert.fail(), shares[1] ?? assert.fail()]
  assert.throws(() => joinGuardians(commitments, [one]), { name: 'Refusal' })
  assert.throws(() => joinGuardians(commitments, [one, one]), { name: 'Refusal' })
  assert.throws(() => joinGuardians(commitments, [one, { at: 2n, share: one.share }]), { name: 'Refusal' })
  assert.throws(() => joinGuardians([...commitments].reverse(), [one, two]), { name: 'Refusal' })
})

test('a block of shares has one encoding', () => {
  const share = randomBytes(1168)
  for (const bad of [new Uint8Array(), share, Uint8Array.of(10, 1, 1)]) assert.throws(() => parseShares(bad), { name: 'Refusal' })
})

test('a hospital that shows another key of a guardian is found out', async () => {
  for (const liar of ['clinic', 'north']) {
    const { net, alice, file } = await named()
    const change = { guardians: { numbers, threshold: 2, delay: 30 } }
    await prepareVault(alice, file, await openVault(alice, file), change)
    net.shows(Access.method.guardianKey, { guardian: numbers[1] ?? '' }, { epoch: 1n, key: await hybrid.publicKey(randomBytes(32)) }, liar)
    await assert.rejects(prepareVault(alice, file, await openVault(alice, file), change), { kind: 'disagree' satisfies Kind })
  }
})

// A recovery that somebody proposed for the vault, as all hospitals show it.
async function proposed() {
  const n = await named()
  const { net, file } = n
  const g = file.guardians ?? assert.fail()
  const guardians = {
    patient: file.patient, owner: file.address, vault: file.vault, slot: g.slot, revision: BigInt(file.revision), generation: 1n, threshold: 2, guardians: [...g.guardians],
    commitments: g.commitments.map(bytes), u: bytes(g.u), uBar: bytes(g.u_bar), proof: bytes(g.proof), shares: cidText(cidOf(bytes(g.shares))), delay: 30n,
  }
  net.shows(Access.method.guardians, { patient: file.patient }, { guardians })
  const { guardians: shown } = await n.alice.gateways.query(Access.method.guardians, { patient: file.patient })
  const slot = await checkSlot(n.alice.gateways, n.alice.network, shown ?? assert.fail())
  const session = await newSession()
  const [account, expiry] = [net.doctor.address, 1_800_100_000n]
  const M = times(session.b, slot.U)
  const proposal = recoveryProposal(n.alice.network, slot, { account, expiry, requestKey: session.keyCID, B: session.B, M })
  const recovery = {
    number: 7n, patient: file.patient, account, former: file.address, inviter: 2n, way: RecoveryWay.GUARDIANS, needed: 2, delay: 30n, proposedAt: 1_800_000_000n, expiresAt: expiry,
    guardians: [...g.guardians], unlock: hex(unlockID(proposalHash(proposal))), generation: 1n, vault: file.vault, revision: BigInt(file.revision),
    requestKey: cidText(session.keyCID), b: encodePoint(session.B), m: encodePoint(M), proof: proveRequest(proposal, session.b),
  }
  const show = (fields: Partial<typeof recovery> = {}, status = RecoveryStatus.PROPOSED, by = '') =>
    net.shows(Access.method.recovery, { number: 7n }, { recovery: { ...recovery, ...fields }, status }, by)
  show()
  return { ...n, guardians, recovery, show }
}

function bytes(text: string): Bytes {
  return Uint8Array.from(base64.decode(text))
}

test('a guardian reviews a recovery at two hospitals that are not the inviter’s', async () => {
  const { alice } = await proposed()
  const r = await reviewRecovery(alice, 7n)
  assert.deepEqual([r.invitedBy, r.witnesses], ['north', ['clinic', 'er']])
})

test('a recovery that is not what its hash stands for is not approved', async () => {
  const n = await proposed()
  const { recovery } = n
  const other = encodePoint(times(randomScalar(), G))
  const changes: Partial<typeof recovery>[] = [
    { account: n.net.alice.address }, { expiresAt: recovery.expiresAt + 1n }, { requestKey: cidText(cidOf(randomBytes(9))) }, { b: other }, { m: other },
    { proof: recovery.proof.map((b, i) => (i === 5 ? b ^ 1 : b)) }, { unlock: recovery.unlock.replace(/^./, (c) => (c === '0' ? '1' : '0')) },
  ]
  for (const change of changes) {
    n.show(change)
    await assert.rejects(reviewRecovery(n.alice, 7n), { kind: 'proposal' satisfies Kind }, Object.keys(change).join())
  }
  n.show()
  await reviewRecovery(n.alice, 7n)
  for (const change of [{ proof: n.guardians.proof.map((b, i) => (i === 5 ? b ^ 1 : b)) }, { revision: 9n }, { slot: idText(randomBytes(16)) }, { owner: n.net.doctor.address }, { u: other }]) {
    n.net.shows(Access.method.guardians, { patient: n.file.patient }, { guardians: { ...n.guardians, ...change } })
    await assert.rejects(reviewRecovery(n.alice, 7n), { kind: 'proposal' satisfies Kind }, Object.keys(change).join())
  }
})

test('what guardians approve no officer does, and what hospitals approve no guardian', async () => {
  const n = await proposed()
  await assert.rejects(approveRecoveryForHospital(n.alice, await reviewRecovery(n.alice, 7n)), { kind: 'proposal' satisfies Kind })
  n.show({ way: RecoveryWay.HOSPITALS, unlock: '' })
  const shown = await reviewRecovery(n.alice, 7n)
  await assert.rejects(approveRecovery(n.alice, shown, await openVault(n.alice, n.file)), { kind: 'proposal' satisfies Kind })
  assert.deepEqual(n.net.recoveries, [])
  await approveRecoveryForHospital(n.alice, shown)
  assert.equal(n.net.recoveries.length, 1)
})

test('hospitals that show different recoveries are not believed, and one that has ended is not approved', async () => {
  const n = await proposed()
  for (const liar of ['clinic', 'er']) {
    n.show({ inviter: 4n }, RecoveryStatus.PROPOSED, liar)
    await assert.rejects(reviewRecovery(n.alice, 7n), { kind: 'disagree' satisfies Kind })
    n.show({}, RecoveryStatus.DELAYED, liar)
    await assert.rejects(reviewRecovery(n.alice, 7n), { kind: 'disagree' satisfies Kind })
    n.show()
  }
  n.show({}, RecoveryStatus.CANCELLED)
  await assert.rejects(reviewRecovery(n.alice, 7n), { kind: 'ended' satisfies Kind })
})
