import * as dleq from './dleq.js'
import { ascii, type Bytes, concat, hash, lp } from './encoding.js'
import { parseHash } from './generation.js'
import { encodePoint, hashToGroup, type Point, times } from './point.js'
import { demand } from './refusal.js'
import type { Scalar } from './scalar.js'
import { index } from './share.js'

/** A proof that its maker knows a secret: the secret times Q, and the proof of it. */
export interface Shown {
  readonly image: Point
  readonly proof: Uint8Array
}

/** knowledgeLabel is the label of a dealer's proof that it knows its constant term. */
export function knowledgeLabel(rho: Uint8Array, dealer: bigint, commitments: readonly Point[]): Bytes {
  return hash('phrd/v1/pok', parseHash(rho, 'a round'), index(dealer), ...commitments.map(encodePoint))
}

/** possessionLabel is the label of a holder's proof that it has its share. */
export function possessionLabel(rho: Uint8Array, at: bigint, X: Point): Bytes {
  return hash('phrd/v1/pop', parseHash(rho, 'a round'), index(at), encodePoint(X))
}

/** questionOf is Q, the point that a label asks to be multiplied. */
export function questionOf(name: 'pok' | 'pop', label: Uint8Array): Point {
  return hashToGroup(concat(lp(ascii(name)), label))
}

/** show answers the label's question with the secret. */
export function show(name: 'pok' | 'pop', label: Uint8Array, secret: Scalar, nonce?: Scalar): Shown {
  const base = questionOf(name, label)
  const image = times(secret, base)
  return { image, proof: dleq.prove(kindOf(name), label, secret, [{ base, image }], nonce) }
}

/** verifyShown refuses an answer that was not made with the secret of the public point. */
export function verifyShown(name: 'pok' | 'pop', label: Uint8Array, publicPoint: Point, shown: Shown): void {
  demand(!publicPoint.is0() && !shown.image.is0(), 'a proof of possession has the identity')
  dleq.verify(kindOf(name), label, publicPoint, [{ base: questionOf(name, label), image: shown.image }], shown.proof)
}

function kindOf(name: 'pok' | 'pop'): dleq.ProofKind {
  return name === 'pok' ? dleq.proofKind.knowledge : dleq.proofKind.possession
}
