import { isKind } from './errors.js'

// The pauses between questions while something is awaited, in milliseconds: the first, and the longest.
const first = 50
const longest = 500

/** sleep resolves after so many milliseconds, and rejects as soon as the signal is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const end = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', end, { once: true })
  })
}

/** poll asks again and again until there is an answer, or the signal is aborted. */
export async function poll<T>(signal: AbortSignal, ask: () => Promise<T | undefined>): Promise<T> {
  for (let pause = first; ; pause = Math.min(2 * pause, longest)) {
    signal.throwIfAborted()
    const found = await ask()
    if (found !== undefined) return found
    await sleep(pause, signal)
  }
}

// How long what was just written is awaited where it is not known: nodes are a block or two apart.
const arriveTime = 5_000

/** arrived reads what somebody else may have written a moment ago, again for a while where it is not found. */
export async function arrived<T>(read: () => Promise<T>): Promise<T> {
  for (const until = Date.now() + arriveTime; ; ) {
    try {
      return await read()
    } catch (cause) {
      if (!isKind(cause, 'not found') || Date.now() > until) throw cause
    }
    await sleep(250)
  }
}
