import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { Unlock } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { approveForHospital } from '#sdk/unlock/approve.js'
import { review, type Review } from '#sdk/unlock/review.js'
import { Action } from '../../view/action'
import { Reviewed } from '../../view/requests'
import { hospitalWords } from '../../words/hospital/words'
import { words } from '../../words/words'
import { hospitalName } from '../emergency'
import { UnlockFacts } from '../unlock'
import { Deny } from './deny'

/** OwnApprovals is what waits for the second signature under requests for the hospital's own records. */
export function OwnApprovals({ client, found, after }: { client: Client; found: readonly Unlock[]; after: (text: string) => void }) {
  const w = hospitalWords.value
  return (
    <>
      <h2>{w.ownToApprove}</h2>
      <p>{w.ownToApproveText}</p>
      <ul class="cards">
        {found.map((unlock) => <li key={unlock.id}><Card client={client} unlock={unlock} after={after} /></li>)}
      </ul>
    </>
  )
}

function Card({ client, unlock, after }: { client: Client; unlock: Unlock; after: (text: string) => void }) {
  const w = hospitalWords.value
  const seen = useSignal<Review | undefined>(undefined)
  const isMine = unlock.endorsements.some((e) => e.officer === client.signer.address)
  return (
    <article aria-label={unlock.id.slice(0, 8)}>
      <h3>{w.wantsToOpen(hospitalName(unlock.hospital))}</h3>
      <UnlockFacts unlock={unlock} />
      {isMine && <p>{w.endorsedSoOther}</p>}
      {seen.value !== undefined && <Reviewed review={seen.value} />}
      <div class="buttons">
        {!isMine && seen.value === undefined && <Action run={async () => void (seen.value = await review(client, unlock.id))}>{words.value.check}</Action>}
        {seen.value !== undefined && (
          <Action
            run={async () => {
              if (seen.value !== undefined) await approveForHospital(client, seen.value)
              after(w.approvedOwn)
            }}
          >
            {w.approveOwn}
          </Action>
        )}
        <Deny client={client} unlock={unlock.id} after={after} />
      </div>
    </article>
  )
}
