import { readFileSync } from 'node:fs'
import { parseTrustedBlock, parseWitnessKey, readGenesis, type Trust } from '../src/trust.js'

/** Question is what the other verifier asks: a file by its path or in base64, and what it is verified against. */
export interface Question {
  readonly path?: string
  readonly file?: string
  readonly genesis?: string
  readonly block?: string
  readonly witnesses?: readonly string[]
}

/** trustOf is what a question trusts. */
export function trustOf(q: Question): Trust {
  const from = q.block === undefined ? readGenesis(readFileSync(q.genesis ?? '')) : parseTrustedBlock(q.block)
  return { from, witnesses: (q.witnesses ?? []).map(parseWitnessKey) }
}

/** pieces gives bytes in pieces of a size. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
