import { Client } from '#sdk/client.js'
import { allServedPages, type ServedPages } from '#sdk/hospital/pages.js'
import { home } from '../home'
import { chain, pages } from '../session'
import { words } from '../words/words'
import { Loaded } from './action'

// Nobody logs in for it, so no wallet asks.
async function all(): Promise<{ readonly name: string; readonly pages: ServedPages | undefined }[]> {
  return allServedPages(await Client.dial({ doors: [home.value] }))
}

/** PagesLine says at the end of each page whether the hospitals voted for the files that it is made of, and under which licences others wrote them. */
export function PagesLine() {
  return (
    <footer>
      <Voted />
      <a href="licences.txt" target="_blank" rel="noopener">{words.value.licences}</a>
    </footer>
  )
}

function Voted() {
  const w = words.value
  if (pages.value === undefined || pages.value.hash === '') return null
  const { accepted, hash } = pages.value
  return <><a href="#/page">{w.pageTrust}</a>: {accepted.length === 0 ? w.noVote : accepted.includes(hash) ? w.voted : <strong>{w.votedForOthers}</strong>} · </>
}

/** PageTrust compares the files that this page is made of with those of the other hospitals, and with those that the members voted for. */
export function PageTrust() {
  const w = words.value
  const own = pages.value
  return (
    <section>
      <h1>{w.pageTrust}</h1>
      <p>{w.trustText}</p>
      <h2>{w.ownBundle}</h2>
      <p>{chain.value?.name}: <output class="long" translate={false}>{own?.hash ?? w.noAnswer}</output></p>
      <h2>{w.compared}</h2>
      <Loaded ask={all} again={own}>
        {(found) => (
          <ul class="checks">
            {found.filter(({ pages: theirs }) => theirs?.hospital !== chain.value?.hospital).map(({ name, pages: theirs }) => (
              <Compared key={name} name={name} own={own?.hash ?? ''} theirs={theirs} />
            ))}
          </ul>
        )}
      </Loaded>
      <p>{w.bundleHow}</p>
    </section>
  )
}

function Compared({ name, own, theirs }: { name: string; own: string; theirs: ServedPages | undefined }) {
  const w = words.value
  if (theirs === undefined) return <li class="failed"><span>{name}</span> <strong>{w.noAnswer}</strong></li>
  const isSame = theirs.hash === own && own !== ''
  const isVoted = theirs.accepted.includes(own)
  const vote = theirs.accepted.length === 0 ? w.noVote : isVoted ? w.voted : w.votedForOthers
  return (
    <li class={isSame && (isVoted || theirs.accepted.length === 0) ? 'passed' : 'failed'}>
      <span>{name}</span> <strong>{theirs.hash === '' ? w.noPages : isSame ? w.same : w.differs}; {vote}</strong>
      {!isSame && <span class="long" translate={false}>{theirs.hash}</span>}
    </li>
  )
}
