import { checkSubShare, parseCommitments } from './deal.js'
import { type Bytes, concat, counted, fixed, hash } from './encoding.js'
import { parseAddress, parseHash, parseNet } from './generation.js'
import * as hybrid from './hybrid.js'
import { parseID } from './id.js'
import { encodePoint, G, type Point, times } from './point.js'
import { lambda } from './polynomial.js'
import { bytesField, Message } from './protobuf.js'
import { demand } from './refusal.js'
import { encodeScalar, field, parseSecretScalar, type Scalar } from './scalar.js'
import { index } from './share.js'

const [fewest, most] = [2, 8]

/** A slot that guardians open together. */
export interface GuardianSlot {
  readonly net: Uint8Array
  readonly vault: Uint8Array
  readonly slot: Uint8Array
  readonly revision: bigint
}

/** guardianInfo binds a guardian's share to the slot, the place and the commitments. */
export function guardianInfo(s: GuardianSlot, at: bigint, commitments: readonly Point[]): Bytes {
  return hash('phrd/v1/guardian', ...slotFields(s), index(at), ...commitments.map(encodePoint))
}

/** sealGuardianShare seals a share of the guardians' secret to a guardian's vault key. */
export async function sealGuardianShare(info: Uint8Array, key: Uint8Array, share: Scalar, chance?: Uint8Array): Promise<Bytes> {
  return hybrid.seal(key, info, encodeScalar(share), chance)
}

/** openGuardianShare opens it. Whether it fits the commitments is checked with checkSubShare. */
export async function openGuardianShare(info: Uint8Array, seed: Uint8Array, sealed: Uint8Array): Promise<Scalar> {
  return parseSecretScalar(await hybrid.open(seed, info, fixed(sealed, hybrid.sealedSize, "a guardian's share")))
}

/** encodeShares is the block with the sealed shares, in the guardians' order. */
export function encodeShares(sealed: readonly Uint8Array[]): Bytes {
  checkShares(sealed)
  return concat(...sealed.map((share) => bytesField(1, share)))
}

/** parseShares reads the block, in its one encoding. */
export function parseShares(block: Uint8Array): readonly Bytes[] {
  const sealed = new Message(block, { 1: 'messages' }).messages(1)
  checkShares(sealed)
  return sealed
}

function checkShares(sealed: readonly Uint8Array[]): void {
  demand(sealed.length >= fewest && sealed.length <= most, `${sealed.length} guardians`)
  for (const share of sealed) fixed(share, hybrid.sealedSize, "a guardian's share")
}

/** shareCapsuleInfo binds a guardian's share to the recovery that it is given for, by its unlock. */
export function shareCapsuleInfo(net: Uint8Array, unlock: Uint8Array, place: bigint): Bytes {
  return hash('phrd/v1/guardian-capsule', parseNet(net), fixed(unlock, 32, 'an unlock id'), index(place))
}

/** sealShareCapsule seals a guardian's share to the one-time key of who recovers. */
export async function sealShareCapsule(info: Uint8Array, key: Uint8Array, share: Scalar, chance?: Uint8Array): Promise<Bytes> {
  return hybrid.seal(key, info, encodeScalar(share), chance)
}

/** openShareCapsule opens it. Whether the share fits the commitments is checked with checkSubShare. */
export async function openShareCapsule(info: Uint8Array, seed: Uint8Array, capsule: Uint8Array): Promise<Scalar> {
  return parseSecretScalar(await hybrid.open(seed, info, fixed(capsule, hybrid.sealedSize, 'a share capsule')))
}

/** guardianContext is ctx_g of appendix A. */
export function guardianContext(s: GuardianSlot, gen: Uint8Array): Bytes {
  return hash('phrd/v1/guardian-ctx', ...slotFields(s), parseHash(gen, 'a generation'))
}

/** guardianLabel is the label of the slot's encapsulation proof. */
export function guardianLabel(ctx: Uint8Array, U: Point, UBar: Point, A0: Point, signer: Uint8Array): Bytes {
  return hash('phrd/v1/encap-guardian', parseHash(ctx, 'a context'), encodePoint(U), encodePoint(UBar), encodePoint(A0), parseAddress(signer))
}

/** joinGuardians gives the guardians' secret from as many shares as there are commitments, each of which fits them. */
export function joinGuardians(commitments: readonly Point[], shares: readonly { readonly at: bigint; readonly share: Scalar }[]): Bytes {
  const threshold = parseCommitments(BigInt(commitments.length), commitments.map(encodePoint)).length
  demand(shares.length >= threshold, `${shares.length} shares of ${threshold}`)
  const used = shares.slice(0, threshold)
  for (const { at, share } of used) checkSubShare(commitments, at, share)
  const weights = lambda(used.map(({ at }) => at))
  const secret = used.reduce((sum, { share }, i) => field.add(sum, field.mul(weights[i] ?? 0n, share)), 0n)
  demand(secret !== 0n && commitments[0]?.equals(times(secret, G)) === true, 'the shares join to another secret')
  return encodeScalar(secret)
}

function slotFields(s: GuardianSlot): Bytes[] {
  return [parseNet(s.net), parseID(s.vault), parseID(s.slot), counted(s.revision, 'revision')]
}
