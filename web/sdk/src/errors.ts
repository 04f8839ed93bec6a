/** What went wrong, for a program that acts on it. */
export type Kind =
  /** No gateway that was tried answered in time, or none is ready. */
  | 'unreachable'
  /** A gateway belongs to another network. */
  | 'network'
  /** A gateway did not accept the login, or asked to sign something else than a login. */
  | 'login'
  /** The account may not do this. */
  | 'forbidden'
  /** What was asked for does not exist, or the account may not know of it. */
  | 'not found'
  /** The network does not know the account. */
  | 'no account'
  /** A transaction was sent and is in no block yet. It may still come into one. */
  | 'not committed'
  /** A text is no invitation. */
  | 'invitation'
  /** A vault does not open with what was given. */
  | 'vault'
  /** A consent is out of its bounds, or to who may not ask. */
  | 'consent'
  /** An agreement for emergencies is out of its bounds. */
  | 'emergency'
  /** A version is not sealed for emergencies. */
  | 'no box'
  /** A text is no month. */
  | 'month'
  /** A text names no version of a record. */
  | 'ref'
  /** An upload cannot be carried on. */
  | 'upload'
  /** A file is another one than the one that was begun. */
  | 'file'
  /** The leaves of an earlier version can't be used again for a new one. */
  | 'previous'
  /** What the gateway gives back is not what was stored. */
  | 'read back'
  /** An unlock waits for signatures. */
  | 'not approved'
  /** A consent stood in for the approval of an unlock. */
  | 'consented'
  /** An unlock is approved and not enough hospitals have given their shares. */
  | 'not released'
  /** A new envelope is not at enough hospitals yet. */
  | 'not copied'
  /** A recovery waits for approvals, for its delay, or for shares. */
  | 'not ready'
  /** An unlock was denied, withdrawn or closed, or has expired. */
  | 'ended'
  /** This program does not hold the session of an unlock. */
  | 'session'
  /** An unlock is not what its id stands for, or breaks a rule that its owner checks. */
  | 'proposal'
  /** The nodes of two hospitals show different things. */
  | 'disagree'
  /** A block is not the one that its identifier names. */
  | 'block'
  /** Somebody was asked by a wallet, and said no. */
  | 'rejected'
  /** A wallet signed another document than the one it was given. */
  | 'document'
  /** The gateway answered what nobody can read. */
  | 'answer'

/** PhrdError is every failure of this package that its caller may want to tell apart. It holds no key material and no plaintext. */
export class PhrdError extends Error {
  override readonly name = 'PhrdError'
  readonly kind: Kind

  constructor(kind: Kind, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.kind = kind
  }
}

/** Refused is the answer of the chain to a message that it did not carry out. The refusal of a handler stands in the log. */
export class Refused extends Error {
  override readonly name = 'Refused'
  /** The full name of the message, like "phrd.access.v1.MsgApproveUnlock". */
  readonly of: string
  /** The code of the refusal, like "not_endorsed"; "<codespace>/<number>" where the transaction failed. */
  readonly reason: string

  constructor(of: string, reason: string, detail = '') {
    super(`the chain refused ${of}: ${reason}${detail === '' ? '' : `: ${detail}`}`)
    this.of = of
    this.reason = reason
  }
}

/** isKind tells whether an error is a PhrdError of one of the kinds. */
export function isKind(error: unknown, ...kinds: readonly Kind[]): boolean {
  return error instanceof PhrdError && kinds.includes(error.kind)
}
