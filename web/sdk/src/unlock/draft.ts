import { times } from '#custody/point.js'
import { type Proposal, proposalHash, unlockID } from '#custody/request.js'
import type { Session } from '#custody/session.js'
import type { Bytes } from '#custody/encoding.js'
import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { parseAddress } from '../wallet/address.js'
import type { AskedLock } from './box.js'
import { keepSession, newSession } from './session.js'

/** DraftUnlock is a proposal that the chain does not have yet, with the session that receives what it releases. */
export interface DraftUnlock {
  /** The unlock's id. */
  readonly id: string
  readonly proposal: Proposal
  readonly session: Session & { readonly seed: Bytes }
}

/** draftUnlock draws a session and makes its proposal over locks, in their order. Expiry is in unix seconds. */
export async function draftUnlock(client: Client, of: { readonly purpose: string; readonly expiry: bigint }, locks: readonly AskedLock[]): Promise<DraftUnlock> {
  const { hospital } = await client.principal()
  const session = await newSession()
  const proposal: Proposal = {
    net: client.network, requester: parseAddress(client.signer.address), hospital, ...of, policyVersion: 0n, requestKey: session.keyCID, B: session.B,
    versions: locks.map((v) => ({ record: v.record, version: v.version, ctx: v.ctx, U: v.U, M: times(session.b, v.U), c: v.c })),
  }
  return { id: hex(unlockID(proposalHash(proposal))), proposal, session }
}

/** keepDraft hands the draft's one-time key to a gateway and keeps the seed of its session: an unlock whose session is lost cannot be opened. */
export async function keepDraft(client: Client, { id, session }: DraftUnlock): Promise<void> {
  await client.gateways.putBlock(session.keyCID, session.key)
  await keepSession(client.secrets, id, session.seed)
}
