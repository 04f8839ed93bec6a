import type { Client } from '#sdk/client.js'
import type { OpenedFile } from '#sdk/content/file.js'
import { parseRef } from '#sdk/records/ref.js'
import { openUnlock } from '#sdk/unlock/open.js'
import { Action } from '../view/action'
import { hospitalWords } from '../words/hospital/words'

// How long the shares of the hospitals and the owner's half are awaited, in milliseconds.
const openTime = 60_000

/** Openings lists the versions of an unlock, each with a button that opens it where that is possible here and now. */
export function Openings({ client, unlock, versions, isOpen, show }: {
  client: Client
  unlock: string
  versions: readonly { readonly record: string; readonly version: bigint }[]
  isOpen: boolean
  show: (file: OpenedFile) => void
}) {
  return (
    <ul class="plain">
      {versions.map(({ record, version }) => (
        <li key={`${record}/${version}`} class="entry">
          <span class="long">{record}/{String(version)}</span>
          {isOpen && <Action run={async () => show(await openUnlock(client, unlock, parseRef(`${record}/${version}`), { signal: AbortSignal.timeout(openTime) }))}>{hospitalWords.value.open}</Action>}
        </li>
      ))}
    </ul>
  )
}
