import { signal } from '@preact/signals'
import { route } from '../route'
import { lock, stage } from '../session'
import { connected } from './keplr'

/** otherAccount tells whether the page was locked because the browser's wallet went on with another account. */
export const otherAccount = signal(false)

/** followWallet locks the page when the browser's wallet goes on with another account: what the page shows is of the one before. It stays open where a wallet takes the place of another, which needs both accounts. */
export function followWallet(): void {
  addEventListener('keplr_keystorechange', () => {
    const now = stage.value
    if (!('client' in now) || now.client.signer.address !== connected() || route.value[0] === 'vault') return
    otherAccount.value = true
    lock().catch(() => undefined) // the page is locked; a login that no gateway ends now ends by itself
  })
}
