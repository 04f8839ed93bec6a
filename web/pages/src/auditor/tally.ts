import { dayOf, type Line } from './line'

/** Count is how often something was met. */
export interface Count {
  readonly name: string
  readonly count: number
}

/** Tally is what charts are drawn of. */
export interface Tally {
  /** Each day from the first to the last, also those without an entry. */
  readonly days: readonly Count[]
  readonly kinds: readonly Count[]
  /** By the number of the hospital, '0' for none. */
  readonly hospitals: readonly Count[]
  /** The most patients that an account read of on one day; the names are the day and the account. */
  readonly readers: readonly (Count & { readonly day: string; readonly actor: string })[]
}

const mostReaders = 10

/** tallyOf counts entries. */
export function tallyOf(lines: readonly Line[]): Tally {
  return {
    days: filled(counted(lines.map(dayOf))), kinds: ranked(counted(lines.map((line) => line.kind))),
    hospitals: ranked(counted(lines.map((line) => String(line.hospital)))), readers: readersOf(lines),
  }
}

function counted(names: readonly string[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1)
  return found
}

function ranked(counts: ReadonlyMap<string, number>): Count[] {
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
}

function filled(counts: ReadonlyMap<string, number>): Count[] {
  const days = [...counts.keys()].sort()
  const [first, last] = [days[0], days.at(-1)]
  if (first === undefined || last === undefined) return []
  const all: Count[] = []
  for (let day = Date.parse(first); day <= Date.parse(last); day += 86_400_000) {
    const name = new Date(day).toISOString().slice(0, 10)
    all.push({ name, count: counts.get(name) ?? 0 })
  }
  return all
}

function readersOf(lines: readonly Line[]): Tally['readers'] {
  const patients = new Map<string, Set<string>>()
  for (const line of lines) {
    if (line.kind !== 'opened' || line.isRefused || line.patient === '') continue
    const key = `${dayOf(line)} ${line.actor}`
    patients.set(key, (patients.get(key) ?? new Set()).add(line.patient))
  }
  const all = [...patients].map(([name, of]) => ({ name, day: name.slice(0, 10), actor: name.slice(11), count: of.size }))
  return all.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)).slice(0, mostReaders)
}
