import { accountChanged, type Asked, channel, faultOf, type Outcome, type Told } from './messages.js'

// This stands between a page's scripts and the wallet: it sees what both say, and can itself do nothing but hand it on.

addEventListener('message', ({ source, data }: MessageEvent<Partial<Asked> | null>) => {
  if (source !== window || data?.channel !== channel || data.number === undefined || data.method === undefined || data.given === undefined) return
  void carry(data.number, { method: data.method, given: data.given })
})

async function carry(to: number, call: Pick<Asked, 'method' | 'given'>): Promise<void> {
  let outcome: Outcome
  try {
    outcome = await chrome.runtime.sendMessage(call)
  } catch (cause) {
    outcome = faultOf(cause)
  }
  const told: Told = { channel, to, outcome }
  window.postMessage(told, location.origin)
}

chrome.runtime.onMessage.addListener((message: unknown) => {
  if (message === accountChanged) window.dispatchEvent(new Event(accountChanged))
})
