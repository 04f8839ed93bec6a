import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBytes } from '#custody/encoding.js'
import { openVault, openVaultByCode, openVaultByWallet, parseInvitation, parseRef, preparePatient, refText, type Keplr, keplrSigner, LocalSigner } from '../src/index.js'
import { base64 } from '@scure/base'
import { FakeNetwork } from './fake.js'
import { vaultBlock } from '../src/vault/file.js'
import { parseChest } from '#custody/chest.js'

test('a vault opens by what the device keeps, by the code and by the wallet, and by nothing else', async () => {
  const net = await FakeNetwork.make()
  const alice = await net.client(net.alice, 'clinic')
  const { file, code, walletSlot } = await preparePatient(alice)
  assert.ok(walletSlot)
  assert.equal(code.split(' ').length, 24)
  await openVault(alice, file)
  await openVaultByCode(file, `  ${code.toUpperCase().replaceAll(' ', '\n ')} `)
  await openVaultByWallet(alice, file)

  const other = await preparePatient(await net.client(net.doctor, 'clinic'))
  await assert.rejects(openVaultByCode(file, other.code), { kind: 'vault' })
  await assert.rejects(openVaultByCode(file, code.split(' ').slice(1).join(' ')), { kind: 'vault' })
  await assert.rejects(openVaultByWallet(alice, { ...file, slots: other.file.slots }), { kind: 'vault' })
  await assert.rejects(openVault(await net.client(net.alice, 'clinic'), file), { kind: 'vault' })
  await assert.rejects(openVaultByCode({ ...file, revision: 2 }, code), { kind: 'vault' })
  await assert.rejects(openVaultByCode({ ...file, key: other.file.key }, code), { kind: 'vault' })
  await assert.rejects(openVaultByCode({ ...file, blob: base64.encode(base64.decode(file.blob).map((b, i) => (i === 40 ? b ^ 1 : b))) }, code), { kind: 'vault' })
})

test('the block of a vault is its chest', async () => {
  const net = await FakeNetwork.make()
  const { file } = await preparePatient(await net.client(net.alice, 'clinic'))
  const chest = parseChest(vaultBlock(file).block)
  assert.equal(base64.encode(chest.vault), file.blob)
  assert.equal(chest.slots.length, 2)
})

test('a wallet that signs differently each time gets no slot, and one that signs something else is refused', async () => {
  const net = await FakeNetwork.make()
  let signed = 0
  const changing = new LocalSigner(randomBytes(32))
  const alice = await net.client(changing, 'clinic')
  const honest = changing.signText.bind(changing)
  // secp256k1 signatures with an r of another nonce are as good; the SDK's own wallet never makes them, so one is mimicked by its text.
  changing.signText = (text) => honest(signed++ === 0 ? text : `${text} again`)
  assert.equal((await preparePatient(alice)).walletSlot, false)
  changing.signText = (text) => honest(`${text}!`)
  await assert.rejects(preparePatient(await net.client(changing, 'clinic')), { kind: 'vault' })
})

test('texts that are no invitation are refused', () => {
  for (const text of ['', 'phrd1', 'phrd1AAAA', 'phrd2AAAAAAAA', `phrd1${'A'.repeat(5000)}`, 'phrd1!!!!']) {
    assert.throws(() => parseInvitation(text), { kind: 'invitation' }, text)
  }
})

test('refs are those of versions', () => {
  const text = refText({ record: randomBytes(16), version: 7n })
  assert.equal(refText(parseRef(text)), text)
  for (const bad of ['', text.slice(1), `${text}/1`, text.replace('/7', ''), text.replace('/7', '/0'), text.replace('/7', '/07')]) {
    assert.throws(() => parseRef(bad), { kind: 'ref' }, bad)
  }
})

test('a wallet extension signs as the local one, and may not change a transaction', async () => {
  const local = new LocalSigner(randomBytes(32))
  const sig = (bytes: Uint8Array) => ({ signature: base64.encode(bytes) })
  const keplr: Keplr = {
    getKey: async () => ({ bech32Address: local.address, pubKey: local.publicKey }),
    signAmino: async (_chain, _signer, document) => {
      const { signed, signature } = await local.signAmino(document)
      return { signed, signature: sig(signature) }
    },
    signDirect: async (_chain, _signer, d) => ({ signed: { ...d, accountNumber: -1n }, signature: sig(await local.signDirect(d.chainId, d.accountNumber, { body: Uint8Array.from(d.bodyBytes), auth: Uint8Array.from(d.authInfoBytes) })) }),
    signArbitrary: async (_chain, _signer, data) => sig(await local.signText(data)),
  }
  const signer = await keplrSigner(keplr, 'c-1')
  const parts = { body: randomBytes(20), auth: randomBytes(20) }
  assert.deepEqual(await signer.signDirect('c-1', 2n ** 63n, parts), await local.signDirect('c-1', 2n ** 63n, parts))
  assert.deepEqual(await signer.signText('x'), await local.signText('x'))
  const changing: Keplr = { ...keplr, signDirect: async (...given) => ({ ...(await keplr.signDirect(...given)), signed: { bodyBytes: randomBytes(20), authInfoBytes: parts.auth } }) }
  await assert.rejects((await keplrSigner(changing, 'c-1')).signDirect('c-1', 1n, parts), { kind: 'document' })
  const saying = (message: string): Keplr => ({ ...keplr, signArbitrary: () => Promise.reject(new Error(message)) })
  await assert.rejects((await keplrSigner(saying('Request rejected'), 'c-1')).signText('x'), { kind: 'rejected' })
  await assert.rejects((await keplrSigner(saying('Signer mismatched'), 'c-1')).signText('x'), { message: 'Signer mismatched' })
  await assert.rejects(keplrSigner({ ...keplr, getKey: async () => ({ bech32Address: local.address, pubKey: randomBytes(33) }) }, 'c-1'), { kind: 'login' })
})
