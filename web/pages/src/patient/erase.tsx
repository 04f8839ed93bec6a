import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import type { ErasureCertificate } from '#sdk/generated/phrd/records/v1/erasure_pb.js'
import type { NodeErasure } from '#sdk/generated/phrd/storage/v1/erasure_pb.js'
import { certificate, erase } from '#sdk/records/erase.js'
import { parseRef } from '#sdk/records/ref.js'
import { refreshed } from '../live'
import { hospitals } from '../session'
import { Action, Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import { timeText } from '../words/words'

const day = 86_400n

/** Erase says what erasing means, and erases a version for good. */
export function Erase({ client, of }: { client: Client; of: string }) {
  const w = patientWords.value
  const said = useSignal('')
  return (
    <details>
      <summary>{w.erase}</summary>
      <p>{w.eraseText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Action kind="danger" run={async () => {
        const request = await erase(client, [parseRef(of)])
        said.value = request === 0n ? '' : w.eraseAsked(String(request))
        refreshed.value++
      }}>{w.eraseNow}</Action>
    </details>
  )
}

/** Certificate says which hospitals have deleted an erased version, until when their backups may hold it, and what remains. */
export function Certificate({ client, of }: { client: Client; of: string }) {
  return <Loaded ask={() => certificate(client, parseRef(of))} again={refreshed.value}>{(found) => <Attested found={found} />}</Loaded>
}

function Attested({ found: { version, nodes, remains } }: { found: ErasureCertificate }) {
  const w = patientWords.value
  return (
    <>
      <p class="small">{w.erasedAt(timeText(version?.tombstone?.at ?? 0n))}</p>
      <ul class="small">{nodes.map((node) => <li key={String(node.node)}>{deletedText(node)}</li>)}</ul>
      {remains.includes('shared_leaves') && <p class="small">{w.sharedRemains}</p>}
    </>
  )
}

function deletedText({ member, left, attestation }: NodeErasure): string {
  const w = patientWords.value
  const hospital = hospitals.value.get(member) ?? String(member)
  if (attestation === undefined) return left ? w.leftUndeleted(hospital) : w.notDeleted(hospital)
  const { at, backupDays } = attestation
  return `${w.deletedBy(hospital, timeText(at))}, ${backupDays === 0 ? w.noBackups : w.backupsUntil(timeText(at + day * BigInt(backupDays)))}`
}
