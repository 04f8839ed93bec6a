import type { Method } from './wallet.js'

/** channel marks what this wallet's parts say to each other in a page. */
export const channel = 'phrd-test-wallet'

/** Call is what a page asks of the wallet. */
export interface Call {
  readonly method: Method
  /** What was given to the method, packed. */
  readonly given: string
}

/** Outcome is what the wallet answers: a packed value, or what went wrong. */
export type Outcome = { readonly value: string } | { readonly fault: string }

/** Asked is a call of the page on its way to the relay, and Told is its outcome on the way back. */
export interface Asked extends Call {
  readonly channel: typeof channel
  readonly number: number
}

export interface Told {
  readonly channel: typeof channel
  readonly to: number
  readonly outcome: Outcome
}

/** accountChanged is what the wallet tells pages when another account is used. */
export const accountChanged = 'keplr_keystorechange'

/** faultOf is the outcome of what went wrong. */
export function faultOf(cause: unknown): Outcome {
  return { fault: cause instanceof Error ? cause.message : String(cause) }
}
