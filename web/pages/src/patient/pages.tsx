import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { recoveries } from '#sdk/recovery/list.js'
import { collect } from '#sdk/pages.js'
import { refreshed } from '../live'
import { route } from '../route'
import type { Stage } from '../session'
import { Loaded } from '../view/action'
import { Requests } from '../view/requests'
import { NewVault } from '../view/visit'
import { patientWords } from '../words/patient/words'
import { ArchivePage } from './archive'
import { Consents } from './consents'
import { Emergency } from './emergency'
import { lost } from './follow'
import { GrantForm } from './grant'
import { GuardiansPage } from './guardians'
import { EndNote, HandOverPage } from './handover'
import { Alerts } from './inbox'
import { Ask, Recovering } from './recover'
import { RelockPage } from './relock'
import { ShutNote } from './shut'
import { VaultPage } from './vault'

/** Open is what a patient's page has to work with. */
export type Open = Extract<Stage, { at: 'open' }>

/** patientWays are the patient's pages with their names. */
export function patientWays(): (readonly [string, string])[] {
  const w = patientWords.value
  return [['consents', w.consents], ['emergency', w.emergency], ['guardians', w.guardians], ['vault', w.vault]]
}

/** PatientPage is the page of that name; the requests where it is none. */
export function PatientPage({ at, open }: { at: string; open: Open }) {
  switch (at) {
    case 'consents':
      return route.value[1] === 'new' ? <GrantForm open={open} unlock={route.value[2]} key={route.value[2]} /> : <Consents open={open} />
    case 'emergency':
      return <Emergency open={open} />
    case 'guardians':
      return <GuardiansPage open={open} />
    case 'vault':
      return <VaultPage open={open} />
    case 'relock':
      return <RelockPage open={open} />
    case 'archive':
      return <ArchivePage open={open} />
    case 'hand-over':
      return <HandOverPage open={open} />
    default:
      return <Requests client={open.client} patient={open.patient} vault={open.vault}><EndNote open={open} /><ShutNote open={open} /><Alerts open={open} /></Requests>
  }
}

/** LostNote says that what is shown may be old. */
export function LostNote() {
  return <div role="status">{lost.value && <p class="banner">{patientWords.value.lost}</p>}</div>
}

/** Beginning is for an account that is nobody's yet: of somebody new, or of a patient who lost the wallet. */
export function Beginning({ client }: { client: Client }) {
  const asking = useSignal(false)
  const w = patientWords.value
  return (
    <Loaded ask={() => collect(recoveries(client, { account: client.signer.address }))} again={refreshed.value}>
      {([newest]) => {
        if (newest !== undefined) return <Recovering client={client} seen={newest} />
        if (asking.value) return <Ask client={client} back={() => (asking.value = false)} />
        return (
          <>
            <NewVault client={client} />
            <p><button type="button" class="plain" onClick={() => (asking.value = true)}>{w.lostWallet}</button></p>
          </>
        )
      }}
    </Loaded>
  )
}
