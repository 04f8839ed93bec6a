import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { type Unlock, UnlockStatus } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { endorse } from '#sdk/unlock/endorse.js'
import { unlocks } from '#sdk/unlock/inbox.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { hospitalName } from '../emergency'
import type { Person } from '../staff'
import { UnlockFacts } from '../unlock'
import { Deny } from './deny'
import { OwnApprovals } from './own'

interface Waits {
  readonly toEndorse: readonly Unlock[]
  /** Requests for the hospital's own records that were endorsed. */
  readonly own: readonly Unlock[]
}

async function waiting(client: Client, hospital: bigint): Promise<Waits> {
  const [toEndorse, endorsed] = await Promise.all([UnlockStatus.PROPOSED, UnlockStatus.ENDORSED].map((status) => inStatus(client, hospital, status)))
  return { toEndorse: toEndorse ?? [], own: (endorsed ?? []).filter(({ patient }) => patient === '') }
}

// Other hospitals approve an emergency, and not that which keeps the records by an endorsement.
async function inStatus(client: Client, custodian: bigint, status: UnlockStatus): Promise<Unlock[]> {
  const found: Unlock[] = []
  for await (const { unlock } of unlocks(client, { custodian, status })) if (unlock !== undefined && unlock.emergency === '') found.push(unlock)
  return found
}

/** Queue is what waits for an officer of the hospital that keeps the records. */
export function Queue({ client, hospital }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  const after = (text: string) => {
    said.value = text
    refreshed.value++
  }
  return (
    <section>
      <h1>{w.queue}</h1>
      <p>{w.queueText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => waiting(client, hospital)} again={refreshed.value}>
        {({ toEndorse, own }) => (
          <>
            {toEndorse.length + own.length === 0 && <p>{w.queueEmpty}</p>}
            <ul class="cards">
              {toEndorse.map((unlock) => <li key={unlock.id}><Waiting client={client} unlock={unlock} after={after} /></li>)}
            </ul>
            {own.length > 0 && <OwnApprovals client={client} found={own} after={after} />}
          </>
        )}
      </Loaded>
    </section>
  )
}

function Waiting({ client, unlock, after }: { client: Client; unlock: Unlock; after: (text: string) => void }) {
  const w = hospitalWords.value
  const isMine = unlock.endorsements.some((e) => e.officer === client.signer.address)
  return (
    <article aria-label={unlock.id.slice(0, 8)}>
      <h2>{w.wantsToOpen(hospitalName(unlock.hospital))}</h2>
      <UnlockFacts unlock={unlock} />
      <div class="buttons">
        {isMine ? <p>{w.endorsedByYou}</p> : (
          <Action
            run={async () => {
              await endorse(client, unlock.id)
              after(unlock.patient === '' ? w.endorsedOwn : w.endorsedNow)
            }}
          >
            {w.endorse}
          </Action>
        )}
        <Deny client={client} unlock={unlock.id} after={after} />
      </div>
    </article>
  )
}
