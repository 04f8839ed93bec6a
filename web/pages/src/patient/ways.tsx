import { patientWords } from '../words/patient/words'

/** MoreWays leads to what is done seldom. */
export function MoreWays() {
  const w = patientWords.value
  return (
    <nav aria-label={w.moreWays} class="more">
      <a href="#/relock">{w.relock}</a>
      <a href="#/archive">{w.archive}</a>
      <a href="#/hand-over">{w.handOver}</a>
    </nav>
  )
}
