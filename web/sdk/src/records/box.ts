import { type Bytes, sha256, u64 } from '#custody/encoding.js'
import { emergencyHash, emergencyLabel, sealBox } from '#custody/emergency.js'
import { encapsulate, proveEncapsulation } from '#custody/encap.js'
import type { EmergencyBlock } from '#custody/envelope.js'
import * as hybrid from '#custody/hybrid.js'
import { recipientKind } from '#custody/kinds.js'
import { sealOwn } from '#custody/own.js'
import { encodePoint, type Point } from '#custody/point.js'
import { randomScalar } from '#custody/scalar.js'
import type { Client } from '../client.js'
import { isKind } from '../errors.js'
import { Query as Access } from '../generated/phrd/access/v1/query_pb.js'
import { KeyKind } from '../generated/phrd/custody/v1/key_pb.js'
import { type Generation, generationOf } from '../unlock/locked.js'

/** gasBox is what an emergency box adds to a message. */
export const gasBox = 60_000n

/** BoxTerms say to which emergency vaults versions of a patient are sealed, and under which key. */
export interface BoxTerms {
  readonly generation: Generation
  /** By hospital, ascending. */
  readonly vaults: readonly { readonly hospital: bigint; readonly epoch: bigint; readonly key: Bytes }[]
}

/** ProvenBox is an emergency box, and what a message says of it. */
export interface ProvenBox {
  readonly block: EmergencyBlock
  readonly lock: { readonly generation: bigint; readonly u: Bytes; readonly uBar: Bytes; readonly hash: Bytes }
  readonly proof: Bytes
}

/** boxTerms reads how a patient agreed to be opened in an emergency: undefined for who did not, and as long as the hospitals have no key for it. */
export async function boxTerms(client: Client, patient: string): Promise<BoxTerms | undefined> {
  const { vaults } = await client.gateways.query(Access.method.emergencyTerms, { patient })
  if (vaults.length === 0) return undefined
  try {
    const generation = await generationOf(client.gateways, client.network, 0n, KeyKind.EMERGENCY)
    const keys = vaults.map((v) => ({ hospital: v.hospital, epoch: v.epoch, key: hybrid.parsePublicKey(v.key) }))
    return { generation, vaults: keys.sort((a, b) => Number(a.hospital - b.hospital)) }
  } catch (cause) {
    if (isKind(cause, 'not found')) return undefined
    throw cause
  }
}

/** newBox seals the owner's half of a version to emergency vaults, under a fresh half of the emergency key, and proves it for who signs the message. */
export async function newBox(terms: BoxTerms, of: { ctx: Bytes; U: Point; pc: Uint8Array; p: Bytes }, signer: Uint8Array): Promise<ProvenBox> {
  const { gen, X, key } = terms.generation
  const halves = await Promise.all(terms.vaults.map(async (vault) => {
    const to = { kind: BigInt(recipientKind.emergency), id: u64(vault.hospital), epoch: vault.epoch }
    return { hospital: vault.hospital, epoch: vault.epoch, sealed: await sealOwn(of.ctx, of.U, to, vault.key, of.p) }
  }))
  const r = randomScalar()
  const { U, UBar, K } = encapsulate(gen, X, r)
  const E = emergencyHash(of.ctx, gen, U, UBar, of.pc)
  const box = await sealBox(E, K, halves)
  const hash = sha256(box)
  return {
    block: { U, UBar, box }, lock: { generation: key.generation, u: encodePoint(U), uBar: encodePoint(UBar), hash },
    proof: proveEncapsulation(emergencyLabel(E, hash, signer), gen, r),
  }
}
