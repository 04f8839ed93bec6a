import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { parseInvitation } from '#sdk/invitation.js'
import type { PreparedVault } from '#sdk/vault/prepare.js'
import { YourAccount } from '../hospital/account'
import { route } from '../route'
import { join, prepare, register } from '../session'
import { words } from '../words/words'
import { Action } from './action'

/** Join opens the account of who has an invitation: in the address of the page, or typed. */
export function Join({ client }: { client: Client }) {
  const w = words.value
  const text = useSignal(route.value[0] === 'join' ? (route.value[1] ?? '') : '')
  return (
    <section>
      <h1>{w.join}</h1>
      <p>{w.joinText}</p>
      <label for="invitation">{w.invitation}</label>
      <textarea id="invitation" rows={4} autocomplete="off" spellcheck={false} value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} />
      <Action
        disabled={text.value.trim() === ''}
        run={async () => {
          await join(client, parseInvitation(text.value))
          location.hash = '#/'
        }}
      >
        {w.openAccount}
      </Action>
      <YourAccount address={client.signer.address} />
    </section>
  )
}

/** NewVault makes a vault, shows the recovery code, and has it typed again before anything is registered. */
export function NewVault({ client }: { client: Client }) {
  const w = words.value
  const prepared = useSignal<PreparedVault | undefined>(undefined)
  const written = useSignal(false)
  const again = useSignal('')
  const wrong = useSignal(false)
  const made = prepared.value
  if (made === undefined) {
    return (
      <section>
        <h1>{w.join}</h1>
        <p>{w.makeVaultText}</p>
        <Action run={async () => void (prepared.value = await prepare(client))}>{w.makeVault}</Action>
      </section>
    )
  }
  if (!written.value) {
    return (
      <section>
        <h1>{w.codeTitle}</h1>
        <p>{w.codeText}</p>
        {!made.walletSlot && <p class="note">{w.noWalletSlot}</p>}
        <ol class="code" translate={false}>
          {made.code.split(' ').map((word) => <li key={word}>{word}</li>)}
        </ol>
        <button type="button" class="main" onClick={() => (written.value = true)}>{w.codeWritten}</button>
      </section>
    )
  }
  return (
    <section>
      <h1>{w.codeTitle}</h1>
      <label for="code">{w.codeRepeat}</label>
      <textarea id="code" rows={4} autocomplete="off" spellcheck={false} value={again.value} onInput={(e) => (again.value = e.currentTarget.value)} />
      {wrong.value && <p role="alert" class="error">{w.codeWrong}</p>}
      <Action
        run={async () => {
          wrong.value = again.value.trim().toLowerCase().split(/\s+/).join(' ') !== made.code
          if (!wrong.value) await register(client, made)
        }}
      >
        {w.register}
      </Action>
    </section>
  )
}
