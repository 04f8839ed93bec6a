import type { Unlock } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { hospitalWords } from '../words/hospital/words'
import { timeText, words } from '../words/words'

/** UnlockFacts says who asks for what, why and until when. */
export function UnlockFacts({ unlock }: { unlock: Unlock }) {
  const w = hospitalWords.value
  return (
    <dl>
      <dt>{words.value.requester}</dt><dd class="long">{unlock.requester}</dd>
      <dt>{words.value.purpose}</dt><dd>{words.value.purposes[unlock.purpose] ?? unlock.purpose}</dd>
      <dt>{w.patientNumber}</dt><dd class="long">{unlock.patient === '' ? w.hospitalsOwn : unlock.patient}</dd>
      <dt>{words.value.records}</dt><dd class="long">{unlock.versions.map((v) => `${v.record}/${v.version}`).join(', ')}</dd>
      <dt>{w.asked}</dt><dd>{timeText(unlock.proposedAt)}</dd>
      <dt>{words.value.until}</dt><dd>{timeText(unlock.expiresAt)}</dd>
      <dt>{w.endorsements}</dt><dd>{w.of(unlock.endorsements.length, unlock.endorsementsNeeded)}</dd>
    </dl>
  )
}
