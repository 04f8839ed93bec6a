import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Case, casesOf, counts, kindOf, written } from './given.js'
import { ownVectors, type Reproduce, rfcVectors, vectors, wycheproof } from './vectors.js'

const files: [string, Readonly<Record<string, Reproduce>>, Record<string, number>][] = [
  ['vectors.json', vectors, {
    lp: 4, h: 7, h32: 7, int_id_cid: 11, hash2group: 4, gen: 5, gbar: 5, ctx: 4, pc: 3, dc: 3, salt: 2, kek: 3, wrap: 2, own_open: 6,
    envelope: 4, encap: 3, seed: 3, request: 5, share: 6, combine: 10, rank: 2, capsule_open: 4, round: 3, deal_info: 4, pok: 3, pop: 2,
    slot_wallet: 2, slot_code: 3, slot_passkey: 2, slot_guardians: 2, vault: 4, adr36: 2, padme: 25, object_layout: 18,
    manifest_one_leaf: 7, manifest_index: 2, dag_root: 7, guardians: 2, dkg: 2, reshare: 1, e2e: 2,
  }],
  ['own.json', ownVectors, { nonce: 5, id_text: 11, emergency: 1, answer: 2, emergency_box: 2, shares_block: 2, share_capsule: 2, emergency_half: 2, pepper: 3, passkey_input: 2, object: 3 }],
  ['rfc.json', rfcVectors, { rfc9496_multiples: 1, rfc9496_invalid: 1, rfc9497_voprf: 3, hpke_base: 2 }],
  ['wycheproof.json', wycheproof, { wycheproof_gcm: 66, wycheproof_hkdf_sha256: 83, wycheproof_hkdf_sha512: 80 }],
]

for (const [file, reproduce, expected] of files) {
  const cases = casesOf(file)
  test(`${file} has the cases that this test counts on, and no other`, () => {
    assert.deepEqual(counts(cases), expected)
  })
  for (const c of cases) test(`${file} ${c.name}`, () => reproduces(c, reproduce))
}

async function reproduces(c: Case, reproduce: Readonly<Record<string, Reproduce>>): Promise<void> {
  const of = reproduce[kindOf(c)]
  assert.ok(of, `nothing reproduces ${c.name}`)
  assert.deepEqual(written(await of(c.given)), c.out)
}
