import { signal } from '@preact/signals'

/** refreshed counts how often what is shown was to be asked for anew. */
export const refreshed = signal(0)

/** refreshTime is how often a page that is looked at asks for what is new, in milliseconds. */
export const refreshTime = 5_000

/** keepFresh asks anew from time to time, as long as somebody can see the page. */
export function keepFresh(): void {
  setInterval(() => {
    if (document.visibilityState === 'visible') refreshed.value++
  }, refreshTime)
}
