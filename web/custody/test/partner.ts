import { createInterface } from 'node:readline'
import { Refusal } from '../src/refusal.js'
import { making, taking } from './exchange.js'
import { Given, written } from './given.js'

// Answers the other implementation: a line of JSON in, a line of JSON out, in turn.
//
//   {"make": kind, "in": {…}}  →  {"out": {…}}
//   {"take": kind, "in": {…}}  →  {"out": {…}} or {"refused": why}
//
// Anything else that goes wrong is a fault of this side: {"fault": why}.

async function answer(line: string): Promise<unknown> {
  try {
    const asked = new Given(JSON.parse(line))
    const kind = asked.text(asked.has('make') ? 'make' : 'take')
    const work = asked.has('make') ? making[kind] : taking[kind]
    if (work === undefined) throw new TypeError(`nothing is known of ${kind}`)
    return { out: asObject(written(await work(new Given(asked.raw('in'))))) }
  } catch (cause) {
    if (cause instanceof Refusal) return { refused: cause.message }
    return { fault: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }
  }
}

// Checks give all kinds of things; only named results are of use on the other side.
function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`)
}
