import { preparePasskey } from '#sdk/vault/passkey.js'
import { openVaultByPasskey } from '#sdk/vault/open.js'
import { writeVault } from '#sdk/vault/write.js'
import { takeVault } from '../session'
import type { Open } from '../patient/pages'
import { Action } from '../view/action'
import { vaultWords } from '../words/vault/words'
import { canPasskey, newPasskey } from './passkey'

/** Passkeys adds a passkey that opens the vault; remove writes the vault anew without any. */
export function Passkeys({ open, remove, done }: { open: Open; remove: () => Promise<void>; done: (text: string) => void }) {
  const w = vaultWords.value
  const { client, file, vault } = open
  const count = file.slots.filter((slot) => slot.kind === 'passkey').length
  const add = async () => {
    const prf = await newPasskey(file)
    const next = await preparePasskey(client, file, vault, prf)
    const opened = await openVaultByPasskey(next, prf)
    await writeVault(client, file, next)
    await takeVault(client, next, opened)
    done(w.passkeyAdded)
  }
  return (
    <article>
      <h2>{w.passkeys}</h2>
      <p>{w.passkeysText}</p>
      <p>{w.passkeyCount(count)}</p>
      {canPasskey() ? <Action kind="plain" run={add}>{w.addPasskey}</Action> : <p class="note">{w.noPasskeys}</p>}
      {count > 0 && (
        <>
          <p>{w.removePasskeysText}</p>
          <Action kind="plain" run={remove}>{w.removePasskeys}</Action>
        </>
      )}
    </article>
  )
}
