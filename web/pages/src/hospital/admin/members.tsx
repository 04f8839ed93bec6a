import { MemberStatus } from '#sdk/generated/phrd/consortium/v1/member_pb.js'
import { members } from '#sdk/hospital/members.js'
import { collect } from '#sdk/pages.js'
import { refreshed } from '../../live'
import { Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText } from '../../words/words'
import type { Person } from '../staff'

/** Members is who is in the network. */
export function Members({ client, hospital }: Person) {
  const w = hospitalWords.value
  return (
    <section>
      <h1>{w.members}</h1>
      <Loaded ask={() => collect(members(client))} again={refreshed.value}>
        {(found) => (
          <ul class="cards">
            {found.map((m) => (
              <li key={String(m.number)}>
                <article>
                  <h2>{m.name}{m.number === hospital && ` (${w.yourHospital})`}</h2>
                  <dl>
                    <dt>{w.number}</dt><dd>{String(m.number)}</dd>
                    <dt>{w.state}</dt><dd>{w.memberStates[MemberStatus[m.status]] ?? MemberStatus[m.status]}</dd>
                    <dt>{w.gateway}</dt><dd class="long">{m.gatewayUrl}</dd>
                    <dt>{w.since}</dt><dd>{timeText(m.since)}</dd>
                    {m.leftAt !== 0n && <><dt>{w.left}</dt><dd>{timeText(m.leftAt)}</dd></>}
                  </dl>
                </article>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  )
}
