import type { Client } from '#sdk/client.js'
import { route } from '../route'
import { lock } from '../session'
import { Action } from '../view/action'
import { words } from '../words/words'
import { auditorWords } from '../words/auditor/words'
import { Export } from './export'
import { Search } from './search'
import { Unusual } from './unusual'

/** AuditorWays lead around the auditor's pages. */
export function AuditorWays() {
  const [w, a] = [words.value, auditorWords.value]
  const at = route.value[0]
  const ways = [['', a.log], ['unusual', a.unusual], ['export', a.exports], ['verify', a.verify]] as const
  return (
    <nav>
      {ways.map(([path, name]) => <a key={path} href={`#/${path}`} aria-current={at === path ? 'page' : undefined}>{name}</a>)}
      <Action kind="plain" run={lock}>{w.signOut}</Action>
    </nav>
  )
}

/** Auditor is what an auditor sees: the log, reports and exports of it. */
export function Auditor({ client }: { client: Client }) {
  if (route.value[0] === 'export') return <Export client={client} />
  if (route.value[0] === 'unusual') return <Unusual client={client} />
  return <Search client={client} />
}
