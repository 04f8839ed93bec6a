import { computed, effect, signal } from '@preact/signals'
import { notices } from '#sdk/notices.js'
import type { Client } from '#sdk/client.js'
import { listening, refreshed } from '../live'
import { stage } from '../session'

// How long a stream may be away before the page says so, and how long several notices wait for each other. In milliseconds.
const lostTime = 3_000
const gatherTime = 200

const silent = signal(false)
const offline = signal(!navigator.onLine)

/** lost tells whether the page has been without word from any hospital for a while, or the browser has no network. */
export const lost = computed(() => silent.value || offline.value)

// Patients are told what happens. Who is none yet concerns nobody, and asks.
const follower = computed<Client | undefined>(() => (stage.value.at === 'open' ? stage.value.client : undefined))

/** follow has the page told what happens, for as long as somebody is signed in. */
export function follow(): void {
  for (const kind of ['online', 'offline']) {
    addEventListener(kind, () => {
      offline.value = !navigator.onLine
      if (navigator.onLine) refreshed.value++
    })
  }
  effect(() => {
    const client = follower.value
    if (client === undefined) return undefined
    const end = new AbortController()
    void listen(client, end.signal)
    return () => end.abort()
  })
}

async function listen(client: Client, signal: AbortSignal): Promise<void> {
  const isLost = delayed(lostTime, () => (silent.value = true))
  const gathered = delayed(gatherTime, () => refreshed.value++)
  const tell = (is: boolean) => {
    if (signal.aborted || is === listening.peek()) return
    listening.value = is
    if (is) {
      isLost.stop()
      silent.value = false
      gathered.start() // what happened meanwhile
    } else isLost.start()
  }
  isLost.start()
  try {
    for await (const _ of notices(client, { signal, listening: tell })) gathered.start()
  } catch {
    // Who may not be told goes on asking.
  } finally {
    isLost.stop()
    gathered.stop()
    listening.value = false
    if (signal.aborted) silent.value = false
  }
}

// A timer that starts once, and runs when it has not been stopped.
function delayed(milliseconds: number, run: () => void): { start: () => void; stop: () => void } {
  let timer = 0
  const stop = () => {
    clearTimeout(timer)
    timer = 0
  }
  const start = () => {
    if (timer !== 0) return
    timer = window.setTimeout(() => {
      timer = 0
      run()
    }, milliseconds)
  }
  return { start, stop }
}
