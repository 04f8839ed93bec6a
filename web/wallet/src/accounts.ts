import { button, element, say } from './own.js'
import type { State } from './wallet.js'

async function show(): Promise<void> {
  const { accounts, used, locked } = (await say({ own: 'state' })) as State
  const each = accounts.map(({ name, ledger }, i) => {
    const use = button(`Use ${name}`, () => say({ own: 'use', account: i }).then(show))
    use.disabled = i === used
    return element('li', ledger ? `${name}, on a Ledger ` : `${name} `, use)
  })
  const lock = button('Lock', () => say({ own: 'lock' }).then(show))
  lock.disabled = locked
  document.querySelector('main')?.replaceChildren(element('h1', 'Accounts'), element('ul', ...each), lock, element('p', locked ? 'The wallet is locked.' : 'The wallet is open.'))
}

void show()
