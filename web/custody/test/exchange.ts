import assert from 'node:assert/strict'
import * as capsule from '../src/capsule.js'
import { encodeChest, parseChest } from '../src/chest.js'
import { cidOf, cidText, parseObjectCID, parseRawCID, sameCID } from '../src/cid.js'
import { codeWords, parseCodeWords } from '../src/code.js'
import * as commit from '../src/commit.js'
import * as dag from '../src/dag.js'
import * as deal from '../src/deal.js'
import * as emergency from '../src/emergency.js'
import * as encap from '../src/encap.js'
import { type Bytes, concat, equal, sha256, u64 } from '../src/encoding.js'
import * as env from '../src/envelope.js'
import { contextHash, generationHash } from '../src/generation.js'
import * as guardians from '../src/guardians.js'
import { idText, parseIDText } from '../src/id.js'
import { lock, ownerID, ownerKind, parseLock } from '../src/kinds.js'
import * as manifests from '../src/manifest.js'
import * as object from '../src/object.js'
import * as own from '../src/own.js'
import { encodePoint, parsePoint, type Point } from '../src/point.js'
import { evaluate } from '../src/polynomial.js'
import * as possession from '../src/possession.js'
import { demand, refuse } from '../src/refusal.js'
import { roundHash } from '../src/round.js'
import { encodeScalar, parseSecretScalar } from '../src/scalar.js'
import { session } from '../src/session.js'
import * as sums from '../src/sums.js'
import * as vaults from '../src/vault.js'
import { hex } from '../src/wallet.js'
import { type Check, checks, missing } from './checks.js'
import * as form from './forms.js'
import { Given } from './given.js'
import { at, encodeAll, type Output, ownHalfFor, type Reproduce, vectors } from './vectors.js'

// What this implementation makes for the other one, and takes from it, beyond what the
// files of testdata/custody have. Names are theirs; all chance is given.

/** making are the constructions that the other side asks for. */
export const making: Readonly<Record<string, Reproduce>> = {
  ...vectors,
  lock: lockVersion,
  combined: async (g) => (vectors['combine'] ?? missing())(g.with({ b: hex(encodeScalar((await session(g.bytes('session_seed'))).b)) })),
  capsule: async (g) => {
    const halves = g.all('halves').map((h) => ({ record: h.bytes('record_id'), version: h.number('version'), p: h.bytes('p') }))
    const sealed = await capsule.sealCapsule(g.bytes('net'), g.bytes('unlock_id'), g.bytes('rk_pub'), halves, g.bytes('encap_randomness'))
    return { capsule: sealed }
  },
  deal: async (g) => {
    const polynomial = g.allBytes('polynomial').map(parseSecretScalar)
    const [rho, dealer, receiver] = [g.bytes('rho'), g.number('dealer'), g.number('receiver')]
    const commitments = deal.commit(polynomial)
    const label = possession.knowledgeLabel(rho, dealer, commitments)
    const shown = possession.show('pok', label, at(polynomial, 0), parseSecretScalar(g.bytes('nonce')))
    const info = deal.dealInfo(rho, dealer, receiver, commitments)
    const sealed = await deal.sealSubShare(info, g.bytes('round_key'), evaluate(polynomial, receiver), g.bytes('encap_randomness'))
    return { commitments: encodeAll(commitments), a_0_q: encodePoint(shown.image), proof: shown.proof, deal_ct: sealed }
  },
  sums: (g) => {
    const r = form.round(g)
    const receivers = r.receivers.map((to) => to.number)
    const dealings = g.all('deals').map((d) => ({ dealer: d.number('dealer'), commitments: deal.parseCommitments(r.threshold, d.allBytes('commitments')) }))
    const old = new Map(g.all('old_x_i_pub').map((h) => [h.number('index'), parsePoint(h.bytes('x_i_pub'))]))
    const result = r.oldThreshold === 0n
      ? sums.sumGeneration(r.threshold, receivers, dealings)
      : sums.sumReshare(parsePoint(g.bytes('x_pub')), r.oldThreshold, r.threshold, receivers, old, dealings)
    return { rho: roundHash(r), x_pub: encodePoint(result.X), x_i_pub: encodeAll(result.publicShares), dealers_used: result.dealers }
  },
  vault_blob: async (g) => {
    const epochs = g.all('epochs').map((e) => ({ epoch: e.number('epoch'), seed: e.bytes('seed') }))
    const newest = epochs.at(-1)?.epoch ?? missing()
    return { vault_blob: await vaults.sealVault(form.vaultHead(g, newest), g.bytes('kv'), g.bytes('vault_nonce'), epochs) }
  },
  object_seal: async (g) => {
    const chunks = await object.sealObject(g.bytes('plain'), g.allBytes('chunk_keys'))
    const m = form.manifest(g, chunks.map((chunk) => chunk.entry))
    const leaves = await manifests.sealManifest(m, g.bytes('dek'), () => missing())
    const blocks = [...chunks.map((chunk) => chunk.leaf), ...leaves.map((leaf) => leaf.leaf)]
    return {
      blocks,
      manifest_cid: cidOf(at(blocks, blocks.length - 1)),
      object_cid: dag.objectCID(blocks.map((block) => ({ cid: cidOf(block), size: BigInt(block.length) }))),
      padded_size: object.layout(m.size).total,
    }
  },
  words: (g) => ({
    id_text: idText(g.bytes('id')),
    cid_text: cidText(g.bytes('cid')),
    code_words: codeWords(g.bytes('code')),
  }),
}

/** taking are the checks that what the other side made must pass. Each gives what it opened. */
export const taking: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(Object.entries(checks).map(([kind, checked]) => [kind, checked.check])),
  id_text: (g) => void parseIDText(g.text('text')),
  code_words: (g) => void parseCodeWords(g.text('text')),
  chest: (g) => ({ chest: encodeChest(parseChest(g.bytes('chest'))) }),
  hospital: (g) => void ownerID(BigInt(ownerKind.hospital), g.bytes('id')),
  lock: openVersion,
  capsule: async (g) => ({ p: await checkOf('capsule_open')(g) }),
  deal: async (g) => {
    await checkOf('pok')(g)
    const info = deal.dealInfo(g.bytes('rho'), g.number('dealer'), g.number('receiver'), form.commitments(g))
    const subShare = await deal.openSubShare(info, g.bytes('round_key_seed'), g.bytes('deal_ct'))
    deal.checkSubShare(form.commitments(g), g.number('receiver'), subShare)
    return { sub_share: encodeScalar(subShare) }
  },
  slot: async (g) => ({ kv: await checkOf('slot_open')(g) }),
  vault: async (g) => ({ epochs: await checkOf('vault_open')(g) }),
  object: openWhole,
  guardian: async (g) => {
    await checkOf('guardians')(g)
    const info = guardians.guardianInfo(form.guardianSlot(g), g.number('index'), form.commitments(g))
    const share = await guardians.openGuardianShare(info, g.bytes('recipient_seed'), g.bytes('guardian_ct'))
    deal.checkSubShare(form.commitments(g), g.number('index'), share)
    return { share: encodeScalar(share) }
  },
  emergency: async (g) => {
    const e = env.parseEnvelope(g.bytes('envelope'))
    const block = e.emergency ?? refuse('no emergency block')
    const E = emergency.emergencyHash(g.bytes('ctx'), g.bytes('gen'), block.U, block.UBar, e.pc)
    encap.verifyEncapsulation(emergency.emergencyLabel(E, sha256(block.box), g.bytes('signer')), g.bytes('gen'), block, g.bytes('proof'))
    const halves = await emergency.openBox(E, parsePoint(g.bytes('k_e')), block.box)
    const half = halves.find((h) => h.hospital === g.number('hospital')) ?? refuse('no half for that hospital')
    const to = { kind: 4n, id: u64(half.hospital), epoch: half.epoch }
    return { p: await own.openOwn(g.bytes('ctx'), e.U, to, g.bytes('recipient_seed'), half.sealed) }
  },
}

function checkOf(kind: string): Check {
  return checks[kind]?.check ?? missing()
}

async function lockVersion(g: Given): Promise<Output> {
  const gen = generationHash(form.generation(g))
  const ctx = contextHash(form.context(g, gen))
  const r = parseSecretScalar(g.bytes('r'))
  const e = encap.encapsulate(gen, parsePoint(g.bytes('x_pub')), r)
  const as = parseLock(g.number('lock'))
  const p = as === lock.both ? g.bytes('p') : undefined
  const pc = p === undefined ? new Uint8Array() : commit.ownerCommitment(ctx, e.U, p)
  const dc = commit.dataCommitment(g.bytes('record_id'), g.number('version'), g.bytes('dek'))
  const [manifest, objectCID] = [parseRawCID(g.bytes('manifest_cid')), parseObjectCID(g.bytes('object_cid'))]
  const T = commit.salt({ ctx, ...e, pc, dc, manifest, object: objectCID })
  const { kek, c } = commit.wrappingKey(as, p, e.K, T)
  const halves = p === undefined ? [] : await Promise.all(g.all('recipients').map((to) => ownHalfFor(ctx, e.U, p, to)))
  const wrap = await commit.wrap(kek, g.bytes('dek'), T)
  const part = g.has('emergency') && p !== undefined ? await emergencyPart(new Given(g.raw('emergency')), ctx, e.U, p, pc, g.bytes('signer')) : undefined
  const envelope = env.encodeEnvelope({ suite: 1n, ...e, pc, dc, c, wrap, manifest, own: env.inOrder(halves), ...(part === undefined ? {} : { emergency: part.block }) })
  const ownKeys = env.ownKeyHashes(env.parseEnvelope(envelope))
  const label = encap.encapLabel({ ctx, gen, ...e, c, pc, dc, envelope: cidOf(envelope), object: objectCID, ownKeys, signer: g.bytes('signer') })
  const proof = encap.proveEncapsulation(label, gen, r, parseSecretScalar(g.bytes('nonce')))
  return { u: encodePoint(e.U), u_bar: encodePoint(e.UBar), k: encodePoint(e.K), pc, dc, c, envelope, proof, ...part?.output }
}

async function emergencyPart(g: Given, ctx: Bytes, U: Point, p: Bytes, pc: Bytes, signer: Bytes): Promise<{ block: env.EmergencyBlock; output: Output }> {
  const gen = generationHash(form.generation(g))
  const r = parseSecretScalar(g.bytes('r_e'))
  const e = encap.encapsulate(gen, parsePoint(g.bytes('x_pub')), r)
  const halves = g.all('halves').map(async (h) => {
    const to = { kind: 4n, id: u64(h.number('hospital')), epoch: h.number('epoch') }
    return { hospital: h.number('hospital'), epoch: to.epoch, sealed: await own.sealOwn(ctx, U, to, h.bytes('recipient_key'), p, h.bytes('encap_randomness')) }
  })
  const E = emergency.emergencyHash(ctx, gen, e.U, e.UBar, pc)
  const box = await emergency.sealBox(E, e.K, await Promise.all(halves))
  const proof = encap.proveEncapsulation(emergency.emergencyLabel(E, sha256(box), signer), gen, r, parseSecretScalar(g.bytes('nonce')))
  return { block: { U: e.U, UBar: e.UBar, box }, output: { k_e: encodePoint(e.K), emergency_proof: proof } }
}

// As a requester's program opens a version: the chain's word, the envelope, a seed of a vault and K are given.
async function openVersion(g: Given): Promise<Output> {
  const gen = generationHash(form.generation(g))
  const ctx = contextHash(form.context(g, gen))
  const block = g.bytes('envelope')
  const cid = cidOf(block)
  demand(sameCID(cid, parseRawCID(g.bytes('envelope_cid'))), 'the envelope is another than the one named')
  const e = env.parseEnvelope(block)
  demand(equal(encodePoint(e.U), g.bytes('u')) && equal(e.pc, g.bytes('pc')) && equal(e.dc, g.bytes('dc')) && equal(e.c, g.bytes('c')), 'the envelope is of another lock')
  assert.deepEqual(env.encodeEnvelope(e), block)
  const locked = { ctx, gen, U: e.U, UBar: e.UBar, c: e.c, pc: e.pc, dc: e.dc, envelope: cid, object: g.bytes('object_cid') }
  encap.verifyEncapsulation(encap.encapLabel({ ...locked, ownKeys: env.ownKeyHashes(e), signer: g.bytes('signer') }), gen, e, g.bytes('proof'))
  const as = parseLock(g.number('lock'))
  const p = as === lock.both ? await ownerHalf(g, ctx, e) : undefined
  const T = commit.salt({ ctx, U: e.U, UBar: e.UBar, pc: e.pc, dc: e.dc, manifest: e.manifest, object: parseObjectCID(g.bytes('object_cid')) })
  const wrapped = { c: e.c, wrap: e.wrap, dc: e.dc, record: g.bytes('record_id'), version: g.number('version') }
  return { dek: await commit.unwrap(as, p, parsePoint(g.bytes('k')), T, wrapped) }
}

async function ownerHalf(g: Given, ctx: Bytes, e: env.Envelope): Promise<Bytes> {
  const to = form.recipient(g)
  const half = e.own.find((h) => h.kind === to.kind && h.epoch === to.epoch && equal(h.id, to.id)) ?? refuse('no half for that recipient')
  const p = await own.openOwn(ctx, e.U, to, g.bytes('recipient_seed'), half.sealed)
  commit.checkOwnerHalf(ctx, e.U, p, e.pc)
  return p
}

// As a reader opens an object: the chain names its CID and the envelope the manifest's; blocks come from anywhere.
async function openWhole(g: Given): Promise<Output> {
  const shelf = new Map(g.allBytes('blocks').map((block) => [cidText(cidOf(block)), block]))
  const fetch = (cid: Uint8Array): Bytes => shelf.get(cidText(cid)) ?? refuse('a block is not there')
  const opened = await manifests.openManifest(fetch(parseRawCID(g.bytes('manifest_cid'))), g.bytes('dek'), async (cid) => fetch(cid))
  const m = opened.manifest
  const data = m.entries.map((entry) => fetch(entry.cid))
  const leaves = [...data.map((leaf) => ({ cid: cidOf(leaf), size: BigInt(leaf.length) })), ...opened.leaves.map((l) => ({ cid: l.cid, size: BigInt(l.leaf.length) }))]
  demand(sameCID(dag.objectCID(leaves), parseObjectCID(g.bytes('object_cid'))), 'the object is another than the one named')
  demand(object.layout(m.size).total === g.number('padded_size'), 'the object has another padded size')
  const file = concat(...(await object.openObject(m.size, m.entries, data, m.idKey)))
  return { plain_sha256: sha256(file), name: m.name, media_type: m.mediaType, created: m.created, modified: m.modified, size: m.size }
}
