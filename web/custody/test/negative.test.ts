import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cidOf } from '../src/cid.js'
import { Refusal } from '../src/refusal.js'
import { blockOf, checks } from './checks.js'
import { type Case, casesOf, counts, kindOf } from './given.js'

const negative = casesOf('negative.json')

test('negative.json has the cases that this test counts on, and no other', () => {
  assert.deepEqual(counts(negative), Object.fromEntries(Object.entries(checks).map(([kind, checked]) => [kind, checked.count])))
})

for (const c of negative) test(`negative.json ${c.name} ${c.what}`, () => refuses(c))

for (const [kind, checked] of Object.entries(checks)) {
  test(`what refuses ${kind} accepts its vectors`, async () => {
    for (const g of await checked.twins()) await checked.check(g)
  })
}

async function refuses(c: Case): Promise<void> {
  const checked = checks[kindOf(c)]
  assert.ok(checked, `nothing checks ${c.name}`)
  await assert.rejects(async () => checked.check(c.given), Refusal)
}

test('the blocks of the cases that say "cid right" have the CIDs that the entries name', async () => {
  const named = negative.filter((c) => kindOf(c) === 'object' && /cid (renewed|and hmac right)|length|keys swapped|id key/.test(c.what))
  assert.ok(named.length >= 8)
  for (const c of named) {
    const blocks = await Promise.all(c.given.array('blocks').map(blockOf))
    assert.deepEqual(blocks.map((block) => cidOf(block)), c.given.all('entries').map((e) => e.bytes('cid')), c.what)
  }
})
