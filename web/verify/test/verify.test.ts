import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Refusal } from '#custody/refusal.js'
import type { Entry } from '../src/entry.js'
import { reportLines } from '../src/report.js'
import { parseTrustedBlock, parseWitnessKey, readGenesis, type Trust } from '../src/trust.js'
import { type Report, verify } from '../src/verify.js'
import { pieces } from './given.js'

const folder = '../../logproof/testdata'
const read = (name: string): Uint8Array => readFileSync(`${folder}/${name}`)
const trust: Trust = { from: readGenesis(read('genesis.json')), witnesses: [] }
const witness = parseWitnessKey(read('witness.pub').toString())

async function entriesOf(file: Uint8Array, against = trust): Promise<{ report: Report; entries: Entry[] }> {
  const entries: Entry[] = []
  return { report: await verify(pieces(file, 1000), against, (entry) => entries.push(entry)), entries }
}

async function refused(file: Uint8Array, why: RegExp, against = trust): Promise<void> {
  await assert.rejects(verify(pieces(file, 1000), against), (cause) => cause instanceof Refusal && why.test(cause.message))
}

const edited = (file: Uint8Array, change: (lines: string[]) => string[]): Uint8Array =>
  new TextEncoder().encode(change(new TextDecoder().decode(file).split('\n')).join('\n'))

for (const name of ['log', 'period', 'patient', 'selection', 'witnessed']) {
  test(`${name}: what is proven, against the genesis and against a block`, async () => {
    const { report, entries } = await entriesOf(read(`${name}.ndjson`))
    assert.equal(report.entries, BigInt(entries.length))
    assert.ok(entries.length > 0)
    const { block, hash } = report.tip
    const from = parseTrustedBlock(`${block.header.height}:${Buffer.from(hash).toString('hex')}`)
    const again = await entriesOf(read(`${name}.ndjson`), { from, witnesses: [] })
    assert.deepEqual(again, { report, entries })
    const other = { from: { height: from.height, hash: from.hash.map((byte) => byte ^ 1) }, witnesses: [] }
    await refused(read(`${name}.ndjson`), /^line 2: block \d+ has another hash/, other)
  })

  test(`${name}: a file in pieces of any size says the same`, async () => {
    const said = reportLines(await verify(pieces(read(`${name}.ndjson`), 1 << 20), trust), trust)
    for (const size of [1, 7, 4096]) assert.deepEqual(reportLines(await verify(pieces(read(`${name}.ndjson`), size), trust), trust), said)
  })
}

test('a file of which one bit was changed names the line', async () => {
  const file = Uint8Array.from(read('period.ndjson'))
  const at = new TextDecoder().decode(file).indexOf('"proof"') + 40
  file[at] = (file[at] ?? 0) ^ 1
  await refused(file, /^line 3: /)
})

test('a file that was cut short, or goes on, is refused', async () => {
  const file = read('patient.ndjson')
  await refused(file.subarray(0, -1), /cut short/)
  await refused(edited(file, (lines) => lines.slice(0, -2).concat('')), /no end/)
  await refused(edited(file, (lines) => lines.concat('')), /^line 21: the file goes on/)
  await refused(edited(file, (lines) => lines.toSpliced(7, 1)), /^line 19: the file has 15 entries about the patient, the state says 16/)
})

test('a witness whose key is given must have signed', async () => {
  const { report } = await entriesOf(read('witnessed.ndjson'), { ...trust, witnesses: [witness] })
  assert.equal(report.seen[0]?.cosignatures[0]?.witness, witness)
  await refused(read('log.ndjson'), /^line 40: the witness auditor.example has not signed/, { ...trust, witnesses: [witness] })
})

test('a genesis of other hospitals is refused', async () => {
  const genesis = edited(read('genesis.json'), ([...lines]) => [lines.join('\n').replace(/"consensus_key": "g8/, '"consensus_key": "g9')])
  await refused(read('log.ndjson'), /^line 2: block 214 is signed by others/, { from: readGenesis(genesis), witnesses: [] })
})
