import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { parseInvitation } from '#sdk/invitation.js'
import type { PreparedVault } from '#sdk/vault/prepare.js'
import { YourAccount } from '../hospital/account'
import { route } from '../route'
import { join, prepare, register } from '../session'
import { words } from '../words/words'
import { Action } from './action'
import { NewCode } from './code'

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
  const made = prepared.value
  if (made !== undefined) return <NewCode made={made} finish={() => register(client, made)}>{w.register}</NewCode>
  return (
    <section>
      <h1>{w.join}</h1>
      <p>{w.makeVaultText}</p>
      <Action run={async () => void (prepared.value = await prepare(client))}>{w.makeVault}</Action>
    </section>
  )
}
