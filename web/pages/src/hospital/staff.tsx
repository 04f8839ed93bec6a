import type { ComponentChild } from 'preact'
import type { Client } from '#sdk/client.js'
import { route } from '../route'
import { lock } from '../session'
import { Action } from '../view/action'
import { words } from '../words/words'
import { hospitalWords } from '../words/hospital/words'
import { Admit } from './admit'
import { Health } from './admin/health'
import { Members } from './admin/members'
import { Team } from './admin/team'
import { Votes } from './admin/votes'
import { Invite } from './clerk/invite'
import { Store } from './clerk/store'
import { Ask } from './clinician/ask'
import { GrantedConsents } from './clinician/consents'
import { EmergencyPage } from './clinician/emergency'
import { OwnRequests } from './clinician/requests'
import { Emergencies } from './officer/emergencies'
import { Erasures } from './officer/erasures'
import { Queue } from './officer/queue'
import { Recoveries } from './officer/recoveries'
import { KeptRecords } from './records/kept'

/** Person is somebody of a hospital who has signed in. */
export interface Person {
  readonly client: Client
  readonly role: string
  /** The number of the member whose staff it is. */
  readonly hospital: bigint
}

interface Way {
  readonly path: string
  readonly name: string
  readonly page: (person: Person) => ComponentChild
}

/** waysOf are the pages of a role, the first one first. */
function waysOf(role: string): readonly Way[] {
  const w = hospitalWords.value
  switch (role) {
    case 'clinician':
      return [
        { path: '', name: w.ownRequests, page: (p) => <OwnRequests {...p} /> },
        { path: 'ask', name: w.ask, page: (p) => <Ask {...p} /> },
        { path: 'consents', name: w.consents, page: (p) => <GrantedConsents {...p} /> },
        { path: 'emergency', name: w.emergency, page: (p) => <EmergencyPage {...p} /> },
      ]
    case 'clerk':
      return [
        { path: '', name: w.store, page: (p) => <Store {...p} /> },
        { path: 'kept', name: w.kept, page: (p) => <KeptRecords {...p} /> },
        { path: 'invite', name: w.invite, page: (p) => <Invite {...p} /> },
        { path: 'admit', name: w.admit, page: (p) => <Admit {...p} /> },
      ]
    case 'officer':
      return [
        { path: '', name: w.queue, page: (p) => <Queue {...p} /> },
        { path: 'emergencies', name: w.emergencies, page: (p) => <Emergencies {...p} /> },
        { path: 'recoveries', name: w.recoveries, page: (p) => <Recoveries {...p} /> },
        { path: 'kept', name: w.kept, page: (p) => <KeptRecords {...p} /> },
        { path: 'erasures', name: w.erasures, page: (p) => <Erasures {...p} /> },
        { path: 'admit', name: w.admit, page: (p) => <Admit {...p} /> },
      ]
    case 'admin':
      return [
        { path: '', name: w.team, page: (p) => <Team {...p} /> },
        { path: 'members', name: w.members, page: (p) => <Members {...p} /> },
        { path: 'votes', name: w.votes, page: (p) => <Votes {...p} /> },
        { path: 'health', name: w.health, page: (p) => <Health {...p} /> },
      ]
    default:
      return []
  }
}

/** StaffWays is the way around for who works at a hospital. */
export function StaffWays({ role }: { role: string }) {
  const w = hospitalWords.value
  const at = wayAt(role)
  return (
    <nav aria-label={w.ways}>
      {waysOf(role).map((way) => <a key={way.path} href={`#/${way.path}`} aria-current={way.path === at?.path ? 'page' : undefined}>{way.name}</a>)}
      <span class="who">
        {words.value.roles[role] ?? role}
        <Action kind="plain" run={lock}>{words.value.signOut}</Action>
      </span>
    </nav>
  )
}

/** Staff is the page that somebody of a hospital looks at. */
export function Staff(person: Person) {
  const way = wayAt(person.role)
  return way === undefined ? <p class="note">{words.value.staffAccount(person.role)}</p> : <>{way.page(person)}</>
}

function wayAt(role: string): Way | undefined {
  const ways = waysOf(role)
  return ways.find((way) => way.path === route.value[0]) ?? ways[0]
}
