import { type Entry, Outcome } from '#sdk/generated/phrd/audit/v1/entry_pb.js'
import type { Entry as Verified } from '#verify/entry.js'

/** Line is an entry of the log, from a gateway or from a file. */
export type Line = Omit<Verified, 'outcome'> & { readonly isRefused: boolean }

/** fromLog is an entry as a gateway shows it. */
export function fromLog(entry: Entry): Line {
  return { ...entry, isRefused: entry.outcome === Outcome.REFUSED }
}

/** fromFile is an entry of a file that was verified. */
export function fromFile({ outcome, ...entry }: Verified): Line {
  return { ...entry, isRefused: outcome === 'refused' }
}

/** dayOf is the day of an entry, in the time zone of who looks, as YYYY-MM-DD. */
export function dayOf({ time }: Line): string {
  const date = new Date(Number(time) * 1000)
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, '0')).join('-')
}
