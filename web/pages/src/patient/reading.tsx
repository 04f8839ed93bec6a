import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import type { Version } from '#sdk/generated/phrd/records/v1/record_pb.js'
import type { Vault } from '#sdk/vault/open.js'
import { OwnView } from '../viewer/own'
import { patientWords } from '../words/patient/words'

/** Reading is a button with which a patient opens a version; of one that the vault does not open it says so, and of one that is erased nothing. */
export function Reading({ client, vault, version, show }: { client: Client; vault: Vault; version: Version; show: (file: OpenedFile) => void }) {
  if (version.tombstone !== undefined) return null
  if (!vault.has(version.sealedEpoch)) return <p class="small">{patientWords.value.shutVersion}</p>
  return <OwnView client={client} vault={vault} of={`${version.record}/${version.version}`} show={show} />
}
