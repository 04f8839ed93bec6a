import type { Own } from './background.js'
import type { Outcome } from './messages.js'
import { unpack } from './packed.js'

/** say tells the wallet something from a window of its own. */
export async function say(message: Own): Promise<unknown> {
  const outcome = await chrome.runtime.sendMessage<Own, Outcome>(message)
  if ('fault' in outcome) throw new Error(outcome.fault)
  return unpack(outcome.value)
}

/** element makes one with text in it, or others. */
export function element<K extends keyof HTMLElementTagNameMap>(kind: K, ...inside: (string | Node)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(kind)
  made.append(...inside)
  return made
}

/** button is one that does something when it is clicked. */
export function button(text: string, click: () => Promise<unknown>): HTMLButtonElement {
  const made = element('button', text)
  made.type = 'button'
  // A script's click is none.
  made.addEventListener('click', ({ isTrusted }) => void (isTrusted && click()))
  return made
}
