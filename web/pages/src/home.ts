import { signal } from '@preact/signals'
import { type Door, hostOf } from '#sdk/gateway/door.js'

const key = 'phrd/gateway'

/** home is the gateway that is asked first: that which serves this page, and where a page comes from another host the one that somebody named. */
export const home = signal<Door>(doorOf(location.origin))

/** unreached is why no gateway is known; undefined while one is looked for, and once it is found. */
export const unreached = signal<unknown>(undefined)

/** candidates are gateways in the order in which they are tried. */
export function candidates(): Door[] {
  const named = localStorage.getItem(key)
  return named === null ? [doorOf(location.origin)] : [doorOf(location.origin), doorOf(named)]
}

/** name remembers a gateway by its https URL. It fails for what is none. */
export function name(gateway: string): void {
  const typed = URL.canParse(gateway) ? new URL(gateway).origin : gateway
  hostOf(typed)
  localStorage.setItem(key, typed)
}

/** forget has the page ask for a gateway again. */
export function forget(): void {
  localStorage.removeItem(key)
}

function doorOf(gateway: string): Door {
  return { hospital: 0n, name: '', gateway, fingerprint: '' }
}
