import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { toUtf8 } from '@cosmjs/encoding'
import { documentBytes, signDocument } from '../../sdk/src/message/document.js'
import { directOnly, personalMessages } from '../../sdk/src/message/personal.js'
import { mostBoxed, mostOwned } from '../../sdk/src/records/most.js'
import { ledgerScreens, mostBytes } from '../src/ledger.js'

interface Golden {
  readonly name: string
  readonly case: string
  readonly amino?: string
}

const goldens: Golden[] = JSON.parse(readFileSync('../../testdata/messages/signed.json', 'utf8'))
const account = { chainID: 'phrd-golden-1', number: 2n ** 64n - 1n, sequence: 2n ** 64n - 1n }

for (const { name, case: which, amino } of goldens) {
  if (amino === undefined) continue
  test(`a Ledger shows ${name}, ${which}, as it is`, () => {
    const screens = ledgerScreens(toUtf8(amino))
    const shown = Object.fromEntries(screens.map(({ title, pages }) => [title, pages.join('')]))
    const [message] = JSON.parse(amino).msgs
    assert.equal(shown['Type'], message.type)
    assert.equal(shown['Chain ID'], 'phrd-golden-1')
    assert.equal(screens.length, 6 + Object.keys(message.value).length, 'each field is an item')
  })
}

// Lists that a wallet signs, by their longest, and the bytes of each element.
const lists: Readonly<Record<string, readonly [count: number, bytes: number]>> = {
  'MsgApproveUnlock.records': [64, 34],
  'MsgGrantConsent.what': [64, 27],
  'MsgSetGuardians.guardians': [8, 27], 'MsgSetGuardians.commitments': [8, 32],
  'MsgEnableEmergency.hospitals': [16, 44],
  'MsgRegisterStaff.wards': [16, 0], 'MsgUpdateStaff.wards': [16, 0],
  'MsgRegisterPatient.vault_key': [19, 64], 'MsgRotateVault.vault_key': [19, 64], 'MsgRotateWallet.vault_key': [19, 64], 'MsgFinishRecovery.vault_key': [19, 64],
  'MsgPublishStaffVault.vault_key': [19, 64],
  'MsgEraseVersions.versions': [64, 34],
  'MsgConfirmRelock.versions': [64, 34], 'MsgConfirmRelock.u': [64, 32],
}
const sealed = { 'MsgReplaceEnvelopes.own_keys': [48, 32] } as const
const versions = (count: number) => ({
  'MsgReplaceEnvelopes.versions': [count, 34], 'MsgReplaceEnvelopes.u': [count, 32], 'MsgReplaceEnvelopes.envelopes': [count, 59], 'MsgReplaceEnvelopes.envelope_sizes': [count, 0],
}) as const
const boxes = (count: number) => ({
  'MsgReplaceEnvelopes.box_u': [count, 32], 'MsgReplaceEnvelopes.box_u_bar': [count, 32], 'MsgReplaceEnvelopes.box_hashes': [count, 32], 'MsgReplaceEnvelopes.box_proofs': [count, 64],
}) as const
// Programs with the command alone sign these: they carry proofs of many versions.
const byPrograms = [...directOnly, 'phrd.access.v1.MsgProposeUnlock', 'phrd.access.v1.MsgRequestEmergency', 'phrd.records.v1.MsgRelockVersions']

/** longest is a message whose fields all have 64 bytes, or are the largest numbers, and whose lists are as long as they get. */
function longest(schema: DescMessage, lists: Readonly<Record<string, readonly [number, number]>>): Message {
  const message = create(schema)
  const fields = reflect(schema, message)
  for (const field of schema.fields) {
    if (field.fieldKind === 'list') {
      const [count, bytes] = lists[`${schema.name}.${field.name}`] ?? (schema.name === 'MsgReplaceEnvelopes' ? [0, 0] : assert.fail(`how long is ${schema.name}.${field.name}?`))
      const list = fields.get(field)
      for (let i = 0; i < count; i++) list.add(largest(field, bytes))
    } else fields.set(field, largest(field, 64))
  }
  return message
}

function largest(field: DescField, bytes: number): unknown {
  if (field.fieldKind === 'enum') return field.enum.values.at(-1)?.number
  switch (field.scalar) {
    case ScalarType.STRING:
      return 'x'.repeat(bytes)
    case ScalarType.BYTES:
      return new Uint8Array(bytes).fill(255)
    case ScalarType.BOOL:
      return true
    case ScalarType.UINT32:
      return 2 ** 32 - 1
    case ScalarType.UINT64:
      return 2n ** 64n - 1n
    case ScalarType.INT64:
      return 2n ** 63n - 1n
    default:
      return assert.fail(`what is the largest ${field}?`)
  }
}

const bytesOf = (schema: DescMessage, of: Readonly<Record<string, readonly [number, number]>>) => documentBytes(signDocument(account, 20_000_000n, schema, longest(schema, of)))
const shown = personalMessages.filter(({ typeName }) => !byPrograms.includes(typeName))

for (const schema of shown) {
  test(`a Ledger takes the longest ${schema.name}`, () => {
    ledgerScreens(bytesOf(schema, { ...lists, ...sealed, ...versions(mostOwned) }))
  })
}

test('a Ledger takes as many emergency boxes as are given in one message, and not as many as there may be versions', () => {
  const schema = shown.find(({ name }) => name === 'MsgReplaceEnvelopes') ?? assert.fail()
  ledgerScreens(bytesOf(schema, { ...sealed, ...versions(mostBoxed), ...boxes(mostBoxed) }))
  assert.throws(() => ledgerScreens(bytesOf(schema, { ...sealed, ...versions(mostOwned), ...boxes(mostOwned) })), /it has \d+ bytes, and the device takes 16384/)
})

const approval = goldens.find(({ name, case: which }) => name.endsWith('MsgApproveUnlock') && which === 'full')?.amino ?? assert.fail()
const changed = (what: (document: any) => void) => {
  const document = JSON.parse(approval)
  what(document)
  return documentBytes(document)
}

const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`field ${i}`, '']))

test('what a Ledger does not take, or would not show as it is, is refused', () => {
  const refused = (bytes: Uint8Array, why: RegExp) => assert.throws(() => ledgerScreens(bytes), why)
  refused(toUtf8(approval.replace('{', '{ ')), /white space/)
  refused(toUtf8(approval.replace('"memo":"",', '').replace('{', '{"memo":"",')), /not sorted/)
  refused(toUtf8(approval.replace('"memo":""', '"memo":"","memo":""')), /not distinct/)
  refused(changed((d) => delete d.sequence), /no sequence/)
  refused(changed((d) => (d.chain_id = '1')), /such a chain/)
  refused(changed((d) => (d.memo = 'für Ärzte')), /characters/)
  refused(changed((d) => (d.memo = 'x'.repeat(mostBytes))), /bytes/)
  refused(changed((d) => (d.memo = 'x'.repeat(39 * 255 + 1))), /256 pages/)
  refused(changed((d) => (d.msgs[0].value.records = Array(600).fill('x'))), /parts/)
  refused(changed((d) => (d.msgs[0].value['x'.repeat(24)] = 'y')), /cuts msgs\/value\/x+ off/)
  refused(changed((d) => (d.msgs[0].type = 'x'.repeat(70))), /type/)
  refused(changed((d) => (d.msgs[0].value = fields(250))), /256 items/)
  refused(toUtf8('[]'), /no object/)
})

test('what is just within the limits is shown', () => {
  for (const within of [
    (d: any) => (d.chain_id = 'phrd-1'), (d: any) => (d.memo = 'for doctors'), (d: any) => (d.memo = 'x'.repeat(39 * 255)),
    (d: any) => (d.msgs[0].value.records = Array(550).fill('x')), (d: any) => (d.msgs[0].value['x'.repeat(23)] = 'y'), (d: any) => (d.msgs[0].type = 'x'.repeat(69)),
    (d: any) => (d.msgs[0].value = fields(249)),
  ]) ledgerScreens(changed(within))
})

test('the device shows what is approved, page by page', () => {
  const bytes = changed((d) => (d.msgs[0].value = { hospital: 'Hospital 02', purpose: 'TREAT', records: ['a/1', 'b/2'], unlock: 'f'.repeat(64), until: '2026-12-01T08:00:00Z' }))
  const screens = ledgerScreens(bytes)
  assert.deepEqual(screens.slice(6), [
    { title: 'msgs/value/hospital', pages: ['Hospital 02'] },
    { title: 'msgs/value/purpose', pages: ['TREAT'] },
    { title: 'msgs/value/records', pages: ['["a/1","b/2"]'] },
    { title: 'msgs/value/unlock', pages: ['f'.repeat(39), 'f'.repeat(25)] },
    { title: 'msgs/value/until', pages: ['2026-12-01T08:00:00Z'] },
  ])
  assert.deepEqual(screens.slice(3, 6).map(({ title, pages }) => [title, ...pages]), [['Fee', 'Empty'], ['Gas', '1500000'], ['Type', 'phrd/MsgApproveUnlock']])
})
