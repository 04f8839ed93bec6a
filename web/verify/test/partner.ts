import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Refusal } from '#custody/refusal.js'
import type { Entry } from '../src/entry.js'
import { reportLines } from '../src/report.js'
import { verify } from '../src/verify.js'
import { pieces, type Question, trustOf } from './given.js'

// Answers the other verifier: a line of JSON with a question, a line of JSON with what this one says, in turn:
//
//   {"lines": […], "entries": […], "memory": KiB} or {"refused": why}; anything else that goes wrong is a fault of this side: {"fault": why}.

async function answer(line: string): Promise<object> {
  try {
    const question = JSON.parse(line) as Question
    const entries: object[] = []
    const isWhole = question.path !== undefined
    const file = isWhole ? createReadStream(question.path) : pieces(Buffer.from(question.file ?? '', 'base64'), 1 + (line.length % 5000))
    const trust = trustOf(question)
    // Of a large file the entries are counted and not kept.
    const report = await verify(file, trust, isWhole ? undefined : (entry) => entries.push(plain(entry)))
    return { lines: reportLines(report, trust), entries, memory: process.resourceUsage().maxRSS }
  } catch (cause) {
    if (cause instanceof Refusal) return { refused: cause.message }
    return { fault: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }
  }
}

function plain(entry: Entry): object {
  return JSON.parse(JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))) as object
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`)
}
