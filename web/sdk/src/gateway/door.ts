import { PhrdError } from '../errors.js'

/** Door is the gateway of one hospital. */
export interface Door {
  /** The member's number; 0 where it is not known yet. */
  readonly hospital: bigint
  readonly name: string
  /** Its https URL, without a path. */
  readonly gateway: string
  /** The SHA-256 of the certificate's public key (SPKI) in hex; empty where the platform's roots judge the certificate, as in every browser. */
  readonly fingerprint: string
}

/** Fetch is the platform's fetch, or one that does the same in another way. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Transport gives the fetch that reaches a door. In browsers it is the platform's, in Node see pinnedTransport. */
export type Transport = (door: Door) => Fetch

/** platformTransport uses the platform's fetch, which judges certificates by its own roots. */
export const platformTransport: Transport = () => (url, init) => fetch(url, init)

/** hostOf is the host:port of a gateway's URL, which people sign at login. */
export function hostOf(gateway: string): string {
  const url = URL.canParse(gateway) ? new URL(gateway) : undefined
  const isPlain = url?.protocol === 'https:' && url.hostname !== '' && url.pathname === '/' && url.search === '' && url.username === '' && url.password === ''
  if (url === undefined || !isPlain) throw new PhrdError('network', `gateway ${gateway}: want https://host:port`)
  return `${url.hostname}:${url.port === '' ? '443' : url.port}`
}
