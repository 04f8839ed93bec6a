import { type Bytes, counted, fixed, hash } from './encoding.js'
import { parseAddress, parseHash, parseNet } from './generation.js'
import * as hybrid from './hybrid.js'
import { parseID } from './id.js'
import { encodePoint, type Point } from './point.js'
import { encodeScalar, parseSecretScalar, type Scalar } from './scalar.js'
import { index } from './share.js'

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

/** guardianContext is ctx_g of appendix A. */
export function guardianContext(s: GuardianSlot, gen: Uint8Array): Bytes {
  return hash('phrd/v1/guardian-ctx', ...slotFields(s), parseHash(gen, 'a generation'))
}

/** guardianLabel is the label of the slot's encapsulation proof. */
export function guardianLabel(ctx: Uint8Array, U: Point, UBar: Point, A0: Point, signer: Uint8Array): Bytes {
  return hash('phrd/v1/encap-guardian', parseHash(ctx, 'a context'), encodePoint(U), encodePoint(UBar), encodePoint(A0), parseAddress(signer))
}

function slotFields(s: GuardianSlot): Bytes[] {
  return [parseNet(s.net), parseID(s.vault), parseID(s.slot), counted(s.revision, 'revision')]
}
