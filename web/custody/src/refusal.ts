/**
 * Refusal is the only error that this package throws over what it was given. Everything
 * that docs/custody.md refuses ends in one, and nothing is returned beside it. Any other
 * error is a fault of this package.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** refuse ends the caller's work. The message names what is wrong and never key material. */
export function refuse(message: string): never {
  throw new Refusal(message)
}

/** demand refuses with the message unless the condition holds. */
export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) refuse(message)
}
