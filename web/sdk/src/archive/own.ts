import { sha256 } from '@noble/hashes/sha2.js'
import type { Bytes } from '#custody/encoding.js'
import { idText } from '#custody/id.js'
import { hex } from '#custody/wallet.js'
import type { Client } from '../client.js'
import { type Chunks, onThisThread } from '../content/chunks.js'
import type { OpenedFile } from '../content/file.js'
import { alike } from '../records/alike.js'
import { type Ref, refText } from '../records/ref.js'
import { sealingsOf } from '../records/sealings.js'
import { openAll } from '../unlock/open.js'
import { closeOwn, ownUnlock } from '../unlock/own.js'
import { locksFor } from '../unlock/propose.js'
import type { Vault } from '../vault/open.js'
import { archivedName } from './name.js'
import { tarEnd, tarHeader, tarPadding } from './tar.js'

// The last file of an archive: what is in it.
const indexName = 'index.json'

/** Archiving says who works, how long to wait, and who is told. */
export interface Archiving {
  /** Ends the work, also what is awaited. */
  readonly signal: AbortSignal
  readonly chunks?: Chunks
  /** Told how many versions are done, of all. */
  readonly tell?: (done: number, all: number) => void
}

/** Archived is a version in an archive's index. Times are in RFC 3339; where one is not known it is left out. */
export interface Archived {
  readonly record: string
  readonly version: number
  /** In the archive. */
  readonly file: string
  /** As it was stored. */
  readonly name: string
  readonly media_type: string
  readonly size: number
  readonly sha256: string
  readonly created?: string
  readonly modified?: string
}

/**
 * archiveOwn is a tar archive of all versions that the patient owns, that are not erased and that the vault opens, with an index at its end: the one that the command
 * `phrd patient export` encrypts. Of a file a few leaves are in memory. The patient asks for the versions in groups and approves it, which is in the log: the wallet signs
 * three times for up to 64 versions. What comes out is plaintext, which the caller encrypts. Errors are those of openUnlock.
 */
export async function* archiveOwn(client: Client, vault: Vault, { signal, chunks = onThisThread, tell }: Archiving): AsyncGenerator<Bytes, undefined> {
  const groups = await alike(client, vault, await locksFor(client, (await sealingsOf(client, vault)).map((s) => s.ref)))
  const all = groups.reduce((sum, { versions }) => sum + versions.length, 0)
  const index: Archived[] = []
  for (const { versions } of groups) {
    const unlock = await ownUnlock(client, vault, versions)
    const wanted = new Set(versions.map(refText))
    for await (const { ref, file } of openAll(client, unlock, { signal, chunks })) {
      if (!wanted.has(refText(ref))) continue
      index.push(yield* archived(ref, file))
      tell?.(index.length, all)
    }
    await closeOwn(client, unlock)
  }
  const encoded = new TextEncoder().encode(JSON.stringify(index, undefined, 2))
  const size = BigInt(encoded.length)
  yield tarHeader({ name: indexName, size, modified: BigInt(Math.floor(Date.now() / 1000)) })
  yield encoded
  yield tarPadding(size)
  yield tarEnd()
}

async function* archived(ref: Ref, file: OpenedFile): AsyncGenerator<Bytes, Archived> {
  const name = archivedName(ref, file.name, file.mediaType)
  yield tarHeader({ name, size: file.size, modified: file.modified })
  const hash = sha256.create()
  for await (const part of file.stream()) {
    hash.update(part)
    yield part
  }
  yield tarPadding(file.size)
  const times = { created: timeText(file.created), modified: timeText(file.modified) }
  return {
    record: idText(ref.record), version: Number(ref.version), file: name, name: file.name, media_type: file.mediaType, size: Number(file.size), sha256: hex(hash.digest()),
    ...Object.fromEntries(Object.entries(times).filter(([, text]) => text !== '')),
  }
}

function timeText(seconds: bigint): string {
  return seconds === 0n ? '' : new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}
