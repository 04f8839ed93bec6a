import type { Context, Generation } from '../src/generation.js'
import type { Release, Share } from '../src/share.js'
import type { Committee } from '../src/combine.js'
import { type EmergencyBlock, type Envelope, inOrder, type OwnHalf } from '../src/envelope.js'
import type { GuardianSlot } from '../src/guardians.js'
import type { LockedVersion } from '../src/encap.js'
import type { Entry } from '../src/object.js'
import type { Manifest } from '../src/manifest.js'
import type { Proposal } from '../src/request.js'
import type { Recipient } from '../src/own.js'
import type { Round } from '../src/round.js'
import type { Salted } from '../src/commit.js'
import type { SlotHead } from '../src/slot.js'
import type { SlotText } from '../src/wallet.js'
import type { VaultHead } from '../src/vault.js'
import type { Given } from './given.js'
import { parseCommitments } from '../src/deal.js'
import { parseEncapsulation, parsePoint, type Point } from '../src/point.js'

// How the files of testdata/custody give what the package takes.

export const generation = (g: Given): Generation => ({
  net: g.bytes('net'),
  kind: g.number('key_kind'),
  generation: g.number('generation'),
  X: parsePoint(g.bytes('x_pub')),
})

export const context = (g: Given, gen = g.bytes('gen')): Context => ({
  net: g.bytes('net'),
  suite: g.number('suite'),
  lock: g.number('lock'),
  record: g.bytes('record_id'),
  version: g.number('version'),
  ownerKind: g.number('owner_kind'),
  ownerID: g.bytes('owner_id'),
  custodian: g.number('custodian_no'),
  gen,
})

export const salted = (g: Given): Salted => ({
  ctx: g.bytes('ctx'),
  U: parseEncapsulation(g.bytes('u')),
  UBar: parsePoint(g.bytes('u_bar')),
  pc: g.bytes('pc'),
  dc: g.bytes('dc'),
  manifest: g.bytes('manifest_cid'),
  object: g.bytes('object_cid'),
})

export const recipient = (g: Given): Recipient => ({
  kind: g.number('recipient_kind'),
  id: g.bytes('recipient_id'),
  epoch: g.number('vault_epoch'),
})

export const ownHalf = (g: Given): OwnHalf => ({ ...recipient(g), keyHash: g.bytes('key_hash'), sealed: g.bytes('own_ct') })

export const envelope = (g: Given): Envelope => ({
  suite: g.number('suite'),
  U: parseEncapsulation(g.bytes('u')),
  UBar: parsePoint(g.bytes('u_bar')),
  pc: g.bytes('pc'),
  dc: g.bytes('dc'),
  c: g.bytes('c'),
  wrap: g.bytes('wrap'),
  manifest: g.bytes('manifest_cid'),
  own: inOrder(g.all('own').map(ownHalf)),
})

export const emergencyBlock = (g: Given): EmergencyBlock => ({
  U: parseEncapsulation(g.bytes('u_e')),
  UBar: parsePoint(g.bytes('u_bar_e')),
  box: g.bytes('box'),
})

export const lockedVersion = (g: Given): Omit<LockedVersion, 'U' | 'UBar'> => ({
  ctx: g.bytes('ctx'),
  gen: g.bytes('gen'),
  c: g.bytes('c'),
  pc: g.bytes('pc'),
  dc: g.bytes('dc'),
  envelope: g.bytes('envelope_cid'),
  object: g.bytes('object_cid'),
  ownKeys: g.allBytes('own_key_hashes'),
  signer: g.bytes('signer'),
})

export const proposal = (g: Given, versions: Proposal['versions'], B: Proposal['B']): Proposal => ({
  net: g.bytes('net'),
  requester: g.bytes('requester'),
  hospital: g.number('hospital_no'),
  purpose: g.text('purpose'),
  policyVersion: g.number('policy_version'),
  expiry: g.number('expiry'),
  requestKey: g.bytes('rk_cid'),
  B,
  versions,
})

export const proposedVersion = (g: Given): Omit<Proposal['versions'][number], 'M'> => ({
  record: g.bytes('record_id'),
  version: g.number('version'),
  ctx: g.bytes('ctx'),
  U: parseEncapsulation(g.bytes('u')),
  c: g.bytes('c'),
})

export const release = (g: Given): Release => ({
  net: g.bytes('net'),
  unlock: g.bytes('unlock_id'),
  gen: g.bytes('gen'),
  M: g.allBytes('m').map(parsePoint),
})

export const share = (g: Given): Share => ({
  epoch: g.number('share_epoch'),
  index: g.number('index'),
  D: g.allBytes('d').map(parsePoint),
  proof: g.has('proof') ? g.bytes('proof') : new Uint8Array(),
})

/** The committees that the shares of a case say they are of, each with the case's threshold. */
export const committees = (g: Given): Committee[] => {
  const shares = g.all('shares')
  return [...new Set(shares.map((s) => s.number('share_epoch')))].map((epoch) => ({
    epoch,
    threshold: g.number('threshold'),
    holders: new Map(shares.filter((s) => s.number('share_epoch') === epoch).map((s) => [s.number('index'), parsePoint(s.bytes('x_i_pub'))])),
  }))
}

export const round = (g: Given): Round => ({
  net: g.bytes('net'),
  kind: g.number('key_kind'),
  generation: g.number('generation'),
  epoch: g.number('share_epoch'),
  attempt: g.number('attempt'),
  oldThreshold: g.number('t_old'),
  threshold: g.number('t_new'),
  dealers: g.numbers('dealers'),
  receivers: g.all('receivers').map((to) => ({ number: to.number('no'), key: to.bytes('round_key') })),
})

/** The commitments of a deal, as many as the case says or has. */
export const commitments = (g: Given): Point[] => {
  const encoded = g.allBytes('commitments')
  return parseCommitments(g.has('threshold') ? g.number('threshold') : BigInt(encoded.length), encoded)
}

export const slotHead = (g: Given): SlotHead => ({
  net: g.bytes('net'),
  kind: g.number('slot_kind'),
  address: g.bytes('address'),
  vault: g.bytes('vault_id'),
  slot: g.bytes('slot_id'),
  revision: g.number('revision'),
})

export const vaultHead = (g: Given, newest: bigint): VaultHead => ({
  net: g.bytes('net'),
  vault: g.bytes('vault_id'),
  revision: g.number('revision'),
  newest,
})

export const slotText = (g: Given): SlotText => ({
  net: g.bytes('net'),
  chainID: g.text('chain_id'),
  account: g.text('account'),
  vault: g.bytes('vault_id'),
  slot: g.bytes('slot_id'),
  site: g.text('site'),
})

export const guardianSlot = (g: Given): GuardianSlot => ({
  net: g.bytes('net'),
  vault: g.bytes('vault_id'),
  slot: g.bytes('slot_id'),
  revision: g.number('revision'),
})

export const entry = (g: Given): Entry => ({
  cid: g.bytes('cid'),
  key: g.bytes('key'),
  length: Number(g.number('length')),
  chunkID: g.bytes('hmac'),
})

export const manifest = (g: Given, entries: readonly Entry[]): Manifest => ({
  name: g.text('name'),
  mediaType: g.text('media_type'),
  created: g.number('created'),
  modified: g.number('modified'),
  size: g.number('size'),
  entries,
  ...(g.has('id_key') ? { idKey: g.bytes('id_key') } : {}),
})
