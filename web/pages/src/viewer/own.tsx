import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import { UnlockStatus } from '#sdk/generated/phrd/access/v1/unlock_pb.js'
import { parseRef, type Ref, refText } from '#sdk/records/ref.js'
import { unlocks } from '#sdk/unlock/inbox.js'
import { openUnlock } from '#sdk/unlock/open.js'
import { unlockOwn } from '#sdk/unlock/own.js'
import { holdsSession } from '#sdk/unlock/session.js'
import type { Vault } from '#sdk/vault/open.js'
import { Action } from '../view/action'
import { hospitalWords } from '../words/hospital/words'

// How long the shares of the hospitals are awaited, in milliseconds.
const openTime = 60_000

/** OwnView is a button with which a patient opens an own record. */
export function OwnView({ client, patient, vault, of, show }: { client: Client; patient: string; vault: Vault; of: string; show: (file: OpenedFile) => void }) {
  return <Action kind="plain" run={async () => show(await openOwn(client, patient, vault, parseRef(of)))}>{hospitalWords.value.view}</Action>
}

async function openOwn(client: Client, patient: string, vault: Vault, ref: Ref): Promise<OpenedFile> {
  const unlock = (await openAlready(client, patient, ref)) ?? (await unlockOwn(client, vault, [ref]))
  return openUnlock(client, unlock, ref, { signal: AbortSignal.timeout(openTime) })
}

// An own reading stays open for hours: what was approved a moment ago is not signed again.
async function openAlready(client: Client, patient: string, ref: Ref): Promise<string | undefined> {
  for await (const { unlock } of unlocks(client, { patient, status: UnlockStatus.RELEASED })) {
    const names = unlock?.versions.some((v) => `${v.record}/${v.version}` === refText(ref)) ?? false
    if (unlock !== undefined && unlock.requester === client.signer.address && names && (await holdsSession(client.secrets, unlock.id))) return unlock.id
  }
  return undefined
}
