import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import { parseRef, type Ref } from '#sdk/records/ref.js'
import { openUnlock } from '#sdk/unlock/open.js'
import { ownUnlock } from '#sdk/unlock/own.js'
import type { Vault } from '#sdk/vault/open.js'
import { Action } from '../view/action'
import { hospitalWords } from '../words/hospital/words'

// How long the shares of the hospitals are awaited, in milliseconds.
const openTime = 60_000

/** OwnView is a button with which a patient opens an own record. */
export function OwnView({ client, vault, of, show }: { client: Client; vault: Vault; of: string; show: (file: OpenedFile) => void }) {
  return <Action kind="plain" run={async () => show(await openOwn(client, vault, parseRef(of)))}>{hospitalWords.value.view}</Action>
}

async function openOwn(client: Client, vault: Vault, ref: Ref): Promise<OpenedFile> {
  return openUnlock(client, await ownUnlock(client, vault, [ref]), ref, { signal: AbortSignal.timeout(openTime) })
}
