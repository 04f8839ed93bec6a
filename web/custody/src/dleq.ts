import { sha512 } from '@noble/hashes/sha2.js'
import { expand_message_xmd } from '@noble/curves/abstract/hash-to-curve.js'
import { ascii, type Bytes, concat, equal, hash, randomBytes } from './encoding.js'
import { encodePoint, G, type Point, publicTimes, sum, times } from './point.js'
import { demand } from './refusal.js'
import { encodeScalar, field, parseScalar, type Scalar, wideScalar } from './scalar.js'

/** What a proof is for. Each has a domain of its own. */
export const proofKind = {
  encap: 'phrd/v1/encap/',
  request: 'phrd/v1/req/',
  share: 'phrd/v1/share/',
  knowledge: 'phrd/v1/pok/',
  possession: 'phrd/v1/pop/',
} as const
export type ProofKind = (typeof proofKind)[keyof typeof proofKind]

/** A pair that one secret joins: image = secret · base. */
export interface Pair {
  readonly base: Point
  readonly image: Point
}

const largestBatch = 64

/** nonce hedges fresh chance with the secret and what is proved; zero means: again with other chance. */
export function nonce(kind: string, secret: Scalar, label: Uint8Array, fresh: Uint8Array): Scalar {
  return wideScalar(hash('phrd/v1/nonce', ascii(kind), encodeScalar(secret), label, fresh))
}

/** drawNonce is a nonce with fresh chance of the platform. */
export function drawNonce(kind: string, secret: Scalar, label: Uint8Array): Scalar {
  for (;;) {
    const drawn = nonce(kind, secret, label, randomBytes(32))
    if (drawn !== 0n) return drawn
  }
}

/**
 * prove makes the proof c‖s of RFC 9497 §2.2 that the secret joins G to its public point and
 * each pair, 64 bytes. A test gives the nonce; nobody else does.
 */
export function prove(kind: ProofKind, label: Uint8Array, secret: Scalar, pairs: readonly Pair[], r = drawNonce(kind, secret, label)): Bytes {
  return proveIn(concat(ascii(kind), label), secret, pairs, r)
}

/** proveIn does so under a context string of RFC 9497. */
export function proveIn(context: Uint8Array, secret: Scalar, pairs: readonly Pair[], r: Scalar): Bytes {
  const transcript = new Transcript(context, times(secret, G), pairs)
  const base = transcript.base()
  const c = transcript.challenge(base, times(secret, base), times(r, G), times(r, base))
  return concat(encodeScalar(c), encodeScalar(field.sub(r, field.mul(c, secret))))
}

/** verify refuses a proof that does not show that one secret joins G to the public point and each pair. */
export function verify(kind: ProofKind, label: Uint8Array, publicPoint: Point, pairs: readonly Pair[], proof: Uint8Array): void {
  verifyIn(concat(ascii(kind), label), publicPoint, pairs, proof)
}

/** verifyIn does so under a context string of RFC 9497. */
export function verifyIn(context: Uint8Array, publicPoint: Point, pairs: readonly Pair[], proof: Uint8Array): void {
  demand(proof.length === 64, 'a proof is not 64 bytes')
  const c = parseScalar(proof.subarray(0, 32))
  const s = parseScalar(proof.subarray(32))
  const transcript = new Transcript(context, publicPoint, pairs)
  const base = transcript.base()
  const image = transcript.image()
  const first = sum([publicTimes(s, G), publicTimes(c, publicPoint)])
  const second = sum([publicTimes(s, base), publicTimes(c, image)])
  const again = transcript.challenge(base, image, first, second)
  demand(equal(encodeScalar(again), encodeScalar(c)), 'a proof is wrong')
}

// Transcript is ComputeComposites and the challenge of RFC 9497 §2.2.
class Transcript {
  readonly #context: Uint8Array
  readonly #publicPoint: Bytes
  readonly #pairs: readonly Pair[]
  readonly #weights: readonly Scalar[]

  constructor(context: Uint8Array, publicPoint: Point, pairs: readonly Pair[]) {
    demand(pairs.length >= 1 && pairs.length <= largestBatch, `a proof over ${pairs.length} pairs`)
    this.#context = context
    this.#publicPoint = encodePoint(publicPoint)
    this.#pairs = pairs
    const seed = sha512(concat(short(this.#publicPoint), short(concat(ascii('Seed-'), this.#context))))
    this.#weights = pairs.map((pair, i) =>
      this.#toScalar(concat(short(seed), two(i), short(encodePoint(pair.base)), short(encodePoint(pair.image)), ascii('Composite'))),
    )
  }

  base(): Point {
    return sum(this.#pairs.map((pair, i) => publicTimes(this.#weights[i] ?? 0n, pair.base)))
  }

  image(): Point {
    return sum(this.#pairs.map((pair, i) => publicTimes(this.#weights[i] ?? 0n, pair.image)))
  }

  challenge(base: Point, image: Point, first: Point, second: Point): Scalar {
    const points = [base, image, first, second].map((point) => short(encodePoint(point)))
    return this.#toScalar(concat(short(this.#publicPoint), ...points, ascii('Challenge')))
  }

  #toScalar(message: Uint8Array): Scalar {
    return wideScalar(expand_message_xmd(message, concat(ascii('HashToScalar-'), this.#context), 64, sha512))
  }
}

// short is the length in 2 bytes, then the bytes: RFC 9497 writes lengths so.
function short(bytes: Uint8Array): Bytes {
  return concat(two(bytes.length), bytes)
}

function two(n: number): Bytes {
  return Uint8Array.of(n >> 8, n & 255)
}
