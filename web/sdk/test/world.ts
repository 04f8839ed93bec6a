import assert from 'node:assert/strict'
import { clone, create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { cidText } from '#custody/cid.js'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { generationHash } from '#custody/generation.js'
import * as hybrid from '#custody/hybrid.js'
import { idText } from '#custody/id.js'
import { recipientKind } from '#custody/kinds.js'
import { encodePoint, G, times } from '#custody/point.js'
import { evaluate } from '#custody/polynomial.js'
import { type Proposal, proposalHash, proveRequest, unlockID } from '#custody/request.js'
import { randomScalar, type Scalar } from '#custody/scalar.js'
import { makeShare } from '#custody/share.js'
import { hex } from '#custody/wallet.js'
import { onThisThread } from '../src/content/chunks.js'
import { sealObject } from '../src/content/seal.js'
import { type Unlock, UnlockSchema, UnlockStatus } from '../src/generated/phrd/access/v1/unlock_pb.js'
import { type Member, MemberSchema, MemberStatus, type Principal, PrincipalSchema, Role } from '../src/generated/phrd/consortium/v1/member_pb.js'
import { type Holder, HolderSchema, type Key, KeyKind, KeySchema, type Share, ShareSchema } from '../src/generated/phrd/custody/v1/key_pb.js'
import { Lock, OwnerKind, type Version, VersionSchema } from '../src/generated/phrd/records/v1/record_pb.js'
import { lockVersion, type VaultKey } from '../src/records/lock.js'
import { type Generation, lockOf } from '../src/unlock/locked.js'
import { newSession } from '../src/unlock/session.js'
import { Vault } from '../src/vault/open.js'
import { parseAddress } from '../src/wallet/address.js'

/** names of the hospitals, by their numbers. */
export const names = ['', 'clinic', 'north', 'er', 'south'] as const
const threshold = 3
const proposedAt = 1_800_000_000n

/** State is what a hospital's node shows. */
export interface State {
  readonly network: Bytes
  readonly unlock: Unlock
  readonly status: UnlockStatus
  readonly requester: Principal
  readonly members: readonly Member[]
  readonly version: Version
  readonly key: Key
  readonly holders: readonly Holder[]
  readonly shares: readonly Share[]
}

/** World is a version that clinic keeps of alice, for which a doctor of er has asked and clinic's officer has endorsed. */
export interface World {
  readonly state: State
  readonly plain: Bytes
  readonly vault: Vault
  readonly seed: Bytes
  /** All blocks, by the text of their CIDs. */
  readonly blocks: Map<string, Bytes>
}

/** Wishes say what is different about a request. */
export interface Wishes {
  readonly purpose?: string
  readonly lifetime?: bigint
  /** The seed of the doctor's vault, to which the version is sealed besides. */
  readonly granted?: Bytes
}

/** newWorld draws everything anew. */
export async function newWorld(doctor: string, wishes: Wishes = {}): Promise<World> {
  const network = randomBytes(32)
  const polynomial = Array.from({ length: threshold }, randomScalar)
  const generation = generationAt(network, polynomial)
  const blocks = new Map<string, Bytes>()
  const [patient, vaultSeed, plain] = [randomBytes(16), randomBytes(32), randomBytes(9000)]
  const others = wishes.granted === undefined ? [] : [{ kind: BigInt(recipientKind.staff), id: parseAddress(doctor), epoch: 1n, key: await hybrid.publicKey(wishes.granted) }]
  const version = await newVersion(network, generation, patient, vaultSeed, plain, blocks, others)
  const asked = await newUnlock(network, generation, doctor, version, patient, wishes)
  blocks.set(asked.unlock.requestKey, asked.session.key)
  const release = { net: network, unlock: asked.id, gen: generation.gen, M: asked.proposal.versions.map((v) => v.M) }
  const holders = [1n, 2n, 3n, 4n].map((index) => create(HolderSchema, {
    kind: KeyKind.RECORDS, generation: 1n, shareEpoch: 1n, index, publicShare: encodePoint(times(evaluate(polynomial, index), G)), confirmed: true,
  }))
  const shares = holders.map(({ index }) => {
    const share = makeShare(release, 1n, index, evaluate(polynomial, index))
    return create(ShareSchema, { unlock: asked.unlock.id, shareEpoch: 1n, index, points: share.D.map(encodePoint), proof: share.proof })
  })
  const state = {
    network, unlock: asked.unlock, status: UnlockStatus.ENDORSED, version, key: generation.key, holders, shares,
    requester: create(PrincipalSchema, { address: doctor, role: Role.CLINICIAN, hospital: 3n, active: true }),
    members: [1, 2, 3, 4].map((n) => create(MemberSchema, { number: BigInt(n), name: names[n] ?? '', status: MemberStatus.ACTIVE, gatewayUrl: `https://${names[n]}.test` })),
  }
  return { state, plain, vault: new Vault(patient, [{ epoch: 1n, seed: vaultSeed }], randomBytes(32)), seed: asked.session.seed, blocks }
}

function generationAt(net: Bytes, polynomial: readonly Scalar[]): Generation {
  const X = times(polynomial[0] ?? assert.fail(), G)
  const key = create(KeySchema, { kind: KeyKind.RECORDS, generation: 1n, publicKey: encodePoint(X), threshold: BigInt(threshold), shareEpoch: 1n })
  return { key, X, gen: generationHash({ net, kind: 1n, generation: 1n, X }) }
}

async function newVersion(
  net: Bytes, generation: Generation, patient: Bytes, vaultSeed: Bytes, plain: Bytes, blocks: Map<string, Bytes>, others: readonly VaultKey[],
): Promise<Version> {
  const sealed = await sealObject(new Blob([plain]), { name: 'scan.dcm', mediaType: 'application/dicom' }, onThisThread, async (cid, block) => {
    blocks.set(cidText(cid), block)
  })
  const record = randomBytes(16)
  const locked = await lockVersion({
    net, record, version: 1n, ownerKind: 1n, ownerID: patient, custodian: 1n, generation, signer: randomBytes(20),
    recipients: [{ kind: 1n, id: patient, epoch: 1n, key: await hybrid.publicKey(vaultSeed) }, ...others],
  }, sealed)
  blocks.set(cidText(locked.cid), locked.block)
  const { U, c, pc, dc } = locked.envelope
  return create(VersionSchema, {
    record: idText(record), version: 1n, envelope: cidText(locked.cid), object: cidText(sealed.object), size: sealed.padded,
    header: {
      suite: 1, lock: Lock.OWNER_AND_NETWORK, ownerKind: OwnerKind.PATIENT, patient: idText(patient), custodian: 1n, generation: 1n, u: encodePoint(U), c, pc, dc,
    },
  })
}

async function newUnlock(net: Bytes, generation: Generation, doctor: string, v: Version, patient: Bytes, wishes: Wishes) {
  const session = await newSession()
  const header = v.header ?? assert.fail()
  const locked = lockOf(net, generation, v)
  const proposal: Proposal = {
    net, requester: parseAddress(doctor), hospital: 3n, purpose: wishes.purpose ?? 'TREAT', policyVersion: 0n, expiry: proposedAt + (wishes.lifetime ?? 3600n),
    requestKey: session.keyCID, B: session.B,
    versions: [{ record: locked.record, version: 1n, ctx: locked.ctx, U: locked.U, M: times(session.b, locked.U), c: locked.c }],
  }
  const id = unlockID(proposalHash(proposal))
  const unlock = create(UnlockSchema, {
    id: hex(id), requester: doctor, hospital: 3n, purpose: proposal.purpose, expiresAt: proposal.expiry, requestKey: cidText(session.keyCID), b: encodePoint(session.B),
    proof: proveRequest(proposal, session.b), versions: proposal.versions.map((p) => ({ record: v.record, version: p.version, m: encodePoint(p.M) })),
    patient: idText(patient), custodian: header.custodian, endorsementsNeeded: 1, endorsements: [{ officer: 'officer', at: proposedAt }], proposedAt,
  })
  return { session, proposal, id, unlock }
}

/** changed is a message with some fields set to other values. */
export function changed<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, fields: MessageInitShape<Desc>): MessageShape<Desc> {
  const values = Object.entries(create(schema, fields)).filter(([name]) => name in fields)
  return Object.assign(clone(schema, message), Object.fromEntries(values))
}
