import { type Claim, exportLog } from '#sdk/audit/export.js'
import type { Client } from '#sdk/client.js'
import { readGenesis, type Trust } from '#verify/trust.js'
import { type Report, verify } from '#verify/verify.js'
import { pieces } from './pieces'

/** Made is an export of the log that this browser has verified against the genesis of its gateway. */
export interface Made {
  readonly file: Blob
  readonly report: Report
  readonly trust: Trust
}

/** makeFile exports entries and verifies the file; tell is called for each entry. The file is kept as a Blob, which the browser may put on its disk. */
export async function makeFile(client: Client, claim: Claim, tell: () => void): Promise<Made> {
  const parts: string[] = []
  for await (const line of exportLog(client, claim)) {
    parts.push(line)
    if (line.startsWith('{"entry"')) tell()
  }
  const file = new Blob(parts, { type: 'application/x-ndjson' })
  const trust = { from: readGenesis(await client.gateways.try((gateway) => gateway.genesis())), witnesses: [] }
  return { file, trust, report: await verify(pieces(file), trust) }
}
