import { cidOf } from '#custody/cid.js'
import { dataCommitment, ownerCommitment, salt, unwrap, wrap, wrappingKey } from '#custody/commit.js'
import { encapLabel, encapsulate, proveEncapsulation } from '#custody/encap.js'
import { type Bytes, randomBytes, sha256 } from '#custody/encoding.js'
import { encodeEnvelope, type Envelope, inOrder, type OwnHalf, ownKeyHashes } from '#custody/envelope.js'
import { contextHash } from '#custody/generation.js'
import { lock, suite } from '#custody/kinds.js'
import { type Recipient, sealOwn } from '#custody/own.js'
import type { Point } from '#custody/point.js'
import { randomScalar } from '#custody/scalar.js'
import type { SealedObject } from '../content/seal.js'
import type { Generation } from '../unlock/locked.js'
import { type BoxTerms, newBox, type ProvenBox } from './box.js'
import type { Ref } from './ref.js'

/** VaultKey is a vault's public key, to which an owner half is sealed. */
export interface VaultKey extends Recipient {
  readonly key: Uint8Array
}

/** Terms say how and for whom a version is locked: by both halves. */
export interface Terms extends Ref {
  readonly net: Bytes
  readonly ownerKind: bigint
  readonly ownerID: Uint8Array
  readonly custodian: bigint
  readonly generation: Generation
  /** The owner's vault, and those of grantees. */
  readonly recipients: readonly VaultKey[]
  /** The clerk's address, 20 bytes. */
  readonly signer: Uint8Array
  /** How the patient agreed to be opened in an emergency; undefined where there is no such agreement. */
  readonly box?: BoxTerms | undefined
}

/** Locked is a version's lock: the envelope and what the message carries. */
export interface Locked {
  readonly ctx: Bytes
  readonly envelope: Envelope
  readonly block: Bytes
  readonly cid: Bytes
  readonly proof: Bytes
  readonly ownKeys: readonly Uint8Array[]
  /** What the message carries of the emergency box; undefined where there is none. */
  readonly box: ProvenBox | undefined
  /** unlock opens a block that came back as the version's envelope, with the halves it was made with: the DEK. */
  unlock(back: Envelope): Promise<Bytes>
}

/** lockVersion draws both halves of a version's key and wraps the object's DEK with them. */
export async function lockVersion(t: Terms, sealed: Pick<SealedObject, 'object' | 'manifest' | 'dek'>): Promise<Locked> {
  const gen = t.generation.gen
  const ctx = contextHash({
    net: t.net, suite: BigInt(suite.v1), lock: BigInt(lock.both), record: t.record, version: t.version,
    ownerKind: t.ownerKind, ownerID: t.ownerID, custodian: t.custodian, gen,
  })
  const [p, r] = [randomBytes(32), randomScalar()]
  const { U, UBar, K } = encapsulate(gen, t.generation.X, r)
  const [pc, dc] = [ownerCommitment(ctx, U, p), dataCommitment(t.record, t.version, sealed.dek)]
  const { manifest, object } = sealed
  const T = salt({ ctx, U, UBar, pc, dc, manifest, object })
  const { kek, c } = wrappingKey(lock.both, p, K, T)
  const own = inOrder(await Promise.all(t.recipients.map((to) => ownHalf(ctx, U, to, p))))
  const box = t.box === undefined ? undefined : await newBox(t.box, { ctx, U, pc, p }, t.signer)
  const envelope = {
    suite: BigInt(suite.v1), U, UBar, pc, dc, c, wrap: await wrap(kek, sealed.dek, T), manifest, own, ...(box === undefined ? {} : { emergency: box.block }),
  }
  const block = encodeEnvelope(envelope)
  const [cid, ownKeys] = [cidOf(block), ownKeyHashes(envelope)]
  const label = encapLabel({ ctx, gen, U, UBar, c, pc, dc, envelope: cid, object, ownKeys, signer: t.signer })
  return {
    ctx, envelope, block, cid, ownKeys, box, proof: proveEncapsulation(label, gen, r),
    unlock: (back) => {
      const again = salt({ ctx, U: back.U, UBar: back.UBar, pc: back.pc, dc: back.dc, manifest: back.manifest, object })
      return unwrap(lock.both, p, K, again, { c: back.c, wrap: back.wrap, dc, record: t.record, version: t.version })
    },
  }
}

/** ownHalf is p, sealed to a vault. */
export async function ownHalf(ctx: Bytes, U: Point, to: VaultKey, p: Bytes): Promise<OwnHalf> {
  return { kind: to.kind, id: to.id, epoch: to.epoch, keyHash: sha256(to.key), sealed: await sealOwn(ctx, U, to, to.key, p) }
}
