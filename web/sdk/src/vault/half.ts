import { checkOwnerHalf } from '#custody/commit.js'
import { type Bytes, equal } from '#custody/encoding.js'
import type { Envelope } from '#custody/envelope.js'
import { openOwn } from '#custody/own.js'
import { PhrdError } from '../errors.js'
import type { LockedVersion } from '../unlock/locked.js'

/** Holder is whose vault it is, and what it holds: the seed of an epoch, undefined where there is none. */
export interface Holder {
  readonly kind: bigint
  readonly id: Uint8Array
  seed(epoch: bigint): Promise<Uint8Array | undefined>
}

/** openHalf opens the owner's half in an envelope that is sealed to a vault, whatever epoch it is sealed to, and checks it against Pc. */
export async function openHalf(version: LockedVersion, envelope: Envelope, holder: Holder): Promise<Bytes> {
  for (const half of envelope.own) {
    if (half.kind !== holder.kind || !equal(half.id, holder.id)) continue
    const seed = await holder.seed(half.epoch)
    if (seed === undefined) continue
    const p = await openOwn(version.ctx, version.U, half, Uint8Array.from(seed), half.sealed)
    checkOwnerHalf(version.ctx, version.U, p, version.pc)
    return p
  }
  throw new PhrdError('vault', 'the envelope is sealed to no key of this vault')
}
