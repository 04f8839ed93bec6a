import { signal } from '@preact/signals'

/** refreshed counts how often what is shown was to be asked for anew. */
export const refreshed = signal(0)

/** listening tells whether a hospital tells this page what happens, so that it need not ask. */
export const listening = signal(false)

// How often a page that is looked at asks for what is new, in milliseconds: where nobody tells it, and where somebody does.
const askTime = 5_000
const slowTime = 30_000

/** keepFresh asks anew from time to time, as long as somebody can see the page: seldom while it is told what happens. */
export function keepFresh(): void {
  let asked = Date.now()
  setInterval(() => {
    if (document.visibilityState !== 'visible' || !navigator.onLine || Date.now() - asked < (listening.value ? slowTime : askTime)) return
    asked = Date.now()
    refreshed.value++
  }, askTime)
}
