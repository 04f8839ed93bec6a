import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import type { Version } from '#sdk/generated/phrd/records/v1/record_pb.js'
import type { Vault } from '#sdk/vault/open.js'
import { OwnView } from '../viewer/own'
import { patientWords } from '../words/patient/words'
import { Certificate, Erase } from './erase'

/** VersionWays is what a patient can do with a version: open it, unless the vault does not, and erase it; of one that is erased it says who deleted it. */
export function VersionWays({ client, vault, version, show }: { client: Client; vault: Vault; version: Version; show: (file: OpenedFile) => void }) {
  const of = `${version.record}/${version.version}`
  if (version.tombstone !== undefined) return <Certificate client={client} of={of} />
  return (
    <>
      {vault.has(version.sealedEpoch) ? <OwnView client={client} vault={vault} of={of} show={show} /> : <p class="small">{patientWords.value.shutVersion}</p>}
      <Erase client={client} of={of} />
    </>
  )
}
