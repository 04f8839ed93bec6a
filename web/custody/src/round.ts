import { type Bytes, counted, hash, list, u64 } from './encoding.js'
import { parseNet } from './generation.js'
import * as hybrid from './hybrid.js'
import { keyKind, member } from './kinds.js'
import { demand } from './refusal.js'
import { index } from './share.js'

/** A receiver of a round: a member's number and its round key. */
export interface Receiver {
  readonly number: bigint
  readonly key: Uint8Array
}

/** One round of key generation (oldThreshold 0) or of resharing. */
export interface Round {
  readonly net: Uint8Array
  readonly kind: bigint
  readonly generation: bigint
  readonly epoch: bigint
  readonly attempt: bigint
  readonly oldThreshold: bigint
  readonly threshold: bigint
  readonly dealers: readonly bigint[]
  readonly receivers: readonly Receiver[]
}

/** roundHash is ρ of appendix A. */
export function roundHash(r: Round): Bytes {
  check(r)
  return hash(
    'phrd/v1/round',
    parseNet(r.net),
    member(keyKind, r.kind, 'key kind'),
    counted(r.generation, 'generation'),
    counted(r.epoch, 'epoch'),
    counted(r.attempt, 'attempt'),
    u64(r.oldThreshold),
    u64(r.threshold),
    ...list(r.dealers.map(index)),
    u64(BigInt(r.receivers.length)),
    ...r.receivers.flatMap((to) => [index(to.number), hybrid.parsePublicKey(to.key)]),
  )
}

function check(r: Round): void {
  const receivers = r.receivers.map((to) => to.number)
  demand(rising(r.dealers) && rising(receivers), 'the members of a round are not ascending')
  demand(r.dealers.length >= 1, 'a round has no dealer')
  demand(r.threshold >= 1n && r.threshold <= BigInt(receivers.length), 'the threshold does not fit the receivers')
  demand(r.oldThreshold <= BigInt(r.dealers.length), 'the old threshold does not fit the dealers')
  if (r.oldThreshold === 0n) demand(r.dealers.join() === receivers.join(), 'a first round has dealers that are not its receivers')
}

function rising(numbers: readonly bigint[]): boolean {
  return numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? n))
}
