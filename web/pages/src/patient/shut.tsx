import { ownSealings } from '#sdk/records/sealings.js'
import { refreshed } from '../live'
import { Loaded } from '../view/action'
import { patientWords } from '../words/patient/words'
import type { Open } from './pages'

/** ShutNote says how much was stored before a vault was begun anew and stays shut, and what to do; nothing of a vault that opens everything. */
export function ShutNote({ open: { client, vault } }: { open: Open }) {
  // A vault that was not begun anew has the first key.
  if (vault.has(1n)) return null
  const count = async () => (await ownSealings(client)).filter((s) => !vault.has(s.epoch)).length
  return <Loaded ask={count} again={refreshed.value}>{(shut) => <ShutText count={shut} />}</Loaded>
}

/** ShutText says it of so many versions. */
export function ShutText({ count }: { count: number }) {
  const w = patientWords.value
  return count === 0 ? null : <p class="note">{w.shutVersions(count)} {w.shutNext}</p>
}
