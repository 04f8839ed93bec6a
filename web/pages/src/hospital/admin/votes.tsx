import { useSignal } from '@preact/signals'
import type { Client } from '#sdk/client.js'
import { newestProposals, type Proposal, type Vote, vote, votesOn } from '#sdk/hospital/proposals.js'
import { refreshed } from '../../live'
import { hospitals } from '../../session'
import { Action, Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText } from '../../words/words'
import type { Person } from '../staff'

const mostShown = 20

interface Asked {
  readonly proposal: Proposal
  readonly votes: readonly Vote[]
}

async function newest(client: Client): Promise<Asked[]> {
  const found = await newestProposals(client, mostShown)
  return Promise.all(found.map(async (proposal) => ({ proposal, votes: await votesOn(client, proposal.number) })))
}

/** Votes is what the members decide, and who has said what. */
export function Votes({ client, hospital }: Person) {
  const w = hospitalWords.value
  const said = useSignal('')
  return (
    <section>
      <h1>{w.votes}</h1>
      <p>{w.votesText}</p>
      <p role="status" aria-live="polite">{said.value}</p>
      <Loaded ask={() => newest(client)} again={refreshed.value}>
        {(found) => (
          <>
            {found.length === 0 && <p>{w.noVotes}</p>}
            <ul class="cards">
              {found.map((asked) => (
                <li key={String(asked.proposal.number)}>
                  <ProposalCard client={client} hospital={hospital} asked={asked} said={(text) => (said.value = text)} />
                </li>
              ))}
            </ul>
            {found.length === mostShown && <p>{w.newestOnly(mostShown)}</p>}
          </>
        )}
      </Loaded>
    </section>
  )
}

function ProposalCard({ client, hospital, asked: { proposal: p, votes }, said }: { client: Client; hospital: bigint; asked: Asked; said: (text: string) => void }) {
  const w = hospitalWords.value
  const isOpen = p.status === 'OPEN' && !votes.some((v) => v.hospital === hospital)
  const cast = async (accept: boolean) => {
    await vote(client, p.number, accept)
    said(w.votedNow)
    refreshed.value++
  }
  return (
    <article aria-label={w.proposal(String(p.number))}>
      <h2>{w.proposal(String(p.number))}</h2>
      <dl>
        <dt>{w.state}</dt><dd>{w.proposalStates[p.status] ?? p.status}{p.failure !== '' && `: ${p.failure}`}</dd>
        <dt>{w.proposedBy}</dt><dd>{nameOf(p.hospital)}</dd>
        <dt>{w.closes}</dt><dd>{timeText(p.closes)}</dd>
        <dt>{w.accepted}</dt><dd>{namesOf(votes, true)}</dd>
        <dt>{w.rejected}</dt><dd>{namesOf(votes, false)}</dd>
      </dl>
      {p.messages.map((message, i) => (
        <details key={i} open={isOpen}>
          <summary class="long">{message.name.split('.').at(-1)}</summary>
          <dl>{message.fields.flatMap(([name, value]) => [<dt key={`${name}n`}>{name}</dt>, <dd key={`${name}v`} class="long">{value}</dd>])}</dl>
        </details>
      ))}
      {isOpen && (
        <div class="buttons">
          <Action run={() => cast(true)}>{w.accept}</Action>
          <Action kind="danger" run={() => cast(false)}>{w.reject}</Action>
        </div>
      )}
    </article>
  )
}

function namesOf(votes: readonly Vote[], accept: boolean): string {
  return votes.filter((v) => v.accept === accept).map((v) => nameOf(v.hospital)).join(', ') || '–'
}

function nameOf(hospital: bigint): string {
  return hospitals.value.get(hospital) ?? hospitalWords.value.hospitalNumber(String(hospital))
}
