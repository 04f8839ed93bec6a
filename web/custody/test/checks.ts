import assert from 'node:assert/strict'
import { encrypt } from '../src/aead.js'
import { openCapsule } from '../src/capsule.js'
import { parseCID, parseCIDText, parseObjectCID, parseRawCID } from '../src/cid.js'
import { parseCodeWords } from '../src/code.js'
import { combine, combineVerified } from '../src/combine.js'
import * as commit from '../src/commit.js'
import * as deal from '../src/deal.js'
import * as encap from '../src/encap.js'
import { ascii, type Bytes } from '../src/encoding.js'
import { parseEnvelope } from '../src/envelope.js'
import { unframe } from '../src/frame.js'
import { contextHash, generationHash } from '../src/generation.js'
import * as guardians from '../src/guardians.js'
import * as hybrid from '../src/hybrid.js'
import { lock, parseLock } from '../src/kinds.js'
import { parseManifest } from '../src/manifest.js'
import * as object from '../src/object.js'
import { openOwn } from '../src/own.js'
import { parseEncapsulation, parsePoint, type Point } from '../src/point.js'
import * as possession from '../src/possession.js'
import { Refusal } from '../src/refusal.js'
import * as request from '../src/request.js'
import { roundHash } from '../src/round.js'
import { parseScalar, parseSecretScalar } from '../src/scalar.js'
import * as shares from '../src/share.js'
import * as slots from '../src/slot.js'
import * as sums from '../src/sums.js'
import * as vaults from '../src/vault.js'
import { signDocument } from '../src/wallet.js'
import * as form from './forms.js'
import { casesOf, Given, kindOf } from './given.js'

export type Check = (g: Given) => unknown

/** What refuses the cases of each check. The same function accepts the vectors of `twin`, so that none refuses everything. */
export interface Checked {
  readonly count: number
  readonly check: Check
  readonly twins: () => Promise<Given[]> | Given[]
}

const positive = casesOf('vectors.json')

// twins are the given and the results of a construction's vectors together: what a checker gets to see.
function twins(kind: string, where: (g: Given) => boolean = () => true): () => Given[] {
  return () => {
    const found = positive.filter((c) => kindOf(c) === kind).map((c) => c.given.with(c.out)).filter(where)
    assert.ok(found.length > 0, `no twin of ${kind}`)
    return found
  }
}

const literal = (...given: Record<string, unknown>[]) => () => given.map((values) => new Given(values))

async function slot(g: Given, kind: bigint, ikm: Bytes): Promise<void> {
  const head = form.slotHead(g)
  if (head.kind !== kind) throw new Refusal('another kind of slot')
  await slots.sealSlot(head, g.bytes('slot_salt'), ikm, g.bytes('kv'))
}

export const checks: Readonly<Record<string, Checked>> = {
  point: { count: 10, check: (g) => parsePoint(g.bytes('point')), twins: twins('hash2group') },
  u: { count: 2, check: (g) => parseEncapsulation(g.bytes('u')), twins: twins('encap') },
  scalar: { count: 4, check: (g) => parseScalar(g.bytes('scalar')), twins: literal({ scalar: '00'.repeat(32) }) },
  secret_scalar: { count: 1, check: (g) => parseSecretScalar(g.bytes('scalar')), twins: literal({ scalar: '01' + '00'.repeat(31) }) },
  string: { count: 3, check: (g) => ascii(Buffer.from(g.bytes('hex')).toString('latin1')), twins: literal({ hex: '7e2041' }) },
  cid: { count: 10, check: (g) => parseCID(g.bytes('cid')), twins: twins('int_id_cid', (g) => g.has('cid')) },
  raw_cid: { count: 1, check: (g) => parseRawCID(g.bytes('cid')), twins: twins('int_id_cid', (g) => g.has('cid') && g.text('codec') === 'raw') },
  object_cid: { count: 1, check: (g) => parseObjectCID(g.bytes('cid')), twins: twins('int_id_cid', (g) => g.has('cid') && g.text('codec') !== 'raw') },
  cid_text: {
    count: 6,
    check: (g) => parseCIDText(g.text('text')),
    twins: () => twins('envelope')().map((g) => new Given({ text: g.text('envelope_cid_text') })),
  },
  gen: { count: 5, check: (g) => generationHash(form.generation(g)), twins: twins('gen') },
  ctx: { count: 11, check: (g) => contextHash(form.context(g)), twins: twins('ctx') },
  xwing_key: {
    count: 8,
    check: (g) => hybrid.parsePublicKey(g.bytes('recipient_key')),
    twins: () => twins('seed')().map((g) => new Given({ recipient_key: g.text('rk_pub') })),
  },
  encap: {
    count: 25,
    check: (g) => {
      const v = { ...form.lockedVersion(g), U: parseEncapsulation(g.bytes('u')), UBar: parsePoint(g.bytes('u_bar')) }
      encap.verifyEncapsulation(encap.encapLabel(v), v.gen, v, g.bytes('proof'))
    },
    twins: twins('encap'),
  },
  request: {
    count: 23,
    check: (g) => {
      const M = g.allBytes('m').map(parsePoint)
      const versions = g.all('versions').map(form.proposedVersion).map((v, i) => ({ ...v, M: M[i] ?? missing() }))
      request.verifyRequest(form.proposal(g, versions, parseEncapsulation(g.bytes('b_pub'))), g.bytes('proof'))
    },
    twins: twins('request'),
  },
  share: { count: 14, check: (g) => shares.verifyShare(form.release(g), form.share(g), parsePoint(g.bytes('x_i_pub'))), twins: twins('share') },
  combine: {
    count: 9,
    check: (g) => {
      const b = parseSecretScalar(g.bytes('b'))
      const given = g.all('shares').map(form.share)
      if (g.has('m')) return combine(b, form.release(g), form.committees(g), given)
      return combineVerified(b, given[0]?.D.length ?? 0, () => g.number('threshold'), given)
    },
    twins: () => positive.filter((c) => kindOf(c) === 'combine').map((c) => c.given),
  },
  capsule_open: {
    count: 11,
    check: (g) => {
      const locked = g.all('versions').filter((v) => parseLock(v.number('lock')) === lock.both)
      const versions = locked.map((v) => ({ record: v.bytes('record_id'), version: v.number('version') }))
      return openCapsule(g.bytes('net'), g.bytes('unlock_id'), g.bytes('rk_seed'), versions, g.bytes('capsule'))
    },
    twins: twins('capsule_open'),
  },
  own_open: {
    count: 11,
    check: (g) => openOwn(g.bytes('ctx'), parseEncapsulation(g.bytes('u')), form.recipient(g), g.bytes('recipient_seed'), g.bytes('own_ct')),
    twins: twins('own_open'),
  },
  unlock_dek: {
    count: 9,
    check: (g) => {
      const p = g.bytes('p')
      const wrapped = { c: g.bytes('c'), wrap: g.bytes('wrap'), dc: g.bytes('dc'), record: g.bytes('record_id'), version: g.number('version') }
      return commit.unwrap(parseLock(g.number('lock')), p.length === 0 ? undefined : p, parsePoint(g.bytes('k')), g.bytes('kek_salt'), wrapped)
    },
    twins: twins('e2e', (g) => g.number('lock') === 1n),
  },
  p_check: {
    count: 3,
    check: (g) => commit.checkOwnerHalf(g.bytes('ctx'), parseEncapsulation(g.bytes('u')), g.bytes('p'), g.bytes('pc')),
    twins: twins('pc', (g) => g.number('lock') === 1n),
  },
  envelope: { count: 38, check: (g) => parseEnvelope(g.bytes('envelope')), twins: twins('envelope') },
  guardians: {
    count: 6,
    check: (g) => {
      const [U, UBar, gen] = [parseEncapsulation(g.bytes('u_g')), parsePoint(g.bytes('u_bar_g')), g.bytes('gen_3')]
      const ctx = guardians.guardianContext(form.guardianSlot(g), gen)
      const label = guardians.guardianLabel(ctx, U, UBar, parsePoint(g.bytes('a_0_pub')), g.bytes('signer'))
      encap.verifyEncapsulation(label, gen, { U, UBar }, g.bytes('proof'))
    },
    twins: () => twins('guardians')().map((g) => g.with({ a_0_pub: g.array('commitments')[0] })),
  },
  subshare: {
    count: 8,
    check: (g) => deal.checkSubShare(form.commitments(g), g.number('receiver'), parseSecretScalar(g.bytes('sub_share'))),
    twins: () => twins('deal_info', (g) => g.has('sub_share'))().map((g) => g.with({ threshold: g.array('commitments').length })),
  },
  pok: {
    count: 6,
    check: (g) => {
      const commitments = form.commitments(g)
      const label = possession.knowledgeLabel(g.bytes('rho'), g.number('dealer'), commitments)
      possession.verifyShown('pok', label, commitments[0] ?? missing(), { image: parsePoint(g.bytes('a_0_q')), proof: g.bytes('proof') })
    },
    twins: () => twins('pok')().map((g) => g.with({ threshold: g.array('commitments').length })),
  },
  pop: {
    count: 4,
    check: (g) => {
      const X = parsePoint(g.bytes('x_i_pub'))
      const label = possession.possessionLabel(g.bytes('rho'), g.number('index'), X)
      possession.verifyShown('pop', label, X, { image: parsePoint(g.bytes('x_i_q')), proof: g.bytes('proof') })
    },
    twins: twins('pop'),
  },
  deal_open: {
    count: 5,
    check: (g) => {
      const info = deal.dealInfo(g.bytes('rho'), g.number('dealer'), g.number('receiver'), form.commitments(g))
      return deal.openSubShare(info, g.bytes('round_key_seed'), g.bytes('deal_ct'))
    },
    twins: twins('deal_info', (g) => g.has('deal_ct')),
  },
  reshare: { count: 6, check: receiveReshare, twins: () => twins('reshare')().map(asReceived) },
  round: { count: 9, check: (g) => roundHash(form.round(g)), twins: twins('round') },
  slot_wallet: { count: 8, check: (g) => slot(g, 1n, slots.walletSecret(g.bytes('signature_rs'), g.bytes('pepper'))), twins: twins('slot_wallet') },
  slot_code: { count: 4, check: (g) => slot(g, 2n, parseCodeWords(g.text('words'))), twins: twins('slot_code') },
  slot_passkey: { count: 1, check: (g) => slot(g, 3n, slots.passkeySecret(g.bytes('prf'))), twins: twins('slot_passkey') },
  slot_guardians: {
    count: 3,
    check: (g) => slot(g, 4n, slots.guardiansSecret(g.bytes('guardians_secret'), parsePoint(g.bytes('k_g')))),
    twins: twins('slot_guardians'),
  },
  slot_open: { count: 8, check: (g) => slots.openSlot(form.slotHead(g), g.bytes('ikm'), g.bytes('slot')), twins: twins('slot_wallet') },
  adr36: { count: 4, check: (g) => signDocument(form.slotText(g)), twins: twins('adr36') },
  vault_open: {
    count: 15,
    check: (g) => vaults.openVault(form.vaultHead(g, g.number('newest_epoch')), g.bytes('kv'), g.bytes('vault_blob')),
    twins: vaultTwins,
  },
  frame: { count: 6, check: (g) => unframe(g.bytes('plain')), twins: literal({ plain: '00'.repeat(4080) }) },
  manifest: { count: 17, check: (g) => parseManifest(g.bytes('protobuf')), twins: twins('manifest_one_leaf', (g) => g.has('protobuf')) },
  object: {
    count: 18,
    check: async (g) => {
      const blocks = await Promise.all(g.array('blocks').map(blockOf))
      return object.openObject(g.number('size'), g.all('entries').map(form.entry), blocks, g.bytes('id_key'))
    },
    twins: () => {
      const [, , reordered] = casesOf('negative.json').filter((c) => kindOf(c) === 'object')
      return reordered === undefined ? missing() : [reordered.given.with({ blocks: reordered.given.array('blocks').toReversed() })]
    },
  },
}

// One receiver: it checks the deals, sums them, and joins its sub-shares to its new share.
function receiveReshare(g: Given): unknown {
  const [index, threshold] = [g.number('index'), g.number('t_new')]
  const old = new Map<bigint, Point>(g.all('old_x_i_pub').map((h) => [h.number('index'), parsePoint(h.bytes('x_i_pub'))]))
  const dealings = g.all('deals').map((d) => ({ dealer: d.number('dealer'), commitments: deal.parseCommitments(threshold, d.allBytes('commitments')) }))
  const received = new Map(g.all('deals').map((d) => [d.number('dealer'), parseSecretScalar(d.bytes('sub_share'))]))
  for (const dealing of dealings) deal.checkSubShare(dealing.commitments, index, received.get(dealing.dealer) ?? missing())
  const result = sums.sumReshare(parsePoint(g.bytes('x_pub')), g.number('t_old'), threshold, [index], old, dealings)
  return sums.shareOf(result, result.dealers.map((dealer) => received.get(dealer) ?? missing()))
}

function asReceived(g: Given): Given {
  const receiver = 3
  return g.with({
    index: g.array('receivers')[receiver],
    old_x_i_pub: g.numbers('dealers').map((index, i) => ({ index: Number(index), x_i_pub: lists(g, 'commitments', i)[0] })),
    deals: g.numbers('dealers').map((dealer, i) => ({
      dealer: Number(dealer),
      commitments: lists(g, 'commitments', i),
      sub_share: lists(g, 'sub_shares', i)[receiver],
    })),
  })
}

function lists(g: Given, name: string, i: number): unknown[] {
  const value = g.array(name)[i]
  return Array.isArray(value) ? (value as unknown[]) : missing()
}

async function vaultTwins(): Promise<Given[]> {
  return Promise.all(
    twins('vault')().map(async (g) => {
      const epochs = g.all('epochs').map((e) => ({ epoch: e.number('epoch'), seed: e.bytes('seed') }))
      const newest = epochs.at(-1)?.epoch ?? missing()
      const blob = await vaults.sealVault(form.vaultHead(g, newest), g.bytes('kv'), g.bytes('vault_nonce'), epochs)
      return g.with({ newest_epoch: Number(newest), vault_blob: Buffer.from(blob).toString('hex') })
    }),
  )
}

// A block is given whole, or as a chunk of a file, sealed and then changed.
export async function blockOf(value: unknown): Promise<Bytes> {
  if (typeof value === 'string') return new Given({ value }).bytes('value')
  const g = new Given(value)
  const file = g.stream('plain')
  const l = object.layout(BigInt(file.length))
  const [chunk, extra] = [Number(g.number('chunk')), g.has('extra_zeros') ? Number(g.number('extra_zeros')) : 0]
  const part = file.subarray(chunk * object.chunkSize, chunk * object.chunkSize + object.fileLength(l, chunk))
  const plaintext = new Uint8Array(object.leafLength(l, chunk) - 16 + extra)
  plaintext.set(part)
  if (g.has('pad_nonzero')) plaintext[plaintext.length - 1] = 1
  const leaf = await encrypt(g.bytes('key'), plaintext, new Uint8Array())
  if (g.has('flip')) leaf[Number(g.number('flip'))] = (leaf[Number(g.number('flip'))] ?? 0) ^ 1
  return g.has('truncate') ? leaf.slice(0, leaf.length - Number(g.number('truncate'))) : leaf
}

export function missing(): never {
  throw new TypeError('a case lacks something')
}
