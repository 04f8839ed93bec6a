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
