import { type Bytes, equal } from '#custody/encoding.js'
import { demand, refuse } from '#custody/refusal.js'
import { type Block, checkSignatures, headerHash, type Signed } from './block.js'
import type { Genesis, TrustedBlock } from './trust.js'

/** Tip is the last block of a file, which names the state after the block before it. */
export interface Tip {
  readonly block: Block
  readonly hash: Bytes
  readonly signed: Signed
}

/** Chain follows the blocks of a file from what is trusted: each is signed by the validators that the one before it named. */
export class Chain {
  readonly #from: Genesis | TrustedBlock
  // The hash of the validators that must sign next; undefined before the first block where a block is trusted.
  #expected: Bytes | undefined
  #isTrusted: boolean
  #chainID: string | undefined
  #tip: Tip | undefined

  constructor(from: Genesis | TrustedBlock) {
    this.#from = from
    this.#isTrusted = 'validators' in from
    if ('validators' in from) [this.#expected, this.#chainID] = [from.validators, from.chainID]
  }

  /** add checks the next block. */
  add(block: Block): void {
    const { header } = block
    this.#chainID ??= header.chainID
    demand(header.chainID === this.#chainID, `the block is of chain ${header.chainID}, want ${this.#chainID}`)
    demand(header.height > (this.#tip?.block.header.height ?? 0n), 'the heights of blocks do not ascend')
    const hash = headerHash(header)
    if ('height' in this.#from && header.height === this.#from.height) {
      demand(equal(hash, this.#from.hash), `block ${header.height} has another hash than the trusted one`)
      this.#isTrusted = true
    }
    const isExpected = this.#expected === undefined || equal(header.validatorsHash, this.#expected)
    demand(isExpected, `block ${header.height} is signed by others than were expected`)
    this.#expected = header.nextValidatorsHash
    this.#tip = { block, hash, signed: checkSignatures(block) }
  }

  /** tip is the last block, once nothing is left to be trusted. */
  tip(): Tip {
    if (this.#tip === undefined) return refuse('the file has no block')
    if ('height' in this.#from && !this.#isTrusted) return refuse(`the trusted block ${this.#from.height} is not in the file`)
    return this.#tip
  }
}
