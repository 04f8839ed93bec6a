import { signal } from '@preact/signals'

/** route is what stands behind the # of the address, in parts. */
export const route = signal(parts())

function parts(): readonly string[] {
  return location.hash.replace(/^#\/?/, '').split('/').map((part) => decodeURIComponent(part))
}

addEventListener('hashchange', () => {
  route.value = parts()
})
