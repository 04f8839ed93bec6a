import { hospitalWords } from '../words/hospital/words'

/** YourAccount shows a stranger's address, by which a hospital's admin registers who works there. */
export function YourAccount({ address }: { address: string }) {
  const w = hospitalWords.value
  return (
    <section aria-labelledby="account">
      <h2 id="account">{w.workHere}</h2>
      <p>{w.workHereText}</p>
      <p>
        {w.yourAddress}: <output class="long" translate={false}>{address}</output>
      </p>
    </section>
  )
}
