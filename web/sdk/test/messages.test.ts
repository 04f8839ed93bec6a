import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fromBinary, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { serializeSignDoc, Secp256k1Wallet } from '@cosmjs/amino'
import { Registry } from '@cosmjs/proto-signing'
import { AminoTypes } from '@cosmjs/stargate'
import { cosmJSConverters, cosmJSTypes } from '../src/message/cosmjs.js'
import { checkSigned, documentBytes, signDocument } from '../src/message/document.js'
import { directOnly, personalMessages } from '../src/message/personal.js'
import { signedTransaction, signMode, transactionParts } from '../src/message/transaction.js'
import { LocalSigner } from '../src/wallet/local.js'

interface Golden {
  readonly name: string
  readonly case: string
  readonly value: JsonValue
  readonly proto: string
  readonly amino?: string
  readonly tx: string
}

// Written by TestSignedMessages of this folder.
const goldens: Golden[] = JSON.parse(readFileSync('../../testdata/messages/signed.json', 'utf8'))
const account = { chainID: 'phrd-golden-1', number: 2n ** 63n + 7n, sequence: 42n }
const gas = 1_500_000n
const signer = new LocalSigner(Uint8Array.from([...new Array<number>(31).fill(0), 1]))

test('the messages that people sign are those of the golden documents', () => {
  const names = [...new Set(goldens.map((g) => g.name))]
  assert.deepEqual(personalMessages.map((m) => m.typeName).sort(), names)
  assert.deepEqual(goldens.map((g) => g.case), names.flatMap(() => ['zero', 'full']))
  assert.deepEqual(Object.keys(cosmJSConverters()).sort(), names.filter((n) => !directOnly.includes(n)).map((n) => `/${n}`))
})

for (const golden of goldens) {
  test(`${golden.name}, ${golden.case}`, async () => {
    const schema = personalMessages.find((m) => m.typeName === golden.name)
    assert.ok(schema)
    const bytes = Uint8Array.from(Buffer.from(golden.proto, 'hex'))
    const message = fromBinary(schema, bytes)
    assert.deepEqual(toBinary(schema, message), bytes)
    if (!directOnly.includes(golden.name)) {
      assert.deepEqual(fromJson(schema, golden.value), message)
    }
    const registered = new Registry(cosmJSTypes() as never).encode({ typeUrl: `/${golden.name}`, value: message })
    assert.deepEqual(Uint8Array.from(registered), bytes)

    if (golden.amino === undefined) {
      assert.ok(directOnly.includes(golden.name))
      const parts = transactionParts(account, gas, signer.publicKey, signMode.direct, schema, message)
      const signature = await signer.signDirect(account.chainID, account.number, parts)
      assert.equal(Buffer.from(signedTransaction(parts, signature)).toString('hex'), golden.tx)
      return
    }
    const document = signDocument(account, gas, schema, message)
    assert.equal(new TextDecoder().decode(documentBytes(document)), golden.amino)
    const types = new AminoTypes(cosmJSConverters() as never)
    const byCosmJS = { ...document, fee: { amount: [], gas: document.fee.gas }, msgs: [types.toAmino({ typeUrl: `/${golden.name}`, value: message })] }
    assert.equal(new TextDecoder().decode(serializeSignDoc(byCosmJS)), golden.amino)
    assert.deepEqual(types.fromAmino(byCosmJS.msgs[0] ?? assert.fail()).value, message)

    const parts = transactionParts(account, gas, signer.publicKey, signMode.amino, schema, message)
    const { signature } = await signer.signAmino(document)
    assert.equal(Buffer.from(signedTransaction(parts, signature)).toString('hex'), golden.tx)
  })
}

test("the local signer is CosmJS's", async () => {
  const other = await Secp256k1Wallet.fromKey(Uint8Array.from([...new Array<number>(31).fill(0), 1]), 'phrd')
  assert.equal((await other.getAccounts())[0]?.address, signer.address)
})

test('a wallet may change the fee of a document, and nothing else', () => {
  const given = JSON.parse(goldens.find((g) => g.name.endsWith('MsgApproveUnlock') && g.case === 'full')?.amino ?? '')
  checkSigned(given, { ...given, fee: { amount: [{ denom: 'uphrd', amount: '1' }], gas: '7' } })
  for (const changed of [
    { ...given, memo: 'x' }, { ...given, sequence: '43' }, { ...given, chain_id: 'other-1' }, { ...given, msgs: [] },
    { ...given, msgs: [{ ...given.msgs[0], value: { ...given.msgs[0].value, hospital: 'elsewhere' } }] }, { ...given, timeout_height: '1' },
  ]) {
    assert.throws(() => checkSigned(given, changed), { kind: 'document' })
  }
})
