import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { VaultFile } from '#sdk/vault/file.js'
import { unlockByCode, unlockByPasskey, unlockByWallet, unlockInPerson } from '../session'
import { askPasskey, canPasskey } from '../vault/passkey'
import { vaultWords } from '../words/vault/words'
import { words } from '../words/words'
import { Action } from './action'

/** Shut asks for what opens the vault. */
export function Shut({ client, file }: { client: Client; file: VaultFile }) {
  const w = words.value
  const v = vaultWords.value
  const [code, word] = [useSignal(''), useSignal('')]
  return (
    <section class="opening">
      <h1>{w.unlock}</h1>
      <p>{w.unlockText}</p>
      {file.slots.some((slot) => slot.kind === 'wallet') && <Action run={() => unlockByWallet(client, file)}>{w.unlockByWallet}</Action>}
      {canPasskey() && file.slots.some((slot) => slot.kind === 'passkey') && (
        <div><Action kind="plain" run={async () => unlockByPasskey(client, file, await askPasskey(file))}>{v.openByPasskey}</Action></div>
      )}
      <div>
        <label for="code">{w.recoveryCode}</label>
        <textarea id="code" rows={3} autocomplete="off" spellcheck={false} value={code.value} onInput={(e) => (code.value = e.currentTarget.value)} />
        <Action kind="plain" disabled={code.value.trim() === ''} run={() => unlockByCode(client, file, code.value)}>{w.unlockByCode}</Action>
      </div>
      {file.slots.some((slot) => slot.kind === 'wallet') && (
        <div>
          <p>{v.inPersonText}</p>
          <label for="word">{v.word}</label>
          <input id="word" class="wide" autocomplete="off" spellcheck={false} value={word.value} onInput={(e) => (word.value = e.currentTarget.value)} />
          <Action kind="plain" disabled={word.value.trim() === ''} run={() => unlockInPerson(client, file, word.value)}>{v.openInPerson}</Action>
        </div>
      )}
    </section>
  )
}
