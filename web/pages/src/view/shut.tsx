import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { VaultFile } from '#sdk/vault/file.js'
import { unlockByCode, unlockByWallet } from '../session'
import { words } from '../words/words'
import { Action } from './action'

/** Shut asks for what opens the vault. */
export function Shut({ client, file }: { client: Client; file: VaultFile }) {
  const w = words.value
  const code = useSignal('')
  return (
    <section>
      <h1>{w.unlock}</h1>
      <p>{w.unlockText}</p>
      {file.slots.some((slot) => slot.kind === 'wallet') && <Action run={() => unlockByWallet(client, file)}>{w.unlockByWallet}</Action>}
      <label for="code">{w.recoveryCode}</label>
      <textarea id="code" rows={3} autocomplete="off" spellcheck={false} value={code.value} onInput={(e) => (code.value = e.currentTarget.value)} />
      <Action kind="plain" disabled={code.value.trim() === ''} run={() => unlockByCode(client, file, code.value)}>{w.unlockByCode}</Action>
    </section>
  )
}
