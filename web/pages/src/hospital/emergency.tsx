import { EmergencyStatus } from '#sdk/generated/phrd/access/v1/emergency_pb.js'
import type { QueryEmergencyAccessResponse } from '#sdk/generated/phrd/access/v1/query_pb.js'
import { hospitals } from '../session'
import { hospitalWords } from '../words/hospital/words'
import { timeText, words } from '../words/words'

/** hospitalName is what a member is called. */
export function hospitalName(number: bigint): string {
  return hospitals.value.get(number) ?? hospitalWords.value.hospitalNumber(String(number))
}

/** EmergencyFacts says of an emergency what everybody sees who may see it. */
export function EmergencyFacts({ seen: { emergency: e, status, releaseAt, reviewDue } }: { seen: QueryEmergencyAccessResponse }) {
  const w = hospitalWords.value
  if (e === undefined) return null
  const name = EmergencyStatus[status]
  const isWaiting = releaseAt !== 0n && e.usedAt === 0n && status !== EmergencyStatus.ENDED
  const approvedBy = e.approvals.map((a) => hospitalName(a.hospital)).join(', ')
  const due = reviewDue === 0n ? '–' : w.reviewDue(timeText(reviewDue))
  return (
    <dl>
      <dt>{words.value.status}</dt><dd><span role="status">{w.emergencyStates[name] ?? name}</span></dd>
      <dt>{w.reason}</dt><dd>{w.reasons[e.reason] ?? e.reason}</dd>
      <dt>{w.patientNumber}</dt><dd class="long">{e.patient}</dd>
      <dt>{words.value.requester}</dt><dd class="long">{e.requester}</dd>
      <dt>{w.keptBy}</dt><dd>{hospitalName(e.custodian)}</dd>
      <dt>{w.asked}</dt><dd>{timeText(e.requestedAt)}</dd>
      <dt>{words.value.until}</dt><dd>{timeText(e.expiresAt)}</dd>
      <dt>{w.approvedBy}</dt><dd>{approvedBy === '' ? '–' : approvedBy} ({w.of(e.approvals.length, e.approvalsNeeded)})</dd>
      {isWaiting && <><dt>{w.opensAt}</dt><dd>{timeText(releaseAt)}</dd></>}
      <dt>{w.used}</dt><dd>{e.usedAt === 0n ? w.notUsed : timeText(e.usedAt)}</dd>
      <dt>{w.review}</dt><dd>{e.review === undefined ? due : `${w.findings[e.review.finding] ?? e.review.finding} (${hospitalName(e.review.hospital)})`}</dd>
    </dl>
  )
}
