import { useSignal } from '@preact/signals'
import { collectPepper, deletePepper, depositPepper, hasPepper, type KeptPepper, keptPepper, withCode } from '#sdk/vault/pepper.js'
import { refreshed } from '../live'
import type { Open } from '../patient/pages'
import { Action, ErrorNote, Loaded } from '../view/action'
import { vaultWords } from '../words/vault/words'
import { pepperFault } from './pepper'

/** Keeping says which hospital keeps what the wallet needs on another device, and changes it. */
export function Keeping({ open }: { open: Open }) {
  const w = vaultWords.value
  const { client, file } = open
  if (!file.slots.some((slot) => slot.kind === 'wallet')) return null
  const state = async () => ({ kept: await keptPepper(client, file), here: await hasPepper(client, file) })
  return (
    <article>
      <h2>{w.keeping}</h2>
      <p>{w.keepingText}</p>
      <ErrorNote cause={pepperFault.value} />
      <Loaded ask={state} again={refreshed.value}>{({ kept, here }) => <Kept open={open} kept={kept} here={here} />}</Loaded>
    </article>
  )
}

function Kept({ open: { client, file }, kept, here }: { open: Open; kept: KeptPepper | undefined; here: boolean }) {
  const w = vaultWords.value
  const sure = useSignal(false)
  const done = () => {
    pepperFault.value = undefined
    refreshed.value++
  }
  const leave = async (words: string) => {
    await depositPepper(client, await withCode(file, words))
    done()
  }
  const regain = async (words: string) => {
    await collectPepper(client, file, words)
    done()
  }
  return (
    <>
      <p>{kept === undefined ? w.keptNowhere : w.keptBy(kept.name)}</p>
      <p>{here ? w.keptHere : w.notHere}</p>
      {kept === undefined && here && <WithWords label={w.codeToLeave} run={leave}>{w.leave}</WithWords>}
      {kept !== undefined && !here && <WithWords label={w.codeToRegain} run={regain}>{w.regain}</WithWords>}
      {kept !== undefined && !sure.value && <button type="button" class="plain" onClick={() => (sure.value = true)}>{w.remove}</button>}
      {kept !== undefined && sure.value && (
        <div class="note">
          <p>{w.removeText}</p>
          <Action kind="danger" run={async () => {
            await deletePepper(client, file)
            done()
          }}>{w.removeForGood}</Action>
        </div>
      )}
    </>
  )
}

function WithWords({ label, run, children }: { label: string; run: (words: string) => Promise<void>; children: string }) {
  const words = useSignal('')
  return (
    <>
      <label for="pepper-words">{label}</label>
      <textarea id="pepper-words" rows={3} autocomplete="off" spellcheck={false} value={words.value} onInput={(e) => (words.value = e.currentTarget.value)} />
      <Action kind="plain" disabled={words.value.trim() === ''} run={() => run(words.value)}>{children}</Action>
    </>
  )
}
