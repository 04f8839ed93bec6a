import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { PreparedVault } from '#sdk/vault/prepare.js'
import { words } from '../words/words'
import { Action } from './action'

/** NewCode shows a recovery code once, has it typed again, and only then runs what makes it count. */
export function NewCode({ made, finish, children }: { made: PreparedVault; finish: () => Promise<void>; children: ComponentChildren }) {
  const w = words.value
  const written = useSignal(false)
  const again = useSignal('')
  const wrong = useSignal(false)
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
          if (!wrong.value) await finish()
        }}
      >
        {children}
      </Action>
    </section>
  )
}
