import { type Bytes, randomBytes } from '#custody/encoding.js'
import { Refusal } from '#custody/refusal.js'
import { type Session, session } from '#custody/session.js'
import { PhrdError } from '../errors.js'
import type { Secrets } from '../secrets.js'

/** newSession draws the session of an unlock, which receives both halves of its versions' keys. */
export async function newSession(): Promise<Session & { readonly seed: Bytes }> {
  for (;;) {
    const seed = randomBytes(32)
    try {
      return { ...(await session(seed)), seed }
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause // one seed in 2^252 blinds nothing
    }
  }
}

/** keepSession keeps the seed of an unlock's session. */
export async function keepSession(secrets: Secrets, unlock: string, seed: Bytes): Promise<void> {
  await secrets.put(nameOf(unlock), seed)
}

/** sessionOf is the session of an unlock that this program proposed. */
export async function sessionOf(secrets: Secrets, unlock: string): Promise<Session> {
  const seed = await secrets.get(nameOf(unlock))
  if (seed === undefined) throw new PhrdError('session', `this program does not hold the session of unlock ${unlock}`)
  return session(seed)
}

/** holdsSession tells whether this program proposed an unlock and can still open it. */
export async function holdsSession(secrets: Secrets, unlock: string): Promise<boolean> {
  return (await secrets.get(nameOf(unlock))) !== undefined
}

/** forgetSession deletes the seed, which nothing brings back: an unlock opens no more then. */
export async function forgetSession(secrets: Secrets, unlock: string): Promise<void> {
  await secrets.delete(nameOf(unlock))
}

function nameOf(unlock: string): string {
  return `session/${unlock}`
}
