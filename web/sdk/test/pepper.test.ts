import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBytes } from '#custody/encoding.js'
import { idText } from '#custody/id.js'
import {
  admitPepper, type Client, collectPepper, collectPepperByPasskey, collectPepperInPerson, deletePepper, depositPepper, hasPepper, keptPepper, openVault, openVaultByCode, openVaultByPasskey,
  openVaultByWallet, prepareVault, preparePasskey, preparePatient, type PreparedVault, type VaultFile, withCode,
} from '../src/index.js'
import { Query as Access } from '../src/generated/phrd/access/v1/query_pb.js'
import { Query as Audit } from '../src/generated/phrd/audit/v1/query_pb.js'
import { FakeNetwork } from './fake.js'
import { Keeper } from './keeper.js'

interface Left {
  readonly net: FakeNetwork
  readonly alice: Client
  readonly made: PreparedVault
  readonly keeper: Keeper
  /** The file as the network shows it. */
  readonly shown: VaultFile
}

/** left is a vault whose pepper the clinic keeps. */
async function left(): Promise<Left> {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic')
  const keeper = new Keeper(alice.network, 'clinic.test:443', net.alice.address)
  net.keepers.set('clinic', keeper)
  const made = await preparePatient(alice)
  net.shows(Access.method.guardians, { patient: made.file.patient }, {})
  net.shows(Audit.method.entries, { patient: made.file.patient, kinds: ['pepper_deposited'], limit: 200 }, { entries: [{ target: '1', kind: 'pepper_deposited' }] })
  await depositPepper(alice, made.file)
  return { net, alice, made, keeper, shown: asShown(made.file) }
}

function asShown(file: VaultFile): VaultFile {
  return { ...file, slots: file.slots.map(({ collect: _, ...slot }) => slot) }
}

test('the pepper comes back with the code, and then the wallet opens the vault', async () => {
  const { net, made, shown } = await left()
  const other = await preparePatient(await net.client(net.doctor, 'clinic'))
  // One device asks where it was left, and one at a hospital that learns it from the log.
  for (const at of ['clinic', 'north']) {
    const phone = await net.client(net.alice, at)
    assert.equal((await keptPepper(phone, shown))?.hospital, 1n)
    assert.equal(await hasPepper(phone, shown), false)
    await assert.rejects(openVaultByWallet(phone, shown), { kind: 'vault' })
    await assert.rejects(collectPepper(phone, shown, other.code), { kind: 'vault' })
    await assert.rejects(collectPepper(phone, shown, 'no words'), { kind: 'vault' })
    await collectPepper(phone, shown, made.code)
    assert.equal(await hasPepper(phone, shown), true)
    await openVaultByWallet(phone, shown)
    await assert.rejects(openVault(phone, shown), { kind: 'vault' })
  }
})

test('a code that was not left with the hospital collects nothing', async () => {
  const { net, made, keeper, shown } = await left()
  if (keeper.kept === undefined) assert.fail('nothing was left')
  const [key = ''] = keeper.kept.keys
  const [way, slot] = key.split(':')
  keeper.kept = { ...keeper.kept, keys: [`${way}:${slot}:${'00'.repeat(32)}`] }
  const phone = await net.client(net.alice, 'clinic')
  await assert.rejects(collectPepper(phone, shown, made.code))
  keeper.kept = { ...keeper.kept, keys: [key] }
  await collectPepper(phone, shown, made.code)
})

test('the word of the staff gives it, and what was deleted is gone', async () => {
  const { net, keeper, shown, alice } = await left()
  const phone = await net.client(net.alice, 'clinic')
  await assert.rejects(collectPepperInPerson(phone, shown, 'abcd'), { kind: 'not found' })
  keeper.word = 'abcd'
  await collectPepperInPerson(phone, shown, 'abcd')
  await openVaultByWallet(phone, shown)
  await deletePepper(alice, shown)
  assert.equal(await keptPepper(phone, shown), undefined)
  await assert.rejects(deletePepper(alice, shown), { kind: 'not found' })
})

test('the staff of the hospital that keeps it admits one, and of no other', async () => {
  const { net, keeper, shown } = await left()
  keeper.patient = shown.patient
  net.keepers.set('north', new Keeper((await net.client(net.alice, 'clinic')).network, 'north.test:443', net.alice.address))
  net.who = { role: 'clerk', hospital: 2 }
  await assert.rejects(admitPepper(await net.client(net.doctor, 'clinic'), shown.patient), { kind: 'not found' })
  net.who = { role: 'clerk', hospital: 1 }
  // The word is that of the own hospital, whichever gateway was named first.
  const clerk = await net.client(net.doctor, 'north')
  await assert.rejects(admitPepper(clerk, idText(randomBytes(16))), { kind: 'not found' })
  const { word, expires } = await admitPepper(clerk, shown.patient)
  assert.equal(expires, 1_800_000_900n)
  const phone = await net.client(net.alice, 'clinic')
  await assert.rejects(collectPepperInPerson(phone, shown, 'another'), { kind: 'not found' })
  await collectPepperInPerson(phone, shown, word)
  await openVaultByWallet(phone, shown)
})

test('a passkey opens a further revision of the vault, beside all that opened it before, and collects the pepper', async () => {
  const { net, alice, made, shown } = await left()
  const prf = randomBytes(32)
  const next = await preparePasskey(alice, shown, await openVault(alice, made.file), prf)
  assert.deepEqual([next.revision, next.slots.map((slot) => slot.kind)], [2, ['wallet', 'code', 'passkey']])
  await openVaultByPasskey(next, prf)
  await openVaultByCode(next, made.code)
  await openVaultByWallet(alice, next)
  await assert.rejects(openVaultByPasskey(next, randomBytes(32)), { kind: 'vault' })
  await assert.rejects(openVaultByPasskey(shown, prf), { kind: 'vault' })
  await depositPepper(alice, next)
  const phone = await net.client(net.alice, 'clinic')
  await assert.rejects(collectPepperByPasskey(phone, asShown(next), randomBytes(32)), { kind: 'vault' })
  await collectPepperByPasskey(phone, asShown(next), prf)
  await openVaultByWallet(phone, asShown(next))
  // A vault that is written anew has no passkey.
  const after = await prepareVault(alice, next, await openVaultByPasskey(next, prf), { guardians: 'none' })
  await assert.rejects(openVaultByPasskey(after.file, prf), { kind: 'vault' })
})

test('a file that the network showed says who may collect only with the words', async () => {
  const { alice, made, shown, net } = await left()
  await assert.rejects(depositPepper(alice, shown), { kind: 'vault' })
  await depositPepper(alice, await withCode(shown, made.code))
  await assert.rejects(withCode(shown, 'no words'), { kind: 'vault' })
  await assert.rejects(depositPepper(await net.client(net.alice, 'clinic'), made.file), { kind: 'vault' })
})
