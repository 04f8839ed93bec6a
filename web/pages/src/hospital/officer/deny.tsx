import type { Client } from '#sdk/client.js'
import { deny } from '#sdk/unlock/approve.js'
import { Action } from '../../view/action'
import { words } from '../../words/words'

/** Deny says no to a request, for good. */
export function Deny({ client, unlock, after }: { client: Client; unlock: string; after: (text: string) => void }) {
  return (
    <Action
      kind="danger"
      run={async () => {
        await deny(client, unlock)
        after(words.value.deniedNow)
      }}
    >
      {words.value.deny}
    </Action>
  )
}
