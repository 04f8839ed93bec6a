import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { Role, type Staff } from '#sdk/generated/phrd/consortium/v1/member_pb.js'
import { registerStaff, revokeStaff, staff, staffRoles } from '#sdk/hospital/staff.js'
import { collect } from '#sdk/pages.js'
import { refreshed } from '../../live'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText, words } from '../../words/words'
import type { Person } from '../staff'

async function everybody(client: Client, hospital: bigint): Promise<Staff[]> {
  const found = await collect(staff(client, hospital))
  return found.sort((a, b) => Number(a.revoked) - Number(b.revoked) || a.role - b.role)
}

/** Team is the hospital's people: who may do what. */
export function Team({ client, hospital }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  const after = (text: string) => {
    said.value = text
    refreshed.value++
  }
  return (
    <section>
      <h1>{w.team}</h1>
      <p>{w.teamText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Add client={client} after={after} />
      <Loaded ask={() => everybody(client, hospital)} again={refreshed.value}>
        {(found) => (
          <ul class="cards">
            {found.map((person) => <li key={person.address}><PersonCard client={client} person={person} after={after} /></li>)}
          </ul>
        )}
      </Loaded>
    </section>
  )
}

function Add({ client, after }: { client: Client; after: (text: string) => void }) {
  const w = hospitalWords.value
  const address = useSignal('')
  const role = useSignal<(typeof staffRoles)[number]>(Role.CLERK)
  return (
    <fieldset>
      <legend>{w.addPerson}</legend>
      <label for="address">{w.address}</label>
      <input id="address" class="field" autocomplete="off" spellcheck={false} maxLength={90} value={address.value} onInput={(e) => (address.value = e.currentTarget.value)} />
      <label for="role">{w.role}</label>
      <select id="role" class="field" value={String(role.value)} onChange={(e) => (role.value = staffRoles.find((r) => String(r) === e.currentTarget.value) ?? Role.CLERK)}>
        {staffRoles.map((r) => <option key={r} value={String(r)}>{roleText(r)}</option>)}
      </select>
      <div class="buttons">
        <Action
          disabled={address.value.trim() === ''}
          run={async () => {
            await registerStaff(client, address.value.trim(), role.value)
            address.value = ''
            after(w.added)
          }}
        >
          {w.add}
        </Action>
      </div>
    </fieldset>
  )
}

function PersonCard({ client, person, after }: { client: Client; person: Staff; after: (text: string) => void }) {
  const w = hospitalWords.value
  return (
    <article aria-label={`${roleText(person.role)} …${person.address.slice(-6)}`}>
      <dl>
        <dt>{w.role}</dt><dd>{roleText(person.role)}{person.address === client.signer.address && ` (${words.value.you})`}</dd>
        <dt>{w.address}</dt><dd class="long">{person.address}</dd>
        <dt>{w.since}</dt><dd>{timeText(person.since)}</dd>
        {person.wards.length > 0 && <><dt>{w.wards}</dt><dd>{person.wards.join(', ')}</dd></>}
        {person.until !== 0n && <><dt>{words.value.until}</dt><dd>{timeText(person.until)}</dd></>}
      </dl>
      {person.revoked ? <p class="note">{w.deactivated}</p> : (
        <div class="buttons">
          <Action
            kind="danger"
            run={async () => {
              await revokeStaff(client, person.address)
              after(w.deactivatedNow)
            }}
          >
            {w.deactivate}
          </Action>
        </div>
      )}
    </article>
  )
}

function roleText(role: Role): string {
  return words.value.roles[Role[role].toLowerCase()] ?? Role[role]
}
