import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { ristretto255_hasher, x25519 } from '@noble/curves/ed25519.js'
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 as shortHash, sha512 } from '@noble/hashes/sha2.js'
import { decrypt, encrypt } from '../src/aead.js'
import * as capsule from '../src/capsule.js'
import { cidOf, cidOfDigest, cidText, codec, parseCIDText } from '../src/cid.js'
import { parseCodeWords } from '../src/code.js'
import { combine, combineVerified } from '../src/combine.js'
import * as commit from '../src/commit.js'
import * as dag from '../src/dag.js'
import * as deal from '../src/deal.js'
import * as dleq from '../src/dleq.js'
import * as emergency from '../src/emergency.js'
import * as encap from '../src/encap.js'
import { ascii, type Bytes, concat, hash, hash32, list, lp, sha256, sha256Of, u64 } from '../src/encoding.js'
import * as env from '../src/envelope.js'
import { contextHash, generationHash, secondBase } from '../src/generation.js'
import * as guardians from '../src/guardians.js'
import * as hybrid from '../src/hybrid.js'
import { idText, parseID, parseIDText } from '../src/id.js'
import { keyKind, type Lock, lock, parseLock } from '../src/kinds.js'
import * as manifests from '../src/manifest.js'
import * as object from '../src/object.js'
import * as own from '../src/own.js'
import { padme } from '../src/padme.js'
import { encodePoint, G, hashToGroup, parseAnyPoint, parseEncapsulation, parsePoint, type Point, times } from '../src/point.js'
import { evaluate } from '../src/polynomial.js'
import * as pepper from '../src/pepper.js'
import * as possession from '../src/possession.js'
import { Refusal } from '../src/refusal.js'
import * as request from '../src/request.js'
import { roundHash } from '../src/round.js'
import { encodeScalar, parseSecretScalar, type Scalar } from '../src/scalar.js'
import { session } from '../src/session.js'
import * as shares from '../src/share.js'
import * as slots from '../src/slot.js'
import * as sums from '../src/sums.js'
import * as vaults from '../src/vault.js'
import * as wallet from '../src/wallet.js'
import * as form from './forms.js'
import { Given } from './given.js'

/** What a construction gives, by the names of the files. */
export type Output = Record<string, unknown>
export type Reproduce = (g: Given) => Output | Promise<Output>

export const encodeAll = (points: readonly Point[]): Bytes[] => points.map(encodePoint)
const scalars = (g: Given, name: string): Scalar[] => g.allBytes(name).map(parseSecretScalar)
const half = (g: Given, as: Lock): Bytes | undefined => (as === lock.both ? g.bytes('p') : undefined)
export const at = <T>(list: readonly T[], i: number): T => {
  const value = list[i]
  if (value === undefined) throw new RangeError(`nothing at ${i}`)
  return value
}

function proven(label: Bytes, q: Point, name: string, shown: possession.Shown): Output {
  return { label, q: encodePoint(q), [name]: encodePoint(shown.image), proof: shown.proof }
}

async function slotOutput(g: Given, ikm: Bytes): Promise<Output> {
  const head = form.slotHead(g)
  const salt = g.bytes('slot_salt')
  const slot = await slots.sealSlot(head, salt, ikm, g.bytes('kv'))
  assert.deepEqual(await slots.openSlot(head, ikm, slot), g.bytes('kv'))
  return { info: slots.slotInfo(head), ikm, slot_kek: slots.slotKey(head, salt, ikm), slot }
}

/** What each construction of vectors.json gives, all of it. */
export const vectors: Readonly<Record<string, Reproduce>> = {
  lp: (g) => ({ lp: lp(g.bytes('x')) }),
  h: (g) => ({ h: hash(g.text('tag'), ...fieldsOf(g)) }),
  h32: (g) => ({ h32: hash32(g.text('tag'), ...fieldsOf(g)) }),
  int_id_cid: (g) => {
    if (g.has('int')) return { int_bytes: u64(g.number('int')) }
    if (g.has('id')) return { id_bytes: parseID(g.bytes('id')) }
    if (g.has('address')) return { address_bytes: g.bytes('address') }
    const cid = cidOf(g.isText('block') ? g.bytes('block') : g.stream('block'), g.text('codec') === 'raw' ? codec.raw : codec.dagPB)
    assert.deepEqual(parseCIDText(cidText(cid)), cid)
    return { cid, cid_text: cidText(cid) }
  },
  hash2group: (g) => ({ point: encodePoint(hashToGroup(g.bytes('msg'))) }),
  gen: (g) => ({ gen: generationHash(form.generation(g)) }),
  gbar: (g) => ({ g_bar: encodePoint(secondBase(g.bytes('gen'))) }),
  ctx: (g) => ({ ctx: contextHash(form.context(g)) }),
  pc: (g) => ({
    pc: parseLock(g.number('lock')) === lock.both ? commit.ownerCommitment(g.bytes('ctx'), parseEncapsulation(g.bytes('u')), g.bytes('p')) : '',
  }),
  dc: (g) => ({ dc: commit.dataCommitment(g.bytes('record_id'), g.number('version'), g.bytes('dek')) }),
  salt: (g) => ({ kek_salt: commit.salt(form.salted(g)) }),
  kek: (g) => {
    const as = parseLock(g.number('lock'))
    return { ...commit.wrappingKey(as, half(g, as), parsePoint(g.bytes('k')), g.bytes('kek_salt')) }
  },
  wrap: async (g) => ({ wrap: await commit.wrap(g.bytes('kek'), g.bytes('dek'), g.bytes('kek_salt')) }),
  own_open: async (g) => {
    const [ctx, U, to] = [g.bytes('ctx'), parseEncapsulation(g.bytes('u')), form.recipient(g)]
    const key = await hybrid.publicKey(g.bytes('recipient_seed'))
    const p = await own.openOwn(ctx, U, to, g.bytes('recipient_seed'), g.bytes('own_ct'))
    assert.deepEqual(await own.sealOwn(ctx, U, to, key, p, g.bytes('encap_randomness')), g.bytes('own_ct'))
    return { key_hash: sha256(key), info: own.ownInfo(ctx, U, to, sha256(key)), p }
  },
  envelope: (g) => {
    const emergencyPart = g.has('emergency') ? { emergency: form.emergencyBlock(new Given(g.raw('emergency'))) } : {}
    const encoded = env.encodeEnvelope({ ...form.envelope(g), ...emergencyPart })
    const parsed = env.parseEnvelope(encoded)
    assert.deepEqual(env.encodeEnvelope(parsed), encoded)
    const cid = cidOf(encoded)
    return { envelope: encoded, envelope_cid: cid, envelope_cid_text: cidText(cid), own_key_hashes: env.ownKeyHashes(parsed) }
  },
  encap: (g) => {
    const [r, gen] = [parseSecretScalar(g.bytes('r')), g.bytes('gen')]
    const e = encap.encapsulate(gen, G, r)
    const label = encap.encapLabel({ ...form.lockedVersion(g), ...e })
    const proof = encap.proveEncapsulation(label, gen, r, parseSecretScalar(g.bytes('nonce')))
    encap.verifyEncapsulation(label, gen, e, proof)
    return { u: encodePoint(e.U), g_bar: encodePoint(secondBase(gen)), u_bar: encodePoint(e.UBar), label, proof }
  },
  seed: async (g) => {
    const s = await session(g.bytes('session_seed'))
    return { rk_seed: s.keySeed, rk_pub: s.key, rk_cid: s.keyCID, b: encodeScalar(s.b), b_pub: encodePoint(s.B) }
  },
  request: (g) => {
    const b = parseSecretScalar(g.bytes('b'))
    const versions = g.all('versions').map(form.proposedVersion).map((v) => ({ ...v, M: times(b, v.U) }))
    const p = form.proposal(g, versions, times(b, G))
    const proof = request.proveRequest(p, b, parseSecretScalar(g.bytes('nonce')))
    request.verifyRequest(p, proof)
    const R = request.proposalHash(p)
    return { b_pub: encodePoint(p.B), m: versions.map((v) => encodePoint(v.M)), request_hash: R, unlock_id: request.unlockID(R), proof }
  },
  share: (g) => {
    const [r, x] = [form.release(g), parseSecretScalar(g.bytes('x_i'))]
    const X = times(x, G)
    const s = shares.makeShare(r, g.number('share_epoch'), g.number('index'), x, parseSecretScalar(g.bytes('nonce')))
    shares.verifyShare(r, s, X)
    return { x_i_pub: encodePoint(X), d: encodeAll(s.D), label: shares.shareLabel(r, s, X), proof: s.proof }
  },
  combine: (g) => {
    const c = combined(g)
    return { share_epoch: c.epoch, indexes: c.indexes, lambda: c.lambda.map(encodeScalar), k: encodeAll(c.K) }
  },
  rank: (g) => {
    const of = (i: bigint) => shares.rank(g.bytes('net'), g.bytes('unlock_id'), i)
    const order = g.numbers('indexes').sort((a, b) => (wallet.hex(of(a)) < wallet.hex(of(b)) ? -1 : 1))
    return { ranks: g.numbers('indexes').map(of), order }
  },
  capsule_open: async (g) => {
    const [net, unlock, seed] = [g.bytes('net'), g.bytes('unlock_id'), g.bytes('rk_seed')]
    const versions = capsuleVersions(g)
    const p = await capsule.openCapsule(net, unlock, seed, versions, g.bytes('capsule'))
    const halves = versions.map((v, i) => ({ ...v, p: at(p, i) }))
    const again = await capsule.sealCapsule(net, unlock, await hybrid.publicKey(seed), halves, g.bytes('encap_randomness'))
    assert.deepEqual(again, g.bytes('capsule'))
    const info = capsule.capsuleInfo(net, unlock)
    return { info, plaintext: await hybrid.open(seed, info, again), p }
  },
  round: (g) => ({ rho: roundHash(form.round(g)) }),
  deal_info: async (g) => {
    const commitments = form.commitments(g)
    const info = deal.dealInfo(g.bytes('rho'), g.number('dealer'), g.number('receiver'), commitments)
    if (!g.has('sub_share')) return { info }
    const subShare = parseSecretScalar(g.bytes('sub_share'))
    const sealed = await deal.sealSubShare(info, await hybrid.publicKey(g.bytes('round_key_seed')), subShare, g.bytes('encap_randomness'))
    assert.equal(await deal.openSubShare(info, g.bytes('round_key_seed'), sealed), subShare)
    return { info, deal_ct: sealed }
  },
  pok: (g) => {
    const label = possession.knowledgeLabel(g.bytes('rho'), g.number('dealer'), form.commitments(g))
    const secret = parseSecretScalar(g.bytes('a_0'))
    const shown = possession.show('pok', label, secret, parseSecretScalar(g.bytes('nonce')))
    possession.verifyShown('pok', label, times(secret, G), shown)
    return proven(label, possession.questionOf('pok', label), 'a_0_q', shown)
  },
  pop: (g) => holderOutput(g.bytes('rho'), g.number('index'), parseSecretScalar(g.bytes('x_i')), g.bytes('nonce')),
  slot_wallet: (g) => slotOutput(g, slots.walletSecret(g.bytes('signature_rs'), g.bytes('pepper'))),
  slot_code: (g) => slotOutput(g, parseCodeWords(g.text('words'))),
  slot_passkey: (g) => slotOutput(g, slots.passkeySecret(g.bytes('prf'))),
  slot_guardians: (g) => slotOutput(g, slots.guardiansSecret(g.bytes('guardians_secret'), parsePoint(g.bytes('k_g')))),
  vault: async (g) => {
    const epochs = g.all('epochs').map((e) => ({ epoch: e.number('epoch'), seed: e.bytes('seed') }))
    const head = form.vaultHead(g, at(epochs, epochs.length - 1).epoch)
    const blob = await vaults.sealVault(head, g.bytes('kv'), g.bytes('vault_nonce'), epochs)
    assert.deepEqual(await vaults.openVault(head, g.bytes('kv'), blob), epochs)
    return {
      protobuf: vaults.encodeVault(head.vault, epochs),
      aad: vaults.vaultInfo(head),
      vault_blob_length: blob.length,
      vault_blob_sha256: sha256(blob),
      vault_blob_head: blob.slice(0, 64),
      vault_blob_tag: blob.slice(-16),
    }
  },
  adr36: (g) => ({ text: wallet.slotText(form.slotText(g)), sign_doc: wallet.signDocument(form.slotText(g)) }),
  padme: (g) => ({ padme: padme(g.number('length')) }),
  object_layout: async (g) => {
    const l = object.layout(g.has('plain') ? new Given(g.raw('plain')).number('length') : g.number('length'))
    const measures = {
      ciphertext_before_padding: l.beforePadding,
      ciphertext_total: l.total,
      leaf_count: l.leaves,
      last_leaf_size: l.last,
      plain_total: l.total - 16n * BigInt(l.leaves),
    }
    return g.has('plain') ? { ...measures, entries: (await sealed(g)).map((chunk) => entryOutput(chunk.entry)) } : measures
  },
  manifest_one_leaf: async (g) => {
    const m = form.manifest(g, entriesOf(g))
    const encoded = manifests.encodeManifest(m)
    const [root, ...others] = await manifests.sealManifest(m, g.bytes('dek'), () => assert.fail('one leaf needs no key'))
    if (root === undefined || others.length > 0) return assert.fail('a manifest of one leaf has others')
    const opened = await manifests.openManifest(root.leaf, g.bytes('dek'), () => assert.fail('one leaf needs no other'))
    assert.deepEqual(manifests.encodeManifest(opened.manifest), encoded)
    return {
      protobuf_length: encoded.length,
      protobuf_sha256: sha256(encoded),
      ...(g.has('entries') && m.entries.length < 31 ? { protobuf: encoded } : {}),
      leaf_length: root.leaf.length,
      leaf_head: root.leaf.slice(0, 64),
      leaf_tag: root.leaf.slice(-16),
      manifest_cid: root.cid,
    }
  },
  manifest_index: async (g) => {
    const m = form.manifest(g, entriesOf(g))
    const keys = g.allBytes('leaf_keys')
    let used = 0
    const leaves = await manifests.sealManifest(m, g.bytes('dek'), () => at(keys, used++))
    assert.equal(used, keys.length)
    const root = at(leaves, leaves.length - 1)
    const byCID = new Map(leaves.map((leaf) => [cidText(leaf.cid), leaf.leaf]))
    const opened = await manifests.openManifest(root.leaf, g.bytes('dek'), async (cid) => byCID.get(cidText(cid)) ?? new Uint8Array())
    const encoded = manifests.encodeManifest(m)
    assert.deepEqual(manifests.encodeManifest(opened.manifest), encoded)
    assert.deepEqual(opened.leaves.map((leaf) => leaf.cid), leaves.map((leaf) => leaf.cid))
    const framed = await decrypt(g.bytes('dek'), root.leaf, new Uint8Array())
    const length = Number(new DataView(framed.buffer).getBigUint64(0))
    return {
      protobuf_length: encoded.length,
      protobuf_sha256: await sha256Of(encoded),
      levels: 2,
      index_protobuf: framed.slice(8, 8 + length),
      leaves: leaves.map((leaf) => ({ cid: leaf.cid, size: leaf.leaf.length })),
      manifest_cid: root.cid,
    }
  },
  dag_root: (g) => {
    const cid = dag.objectCID(dagLeaves(g))
    return { object_cid: cid, object_cid_text: cidText(cid) }
  },
  guardians: async (g) => {
    const [slot, polynomial, gen] = [form.guardianSlot(g), scalars(g, 'polynomial'), g.bytes('gen_3')]
    const commitments = deal.commit(polynomial)
    const r = parseSecretScalar(g.bytes('r_g'))
    const e = encap.encapsulate(gen, parsePoint(g.bytes('x_pub_3')), r)
    const ctx = guardians.guardianContext(slot, gen)
    const label = guardians.guardianLabel(ctx, e.U, e.UBar, at(commitments, 0), g.bytes('signer'))
    const proof = encap.proveEncapsulation(label, gen, r, parseSecretScalar(g.bytes('nonce')))
    encap.verifyEncapsulation(label, gen, e, proof)
    return {
      commitments: encodeAll(commitments),
      shares: await Promise.all(g.all('guardians').map((guardian) => guardianOutput(slot, commitments, polynomial, guardian))),
      u_g: encodePoint(e.U),
      g_bar_3: encodePoint(secondBase(gen)),
      u_bar_g: encodePoint(e.UBar),
      k_g: encodePoint(e.K),
      guardian_ctx: ctx,
      label,
      proof,
    }
  },
  dkg: (g) => generationOutput(g),
  reshare: (g) => reshareOutput(g),
  e2e: (g) => wholeStory(g),
}

/** A code's or a passkey's secret, whichever is given. */
const secretOf = (g: Given): Bytes => (g.has('words') ? parseCodeWords(g.text('words')) : slots.passkeySecret(g.bytes('prf')))

/** Those of own.json, which the vectors of custody.md leave out. */
export const ownVectors: Readonly<Record<string, Reproduce>> = {
  nonce: (g) => ({ nonce: encodeScalar(dleq.nonce(g.text('kind'), parseSecretScalar(g.bytes('secret')), g.bytes('label'), g.bytes('fresh'))) }),
  pepper: (g) => {
    const head = form.slotHead(g)
    const seed = pepper.pepperSeed(head, secretOf(g))
    const asked = { ...head, host: g.text('host'), slot: g.bytes('wallet_slot_id'), by: head.slot, nonce: g.bytes('pepper_nonce') }
    return { seed, public_key: pepper.pepperKey(seed), digest: pepper.pepperDigest(asked), signature: pepper.signPepperRequest(asked, seed) }
  },
  passkey_input: (g) => ({ prf_input: pepper.passkeyInput(g.bytes('net'), g.bytes('vault_id')) }),
  object: async (g) => {
    const plain = g.stream('plain')
    const chunks = await object.sealObject(plain, g.allBytes('chunk_keys'))
    const m = form.manifest(g, chunks.map(({ entry }) => entry))
    const [root] = await manifests.sealManifest(m, g.bytes('dek'), () => assert.fail('one leaf needs no key'))
    if (root === undefined) return assert.fail('no manifest')
    const { manifest } = await manifests.openManifest(root.leaf, g.bytes('dek'), () => assert.fail('one leaf needs no other'))
    const opened = concat(...(await object.openObject(manifest.size, manifest.entries, chunks.map(({ leaf }) => leaf), manifest.idKey)))
    assert.ok(Buffer.from(plain).equals(opened))
    const leaves = [...chunks.map(({ entry, leaf }) => ({ cid: entry.cid, size: BigInt(leaf.length) })), { cid: root.cid, size: BigInt(root.leaf.length) }]
    return {
      leaf_cids: chunks.map(({ entry }) => entry.cid),
      protobuf: manifests.encodeManifest(m),
      manifest_cid: root.cid,
      object_cid: dag.objectCID(leaves),
      padded_size: object.layout(m.size).total,
    }
  },
  id_text: (g) => {
    assert.deepEqual(parseIDText(idText(g.bytes('id'))), g.bytes('id'))
    return { text: idText(g.bytes('id')) }
  },
  emergency: (g) => {
    const X = parsePoint(g.bytes('x_pub'))
    const gen = generationHash({ net: g.bytes('net'), kind: BigInt(keyKind.emergency), generation: g.number('generation'), X })
    const r = parseSecretScalar(g.bytes('r'))
    const e = encap.encapsulate(gen, X, r)
    const E = emergency.emergencyHash(g.bytes('ctx'), gen, e.U, e.UBar, g.bytes('pc'))
    const label = emergency.emergencyLabel(E, g.bytes('box'), g.bytes('signer'))
    const proof = encap.proveEncapsulation(label, gen, r, parseSecretScalar(g.bytes('nonce')))
    return { gen, u: encodePoint(e.U), u_bar: encodePoint(e.UBar), k: encodePoint(e.K), e: E, label, proof }
  },
  answer: (g) => {
    const [rho, dealer, receiver] = [roundHash(form.round(g)), g.number('dealer'), g.number('receiver')]
    const subShare = parseSecretScalar(g.bytes('sub_share'))
    deal.checkSubShare(form.commitments(g), receiver, subShare)
    return { rho, complaint: deal.complaint(rho, dealer, receiver), justification: deal.justification(rho, dealer, receiver, subShare) }
  },
  emergency_box: async (g) => {
    const [E, K, U] = [g.bytes('e'), parsePoint(g.bytes('k_e')), parseEncapsulation(g.bytes('u'))]
    const halves = g.all('entries').map((e) => ({ hospital: e.number('hospital'), epoch: e.number('epoch'), sealed: e.bytes('own_ct') }))
    const box = await emergency.sealBox(E, K, halves)
    assert.deepEqual(await emergency.openBox(E, K, box), halves)
    const opened = g.all('entries').map((e) => {
      const to = { kind: 4n, id: u64(e.number('hospital')), epoch: e.number('epoch') }
      return own.openOwn(g.bytes('ctx'), U, to, e.bytes('recipient_seed'), e.bytes('own_ct'))
    })
    const [p, ...others] = await Promise.all(opened)
    for (const other of others) assert.deepEqual(other, p)
    return { box, box_sha256: sha256(box), p, plaintext: emergency.encodeHalves(halves) }
  },
  shares_block: (g) => {
    const block = guardians.encodeShares(g.allBytes('shares'))
    assert.deepEqual(guardians.parseShares(block), g.allBytes('shares'))
    for (const refused of g.allBytes('refused')) assert.throws(() => guardians.parseShares(refused), Refusal)
    return { block, cid: cidOf(block) }
  },
  share_capsule: async (g) => {
    const [net, unlock, place, seed] = [g.bytes('net'), g.bytes('unlock_id'), g.number('place'), g.bytes('rk_seed')]
    const [share, info] = [parseSecretScalar(g.bytes('share')), guardians.shareCapsuleInfo(net, unlock, place)]
    const sealed = await guardians.sealShareCapsule(info, await hybrid.publicKey(seed), share, g.bytes('encap_randomness'))
    assert.equal(await guardians.openShareCapsule(info, seed, sealed), share)
    deal.checkSubShare(form.commitments(g), place, share)
    for (const other of [guardians.shareCapsuleInfo(net, g.bytes('other_unlock_id'), place), guardians.shareCapsuleInfo(net, unlock, place + 1n)]) {
      await assert.rejects(guardians.openShareCapsule(other, seed, sealed), Refusal)
    }
    return { info, capsule: sealed }
  },
  emergency_half: async (g) => {
    const [halves, seed, id] = [g.all('halves'), g.bytes('rk_seed'), u64(g.number('hospital'))]
    const asked = emergency.encodeAsked(halves.map((h) => ({ epoch: h.number('epoch'), sealed: h.bytes('own_ct') })))
    for (const refused of g.allBytes('refused')) assert.throws(() => emergency.parseAsked(refused), Refusal)
    const opened = await Promise.all(emergency.parseAsked(asked).map(async ({ epoch, sealed }, i) => {
      const h = at(halves, i)
      const p = await own.openOwn(h.bytes('ctx'), parseEncapsulation(h.bytes('u')), { kind: 4n, id, epoch }, h.bytes('recipient_seed'), sealed)
      return { record: h.bytes('record_id'), version: h.number('version'), p }
    }))
    const [net, unlock] = [g.bytes('net'), g.bytes('unlock_id')]
    const handed = await capsule.sealCapsule(net, unlock, await hybrid.publicKey(seed), opened, g.bytes('encap_randomness'))
    const p = opened.map((half) => half.p)
    assert.deepEqual(await capsule.openCapsule(net, unlock, seed, opened, handed), p)
    return { asked, p, capsule: handed }
  },
}

/** Those of the specifications that custody.md builds on. */
export const rfcVectors: Readonly<Record<string, Reproduce>> = {
  rfc9496_multiples: (g) => {
    const base = parsePoint(g.bytes('base'))
    assert.ok(base.equals(G))
    return { multiples: Array.from({ length: 16 }, (_, n) => encodePoint(times(BigInt(n), base))) }
  },
  rfc9496_invalid: (g) => {
    for (const encoding of g.allBytes('encodings')) assert.throws(() => parseAnyPoint(encoding), Refusal)
    return {}
  },
  rfc9497_voprf: (g) => voprf(g),
  hpke_base: async (g) => hpkeBase(g),
}

/** Wycheproof's, through the wrappers and the parts that they call. */
export const wycheproof: Readonly<Record<string, Reproduce>> = {
  wycheproof_gcm: async (g) => {
    const [key, nonce, aad] = [g.bytes('key'), g.bytes('nonce'), g.bytes('aad')]
    const opened = await decrypt(key, g.bytes('sealed'), aad, nonce).catch((cause: unknown) => {
      assert.ok(cause instanceof Refusal)
    })
    if (opened === undefined) return { opens: false }
    assert.deepEqual(opened, g.bytes('plaintext'))
    assert.deepEqual(await encrypt(key, opened, aad, nonce), g.bytes('sealed'))
    return { opens: true }
  },
  wycheproof_hkdf_sha256: (g) => expand(shortHash, g),
  wycheproof_hkdf_sha512: (g) => expand(sha512, g),
}

// Fields are bytes or lists of them.
function fieldsOf(g: Given): Bytes[] {
  return g.array('fields').flatMap((field) =>
    typeof field === 'string' ? new Given({ field }).bytes('field') : list(new Given(field).allBytes('list')),
  )
}

function combined(g: Given) {
  const b = parseSecretScalar(g.bytes('b'))
  const given = g.all('shares').map(form.share)
  if (g.has('m')) return combine(b, form.release(g), form.committees(g), given)
  return combineVerified(b, at(given, 0).D.length, () => g.number('threshold'), given)
}

function capsuleVersions(g: Given): capsule.Named[] {
  const locked = g.all('versions').filter((v) => parseLock(v.number('lock')) === lock.both)
  return locked.map((v) => ({ record: v.bytes('record_id'), version: v.number('version') }))
}

function holderOutput(rho: Bytes, index: bigint, x: Scalar, nonce: Bytes): Output {
  const X = times(x, G)
  const label = possession.possessionLabel(rho, index, X)
  const shown = possession.show('pop', label, x, parseSecretScalar(nonce))
  possession.verifyShown('pop', label, X, shown)
  return { x_i_pub: encodePoint(X), ...proven(label, possession.questionOf('pop', label), 'x_i_q', shown) }
}

async function guardianOutput(slot: guardians.GuardianSlot, commitments: readonly Point[], polynomial: readonly Scalar[], g: Given): Promise<Output> {
  const index = g.number('index')
  const value = evaluate(polynomial, index)
  const info = guardians.guardianInfo(slot, index, commitments)
  const sealed = await guardians.sealGuardianShare(info, await hybrid.publicKey(g.bytes('recipient_seed')), value, g.bytes('encap_randomness'))
  assert.equal(await guardians.openGuardianShare(info, g.bytes('recipient_seed'), sealed), value)
  deal.checkSubShare(commitments, index, value)
  return { index, share: encodeScalar(value), info, guardian_ct: sealed }
}

function generationOutput(g: Given): Output {
  const [members, threshold] = [g.numbers('members'), g.number('threshold')]
  const polynomials = g.array('polynomials').map((p) => scalars(new Given({ p }), 'p'))
  const rho = roundHash({
    ...{ net: g.bytes('net'), kind: g.number('key_kind'), generation: g.number('generation'), epoch: g.number('share_epoch') },
    ...{ attempt: g.number('attempt'), oldThreshold: 0n, threshold, dealers: members },
    receivers: members.map((number, i) => ({ number, key: at(g.allBytes('round_keys'), i) })),
  })
  const dealings = polynomials.map((polynomial, i) => ({ dealer: at(members, i), commitments: deal.commit(polynomial) }))
  const subShares = polynomials.map((polynomial) => members.map((member) => evaluate(polynomial, member)))
  const result = sums.sumGeneration(threshold, members, dealings)
  const made = members.map((_, j) => sums.shareOf(result, subShares.map((row) => at(row, j))))
  const pok = polynomials.map((polynomial, i) => {
    const label = possession.knowledgeLabel(rho, at(members, i), at(dealings, i).commitments)
    const shown = possession.show('pok', label, at(polynomial, 0), parseSecretScalar(at(g.allBytes('pok_nonces'), i)))
    return proven(label, possession.questionOf('pok', label), 'a_0_q', shown)
  })
  return {
    commitments: dealings.map((dealing) => encodeAll(dealing.commitments)),
    sub_shares: subShares.map((row) => row.map(encodeScalar)),
    rho,
    pok,
    x_pub: encodePoint(result.X),
    shares: made.map(encodeScalar),
    x_i_pub: encodeAll(result.publicShares),
    pop: members.map((member, i) => holderOutput(rho, member, at(made, i), at(g.allBytes('pop_nonces'), i))),
  }
}

function reshareOutput(g: Given): Output {
  const [dealers, receivers, old] = [g.numbers('dealers'), g.numbers('receivers'), scalars(g, 'old_shares')]
  const polynomials = g.array('polynomials').map((p, i) => [at(old, i), ...scalars(new Given({ p }), 'p')])
  const dealings = polynomials.map((polynomial, i) => ({ dealer: at(dealers, i), commitments: deal.commit(polynomial) }))
  const oldShares = new Map(dealers.map((dealer, i) => [dealer, times(at(old, i), G)]))
  const result = sums.sumReshare(parsePoint(g.bytes('x_pub')), g.number('t_old'), g.number('t_new'), receivers, oldShares, dealings)
  const subShares = polynomials.map((polynomial) => receivers.map((receiver) => evaluate(polynomial, receiver)))
  const used = result.dealers.map((dealer) => at(subShares, dealers.indexOf(dealer)))
  return {
    commitments: dealings.map((dealing) => encodeAll(dealing.commitments)),
    sub_shares: subShares.map((row) => row.map(encodeScalar)),
    dealers_used: result.dealers,
    lambda: result.weights.map(encodeScalar),
    shares: receivers.map((_, j) => encodeScalar(sums.shareOf(result, used.map((row) => at(row, j))))),
    x_i_pub: encodeAll(result.publicShares),
  }
}

// The vectors of the first form have an id for each chunk.
async function sealed(g: Given): Promise<object.SealedChunk[]> {
  const chunks = await object.sealObject(g.stream('plain'), g.allBytes('chunk_keys'))
  return Promise.all(chunks.map(async ({ entry, leaf }) => ({ entry: { ...entry, chunkID: idOf(g.bytes('id_key'), await decrypt(entry.key, leaf, new Uint8Array())) }, leaf })))
}

const idOf = (idKey: Uint8Array, plaintext: Uint8Array): Uint8Array => createHmac('sha256', idKey).update(plaintext).digest()
const entryOutput = (e: object.Entry): Output => ({ cid: e.cid, key: e.key, length: e.length, hmac: e.chunkID ?? assert.fail('no chunk id') })

// Entries are given one by one, or as a stream of digest, key and chunk id.
function entriesOf(g: Given): object.Entry[] {
  if (g.has('entries')) return g.all('entries').map(form.entry)
  const [stream, l] = [g.stream('entries_stream'), object.layout(g.number('size'))]
  return Array.from({ length: stream.length / 96 }, (_, i) => {
    const part = (n: number) => stream.slice(96 * i + 32 * n, 96 * i + 32 * (n + 1))
    return { cid: cidOfDigest(part(0)), key: part(1), length: object.fileLength(l, i), chunkID: part(2) }
  })
}

function dagLeaves(g: Given): dag.DagLeaf[] {
  if (g.has('leaves')) return g.all('leaves').map((leaf) => ({ cid: leaf.bytes('cid'), size: leaf.number('size') }))
  const digests = g.stream('leaf_digests')
  const count = digests.length / 32
  return Array.from({ length: count }, (_, i) => ({
    cid: cidOfDigest(digests.slice(32 * i, 32 * (i + 1))),
    size: i === count - 1 ? g.number('last_leaf_size') : g.number('leaf_size'),
  }))
}

// One version from locking to opening, as custody.md tells it.
async function wholeStory(g: Given): Promise<Output> {
  const gen = generationHash(form.generation(g))
  const ctx = contextHash(form.context(g, gen))
  const as = parseLock(g.number('lock'))
  const chunks = await sealed(g)
  const m = form.manifest(new Given({ ...story(g), size: new Given(g.raw('plain')).raw('length') }), chunks.map((chunk) => chunk.entry))
  const [root] = await manifests.sealManifest(m, g.bytes('dek'), () => assert.fail('one leaf needs no key'))
  if (root === undefined) return assert.fail('no manifest')
  const leaves = [...chunks.map((chunk) => ({ cid: chunk.entry.cid, size: BigInt(chunk.leaf.length) })), { cid: root.cid, size: BigInt(root.leaf.length) }]
  const objectCID = dag.objectCID(leaves)

  const r = parseSecretScalar(g.bytes('r'))
  const e = encap.encapsulate(gen, parsePoint(g.bytes('x_pub')), r)
  const p = half(g, as)
  const pc = p === undefined ? new Uint8Array() : commit.ownerCommitment(ctx, e.U, p)
  const dc = commit.dataCommitment(g.bytes('record_id'), g.number('version'), g.bytes('dek'))
  const T = commit.salt({ ctx, ...e, pc, dc, manifest: root.cid, object: objectCID })
  const key = commit.wrappingKey(as, p, e.K, T)
  const wrap = await commit.wrap(key.kek, g.bytes('dek'), T)
  const halves = p === undefined ? [] : await Promise.all(g.all('recipients').map((to) => ownHalfFor(ctx, e.U, p, to)))
  const encoded = env.encodeEnvelope({ suite: g.number('suite'), ...e, pc, dc, c: key.c, wrap, manifest: root.cid, own: halves })
  const envelopeCID = cidOf(encoded)
  const ownKeys = halves.map((own) => own.keyHash)
  const label = encap.encapLabel({ ctx, gen, ...e, c: key.c, pc, dc, envelope: envelopeCID, object: objectCID, ownKeys, signer: g.bytes('signer') })
  const encapProof = encap.proveEncapsulation(label, gen, r, parseSecretScalar(g.bytes('encap_nonce')))
  encap.verifyEncapsulation(label, gen, e, encapProof)

  const s = await session(g.bytes('session_seed'))
  const version = { record: g.bytes('record_id'), version: g.number('version'), ctx, U: e.U, M: times(s.b, e.U), c: key.c }
  const proposal = form.proposal(new Given({ ...story(g), rk_cid: wallet.hex(s.keyCID) }), [version], s.B)
  const requestProof = request.proveRequest(proposal, s.b, parseSecretScalar(g.bytes('request_nonce')))
  request.verifyRequest(proposal, requestProof)
  const R = request.proposalHash(proposal)
  const unlock = request.unlockID(R)
  const sealedCapsule = p === undefined
    ? new Uint8Array()
    : await capsule.sealCapsule(g.bytes('net'), unlock, s.key, [{ ...version, p }], g.bytes('capsule_encap_randomness'))

  const release = { net: g.bytes('net'), unlock, gen, M: [version.M] }
  const given = g.all('holders').map((h) => {
    const x = parseSecretScalar(h.bytes('x_i'))
    return { X: times(x, G), share: shares.makeShare(release, g.number('share_epoch'), h.number('index'), x, parseSecretScalar(h.bytes('nonce'))) }
  })
  const committee = { epoch: g.number('share_epoch'), threshold: g.number('threshold'), holders: new Map(given.map((h) => [h.share.index, h.X])) }
  const joined = combine(s.b, release, [committee], given.map((h) => h.share))
  const opened = p === undefined ? undefined : at(await capsule.openCapsule(g.bytes('net'), unlock, s.keySeed, [version], sealedCapsule), 0)
  const dek = await commit.unwrap(as, opened, at(joined.K, 0), T, { c: key.c, wrap, dc, record: version.record, version: version.version })
  const manifest = (await manifests.openManifest(root.leaf, dek, () => assert.fail('one leaf needs no other'))).manifest
  const file = await object.openObject(manifest.size, manifest.entries, chunks.map((chunk) => chunk.leaf), manifest.idKey)
  return {
    gen, g_bar: encodePoint(secondBase(gen)), ctx,
    entries: chunks.map((chunk) => entryOutput(chunk.entry)), manifest_cid: root.cid, object_cid: objectCID,
    u: encodePoint(e.U), u_bar: encodePoint(e.UBar), k: encodePoint(at(joined.K, 0)),
    pc, dc, kek_salt: T, kek: key.kek, c: key.c, wrap,
    envelope: encoded, envelope_cid: envelopeCID, envelope_cid_text: cidText(envelopeCID), own_key_hashes: ownKeys,
    encap_label: label, encap_proof: encapProof,
    rk_cid: s.keyCID, b: encodeScalar(s.b), b_pub: encodePoint(s.B), m: [encodePoint(version.M)],
    request_hash: R, unlock_id: unlock, request_proof: requestProof, capsule: sealedCapsule,
    shares: given.map((h) => ({
      index: h.share.index, share_epoch: h.share.epoch, x_i_pub: encodePoint(h.X), d: encodeAll(h.share.D),
      label: shares.shareLabel(release, h.share, h.X), proof: h.share.proof,
    })),
    indexes: joined.indexes, opened_dek: dek, opened_sha256: await sha256Of(concat(...file)),
  }
}

export async function ownHalfFor(ctx: Bytes, U: Point, p: Bytes, to: Given): Promise<env.OwnHalf> {
  const key = to.has('recipient_key') ? to.bytes('recipient_key') : await hybrid.publicKey(to.bytes('recipient_seed'))
  return { ...form.recipient(to), keyHash: sha256(key), sealed: await own.sealOwn(ctx, U, form.recipient(to), key, p, to.bytes('encap_randomness')) }
}

// What of a story its parts read by the same names.
function story(g: Given): Output {
  const names = ['name', 'media_type', 'created', 'modified', 'id_key', 'net', 'requester', 'hospital_no', 'purpose', 'policy_version', 'expiry']
  return Object.fromEntries(names.map((name) => [name, g.raw(name)]))
}

// RFC 9497's batch proof has the form of ours with another domain: this computes it from the same parts.
function voprf(g: Given): Output {
  const secret = parseSecretScalar(g.bytes('secret'))
  assert.deepEqual(encodePoint(times(secret, G)), g.bytes('public'))
  const blinded = g.allBytes('inputs').map((input, i) => times(parseSecretScalar(at(g.allBytes('blinds'), i)), ristretto255_hasher.hashToCurve(input, { DST: g.text('group_dst') })))
  const evaluated = blinded.map((point) => times(secret, point))
  const pairs = blinded.map((base, i) => ({ base, image: at(evaluated, i) }))
  const context = concat(ascii('OPRFV1-'), Uint8Array.of(1), ascii('-ristretto255-SHA512'))
  const proof = dleq.proveIn(context, secret, pairs, parseSecretScalar(g.bytes('nonce')))
  dleq.verifyIn(context, times(secret, G), pairs, proof)
  return { blinded: encodeAll(blinded), evaluated: encodeAll(evaluated), proof }
}

// The two KEMs that RFC 9180 and its registration of X-Wing give vectors for, with the AEAD that each has.
async function hpkeBase(g: Given): Promise<Output> {
  const hybridKEM = g.number('kem_id') === 0x647an
  const kem = hybridKEM ? new XWing() : new DhkemX25519HkdfSha256()
  const aead = g.number('aead_id') === 3n ? new Chacha20Poly1305() : new Aes256Gcm()
  const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead })
  const recipientKey = await kem.deserializePrivateKey(g.bytes('sk'))
  const context = await suite.createRecipientContext({ recipientKey, enc: g.bytes('enc'), info: g.bytes('info') })
  const pk = hybridKEM ? await hybrid.publicKey(g.bytes('sk')) : x25519.getPublicKey(g.bytes('sk'))
  return { pk, pt: new Uint8Array(await context.open(g.bytes('ct'), g.bytes('aad'))) }
}

function expand(as: typeof shortHash | typeof sha512, g: Given): Output {
  try {
    return { okm: hkdf(as, g.bytes('ikm'), g.bytes('salt'), g.bytes('info'), Number(g.number('size'))), valid: true }
  } catch {
    return { okm: new Uint8Array(), valid: false }
  }
}
