import { Client } from '#sdk/client.js'
import { allServedPages, type ServedPages } from '#sdk/hospital/pages.js'
import { home } from '../home'
import { chain, pages } from '../session'
import { Loaded } from '../view/action'
import { auditorWords } from '../words/auditor/words'

// Nobody logs in for it, so no wallet asks.
async function all(): Promise<{ readonly name: string; readonly pages: ServedPages | undefined }[]> {
  return allServedPages(await Client.dial({ doors: [home.value] }))
}

/** PagesLine says at the end of each page whether the hospitals voted for the files that it is made of. */
export function PagesLine() {
  const a = auditorWords.value
  if (pages.value === undefined || pages.value.hash === '') return null
  const { accepted, hash } = pages.value
  return (
    <footer>
      <a href="#/page">{a.pageTrust}</a>: {accepted.length === 0 ? a.noVote : accepted.includes(hash) ? a.voted : <strong>{a.votedForOthers}</strong>}
    </footer>
  )
}

/** PageTrust compares the files that this page is made of with those of the other hospitals, and with those that the members voted for. */
export function PageTrust() {
  const a = auditorWords.value
  const own = pages.value
  return (
    <section>
      <h1>{a.pageTrust}</h1>
      <p>{a.trustText}</p>
      <h2>{a.ownBundle}</h2>
      <p>{chain.value?.name}: <output class="long" translate={false}>{own?.hash ?? a.noAnswer}</output></p>
      <h2>{a.compared}</h2>
      <Loaded ask={all} again={own}>
        {(found) => (
          <ul class="checks">
            {found.filter(({ pages: theirs }) => theirs?.hospital !== chain.value?.hospital).map(({ name, pages: theirs }) => (
              <Compared key={name} name={name} own={own?.hash ?? ''} theirs={theirs} />
            ))}
          </ul>
        )}
      </Loaded>
      <p>{a.bundleHow}</p>
    </section>
  )
}

function Compared({ name, own, theirs }: { name: string; own: string; theirs: ServedPages | undefined }) {
  const a = auditorWords.value
  if (theirs === undefined) return <li class="failed"><span>{name}</span> <strong>{a.noAnswer}</strong></li>
  const isSame = theirs.hash === own && own !== ''
  const isVoted = theirs.accepted.includes(own)
  const vote = theirs.accepted.length === 0 ? a.noVote : isVoted ? a.voted : a.votedForOthers
  return (
    <li class={isSame && (isVoted || theirs.accepted.length === 0) ? 'passed' : 'failed'}>
      <span>{name}</span> <strong>{theirs.hash === '' ? a.noPages : isSame ? a.same : a.differs}; {vote}</strong>
      {!isSame && <span class="long" translate={false}>{theirs.hash}</span>}
    </li>
  )
}
