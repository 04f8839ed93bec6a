import { parseRawCID } from './cid.js'
import * as dleq from './dleq.js'
import { ascii, type Bytes, compare, counted, fixed, hash, u64 } from './encoding.js'
import { parseAddress, parseHash, parseNet } from './generation.js'
import { parseID } from './id.js'
import { encodePoint, G, type Point } from './point.js'
import { demand } from './refusal.js'
import type { Scalar } from './scalar.js'

const mostVersions = 64

/** A version of a proposal: its lock, and M = b·U. */
export interface ProposedVersion {
  readonly record: Uint8Array
  readonly version: bigint
  readonly ctx: Uint8Array
  readonly U: Point
  readonly M: Point
  readonly c: Uint8Array
}

/** A proposal to open versions, as everybody is shown it. c of a version may have no bytes for a guardian's. */
export interface Proposal {
  readonly net: Uint8Array
  readonly requester: Uint8Array
  readonly hospital: bigint
  readonly purpose: string
  readonly policyVersion: bigint
  readonly expiry: bigint
  readonly requestKey: Uint8Array
  readonly B: Point
  readonly versions: readonly ProposedVersion[]
}

/** proposalHash is R of appendix A: 64 bytes over everything that a proposal shows. */
export function proposalHash(p: Proposal): Bytes {
  check(p)
  return hash(
    'phrd/v1/request',
    parseNet(p.net),
    parseAddress(p.requester),
    u64(p.hospital),
    ascii(p.purpose),
    u64(p.policyVersion),
    u64(p.expiry),
    parseRawCID(p.requestKey),
    encodePoint(p.B),
    ...listVersions(p.versions),
  )
}

/** unlockID names the unlock of a proposal: the first 32 bytes of its hash. */
export function unlockID(proposal: Uint8Array): Bytes {
  return parseHash(proposal, 'a proposal hash').slice(0, 32)
}

/** proveRequest shows that one b joins B and every M. */
export function proveRequest(p: Proposal, b: Scalar, nonce?: Scalar): Bytes {
  return dleq.prove(dleq.proofKind.request, proposalHash(p), b, pairs(p), nonce)
}

/** verifyRequest refuses a proposal whose points are not those of one b. */
export function verifyRequest(p: Proposal, proof: Uint8Array): void {
  dleq.verify(dleq.proofKind.request, proposalHash(p), p.B, pairs(p), proof)
}

function pairs(p: Proposal): dleq.Pair[] {
  return p.versions.map((v) => ({ base: v.U, image: v.M }))
}

function check(p: Proposal): void {
  demand(/^[A-Z0-9]{1,16}$/.test(p.purpose), 'a purpose is not a code of A-Z and digits')
  demand(!p.B.is0() && !p.B.equals(G), 'B is the identity or the base point')
  demand(p.versions.length >= 1 && p.versions.length <= mostVersions, `a proposal of ${p.versions.length} versions`)
  p.versions.forEach((v, i) => {
    demand(!v.U.is0() && !v.U.equals(G) && !v.M.is0(), 'U or M is the identity or the base point')
    const before = p.versions[i - 1]
    demand(before === undefined || order(before, v) < 0, 'the versions are not in order')
  })
}

function order(a: ProposedVersion, b: ProposedVersion): number {
  return compare(a.record, b.record) || (a.version < b.version ? -1 : Number(a.version > b.version))
}

// The count, then each version's fields.
function listVersions(versions: readonly ProposedVersion[]): Bytes[] {
  const fields = versions.flatMap((v) => [
    parseID(v.record),
    counted(v.version, 'version'),
    parseHash(v.ctx, 'a context'),
    encodePoint(v.U),
    encodePoint(v.M),
    v.c.length === 0 ? new Uint8Array() : fixed(v.c, 32, 'C'),
  ])
  return [u64(BigInt(versions.length)), ...fields]
}
