import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { hasAccount, openAccount, parseInvitation } from '#sdk/invitation.js'
import { setGuardians } from '#sdk/guardians/name.js'
import type { VaultFile } from '#sdk/vault/file.js'
import { reseal } from '#sdk/records/reseal.js'
import { sealingsOf } from '#sdk/records/sealings.js'
import { type NextVault, prepareVault, writeVault } from '#sdk/vault/write.js'
import type { Signer } from '#sdk/wallet/signer.js'
import { refreshed } from '../live'
import { chain, clientOf, takeVault, takeWallet } from '../session'
import { Action, Loaded } from '../view/action'
import { NewCode } from '../view/code'
import { isDemo, newDemoWallet } from '../wallet/demo'
import { connectWallet, hasWallet } from '../wallet/keplr'
import { Keeping } from '../vault/keeping'
import { Passkeys } from '../vault/passkeys'
import { patientWords } from '../words/patient/words'
import type { Open } from './pages'
import { MoreWays } from './ways'

/** Next is a vault that waits to be written, and what makes it count. */
interface Next {
  readonly made: NextVault
  readonly finish: () => Promise<void>
}

/** VaultPage changes the vault's key, and the wallet. */
export function VaultPage({ open }: { open: Open }) {
  const w = patientWords.value
  const next = useSignal<Next | undefined>(undefined)
  const said = useSignal('')
  const done = (text: string) => {
    next.value = undefined
    said.value = text
    refreshed.value++
  }
  if (next.value !== undefined) {
    return (
      <>
        <NewCode made={next.value.made} finish={next.value.finish}>{w.writeVault}</NewCode>
        <p><button type="button" class="plain" onClick={() => (next.value = undefined)}>{w.cancel}</button></p>
      </>
    )
  }
  const { client, file, vault } = open
  const anew = async (newKey: boolean): Promise<Next> => {
    const made = await prepareVault(client, file, vault, { newKey })
    const finish = async () => {
      await writeVault(client, file, made.file)
      await takeVault(client, made.file, made.vault)
      done(w.vaultWritten)
    }
    return { made, finish }
  }
  return (
    <section>
      <h1>{w.vault}</h1>
      <p role="status" aria-live="polite">{said.value}</p>
      <Unsealed open={open} done={done} />
      <MoreWays />
      <article>
        <h2>{w.rotate}</h2>
        <p>{w.rotateText}</p>
        <p>{w.newWordsText}</p>
        <Action run={async () => {
          next.value = await anew(true)
        }}>{w.rotate}</Action>
      </article>
      <Keeping open={open} />
      <Passkeys open={open} done={done} remove={async () => {
        next.value = await anew(false)
      }} />
      <ChangeWallet change={async (signer, invitation, keep) => {
        next.value = await walletChange(open, signer, invitation, () => {
          keep()
          done(w.walletChanged)
        })
      }} />
    </section>
  )
}

// walletChange opens the account of the next wallet and makes the vault that it opens.
async function walletChange({ client, file, vault }: Open, signer: Signer, invitation: string, done: () => void): Promise<Next> {
  const there = await clientOf(client, signer)
  if (!(await hasAccount(there))) await openAccount(there, parseInvitation(invitation))
  const made = await prepareVault(client, file, vault, { newKey: true, signer, secrets: there.secrets })
  const finish = async () => {
    await handOver(client, file, made)
    await there.principal(true)
    await setGuardians(there, made.file)
    await takeWallet(there, made.file, made.vault)
    done()
  }
  return { made, finish }
}

// handOver signs as the former wallet, which afterwards is nobody's any more.
async function handOver(client: Client, file: VaultFile, made: NextVault): Promise<void> {
  if ((await client.principal(true)).patient === '') return // an earlier try did
  await writeVault(client, file, made.file)
}

// Unsealed says what is still sealed to a former key of the vault.
function Unsealed({ open: { client, vault }, done }: { open: Open; done: (text: string) => void }) {
  const w = patientWords.value
  return (
    <Loaded ask={() => formerlySealed(client, vault)} again={refreshed.value}>
      {(due) => due.length === 0 ? null : (
        <div class="note">
          <p>{w.sealToNewKey(due.length)}</p>
          <Action run={async () => {
            await reseal(client, vault, due)
            done(w.sealed(due.length))
          }}>{w.resealNow}</Action>
        </div>
      )}
    </Loaded>
  )
}

async function formerlySealed(client: Client, vault: Open['vault']) {
  const { epoch } = await vault.newest()
  return (await sealingsOf(client, vault)).filter((s) => s.epoch < epoch).map((s) => s.ref)
}

function ChangeWallet({ change }: { change: (signer: Signer, invitation: string, keep: () => void) => Promise<void> }) {
  const w = patientWords.value
  const invitation = useSignal('')
  const network = chain.value
  if (network === undefined) return null
  const isEmpty = invitation.value.trim() === ''
  return (
    <article>
      <h2>{w.changeWallet}</h2>
      <p>{w.changeWalletText}</p>
      <label for="next-invitation">{w.changeWalletInvitation}</label>
      <textarea id="next-invitation" rows={3} autocomplete="off" spellcheck={false} value={invitation.value} onInput={(e) => (invitation.value = e.currentTarget.value)} />
      {hasWallet() && (
        <>
          <p>{w.nextWalletText}</p>
          <Action disabled={isEmpty} run={async () => change(await connectWallet(network, location.origin), invitation.value, () => undefined)}>{w.nextWallet}</Action>
        </>
      )}
      {isDemo(network.chainID) && (
        <Action kind="plain" disabled={isEmpty} run={async () => {
          const { signer, keep } = await newDemoWallet()
          await change(signer, invitation.value, keep)
        }}>{w.nextDemoWallet}</Action>
      )}
    </article>
  )
}
