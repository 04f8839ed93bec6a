import { cidText, parseRawCID } from '#custody/cid.js'
import { type Bytes, concat, randomBytes, readU64, u64 } from '#custody/encoding.js'
import { idText, parseIDText } from '#custody/id.js'
import { type Entry, fileLength, type Layout, layout, leafLength } from '#custody/object.js'
import type { Client } from '../client.js'
import type { Content, Draft } from '../content/seal.js'
import { isKind, PhrdError } from '../errors.js'
import { Upload } from '../gateway/upload.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import type { Class } from '../generated/phrd/records/v1/record_pb.js'
import type { Secrets } from '../secrets.js'
import type { Ref } from './ref.js'
import { storeBy, type Storing, uploading } from './store.js'
import { termsFor } from './terms.js'

const prefix = 'upload/'

/** Begun is a file on its way into a record: a new one, or one that is there. What carries it on, if the program ends meanwhile, lies in Secrets: the keys of the leaves that were sent, and not the key of the manifest, which is drawn anew each time. */
export interface Begun {
  /** Names it on this device, 16 bytes. */
  readonly id: Bytes
  readonly ref: Ref
  /** The owner's number; empty where the hospital owns the record. */
  readonly patient: string
  readonly class: Class
  readonly draft: Draft
  /** The size of the file in bytes. */
  readonly size: number
  /** The path of the upload at the gateway of the clerk's hospital. */
  readonly path: string
}

/** NewFile says what is to be stored, and whose it is. */
export interface NewFile {
  /** The owner's number; empty where the hospital is to own it. */
  readonly patient: string
  readonly class: Class
  readonly draft: Draft
  readonly size: number
  /** The record whose next version it becomes; it becomes a new record where this is left out. */
  readonly record?: Bytes
}

/** begin opens the upload of a file that becomes a new record or the next version of one, which carryOn then carries out. Nothing is begun for a patient or a record that the network does not know. */
export async function begin(client: Client, of: NewFile): Promise<Begun> {
  const { record, ...file } = of
  const terms = await termsFor(client, record === undefined ? file : { record })
  const upload = await Upload.begin(await client.gateways.of(terms.custodian))
  const id = randomBytes(16)
  const ref = { record: record ?? id, version: terms.version }
  const begun = { ...file, patient: terms.patient, class: terms.class, id, ref, path: upload.path }
  await client.secrets.put(nameOf(begun), encode(begun))
  return begun
}

/** begunFiles lists what was begun on this device and is neither stored nor given up. */
export async function begunFiles(secrets: Secrets): Promise<Begun[]> {
  const found: Begun[] = []
  for (const name of await secrets.names(prefix)) {
    const kept = name.slice(prefix.length).includes('/') ? undefined : await secrets.get(name)
    if (kept !== undefined) found.push(decode(name, kept))
  }
  return found
}

/** carryOn stores a file that was begun, from where the gateway has it. The part that the gateway has is compared with the file, whose error is of kind file where it is another one. After any error it can be carried on again. Where somebody else has stored the version meanwhile that it was to become, it becomes the next one. */
export async function carryOn(client: Client, begun: Begun, content: Content, how: Storing = {}): Promise<Ref> {
  if (content.size !== begun.size) throw new PhrdError('file', `the file has ${content.size} bytes, not ${begun.size}`)
  for (let { ref } = begun; ; ref = { ...ref, version: ref.version + 1n }) {
    const there = await objectAt(client, ref)
    if (there === undefined) {
      await storeAs(client, begun, ref, content, how)
      return ref
    }
    if (ref.version === 1n || (await client.secrets.get(objectName(begun, there))) !== undefined) {
      await forget(client.secrets, begun)
      return ref
    }
  }
}

async function storeAs(client: Client, begun: Begun, ref: Ref, content: Content, how: Storing): Promise<void> {
  const upload = await uploadOf(client, begun, { ...how, content })
  const terms = { ...(await termsFor(client, ref.version === 1n ? begun : { record: ref.record })), ...ref }
  const journal = await Journal.of(client.secrets, begun, upload)
  await storeBy(client, upload, terms, { ...how, content, draft: begun.draft }, { kept: journal })
  await upload.abandon()
  await forget(client.secrets, begun)
}

/** giveUp forgets a file that was begun, here and at the gateway. */
export async function giveUp(client: Client, begun: Begun): Promise<void> {
  const { hospital } = await client.principal()
  const upload = await Upload.carryOn(await client.gateways.of(hospital), await pathOf(client.secrets, begun))
  await upload?.abandon()
  await forget(client.secrets, begun)
}

// Whoever saw the program end does not know whether the version was registered just before. The id of a new record was drawn for it alone; of the next
// version of a record the object tells.
async function objectAt(client: Client, ref: Ref): Promise<string | undefined> {
  try {
    const { version } = await client.gateways.query(Records.method.version, { record: idText(ref.record), version: ref.version })
    return version?.object
  } catch (cause) {
    if (isKind(cause, 'not found')) return undefined
    throw cause
  }
}

// An upload that the gateway has forgotten begins anew, and so do its leaves.
async function uploadOf(client: Client, begun: Begun, of: { readonly content: Content } & Storing): Promise<Upload> {
  const { hospital } = await client.principal()
  const gateway = await client.gateways.of(hospital)
  const how = uploading(of)
  const old = await Upload.carryOn(gateway, await pathOf(client.secrets, begun), how)
  if (old !== undefined) return old
  await forget(client.secrets, begun)
  const upload = await Upload.begin(gateway, how)
  await client.secrets.put(nameOf(begun), encode({ ...begun, path: upload.path }))
  return upload
}

// It is another one than it was begun with where that was forgotten by the gateway.
async function pathOf(secrets: Secrets, begun: Begun): Promise<string> {
  const kept = await secrets.get(nameOf(begun))
  return kept === undefined ? begun.path : decode(nameOf(begun), kept).path
}

async function forget(secrets: Secrets, begun: Begun): Promise<void> {
  for (const name of await secrets.names(`${nameOf(begun)}/`)) await secrets.delete(name)
  await secrets.delete(nameOf(begun))
}

/** Journal is what is kept of the leaves of one upload. */
class Journal {
  readonly entries: readonly Entry[]
  readonly #secrets: Secrets
  readonly #begun: Begun
  readonly #name: string
  readonly #layout: Layout
  readonly #upload: Upload

  private constructor(secrets: Secrets, begun: Begun, upload: Upload, entries: readonly Entry[]) {
    this.#secrets = secrets
    this.#begun = begun
    this.#name = nameOf(begun)
    this.#layout = layout(BigInt(begun.size))
    this.#upload = upload
    this.entries = entries
  }

  /** of reads the entries of the leaves that the gateway acknowledged, and forgets those behind them. */
  static async of(secrets: Secrets, begun: Begun, upload: Upload): Promise<Journal> {
    const l = layout(BigInt(begun.size))
    const entries: Entry[] = []
    const others = new Set((await secrets.names(`${nameOf(begun)}/`)).filter((name) => !name.startsWith(objectName(begun))))
    for (let at = 0; at < l.leaves; at++) {
      const name = leafName(nameOf(begun), at)
      const kept = await secrets.get(name)
      const leaf = kept === undefined ? undefined : decodeLeaf(kept, fileLength(l, at))
      if (leaf === undefined || leaf.end > upload.acknowledged) break
      entries.push(leaf.entry)
      others.delete(name)
    }
    for (const name of others) await secrets.delete(name)
    return new Journal(secrets, begun, upload, entries)
  }

  async keep(at: number, entry: Entry): Promise<void> {
    await this.#secrets.put(leafName(this.#name, at), encodeLeaf(entry, this.#upload.endOf(leafLength(this.#layout, at))))
  }

  async whole(object: Bytes): Promise<void> {
    await this.#secrets.put(objectName(this.#begun, cidText(object)), object)
  }
}

function nameOf(begun: Pick<Begun, 'id'>): string {
  return `${prefix}${idText(begun.id)}`
}

function objectName(begun: Pick<Begun, 'id'>, object = ''): string {
  return `${nameOf(begun)}/object/${object}`
}

function leafName(of: string, at: number): string {
  return `${of}/${at}`
}

// Key, CID and where the leaf ends in the stream. Earlier programs kept a chunk id of 32 bytes behind the key.
function encodeLeaf(entry: Entry, end: number): Bytes {
  return concat(entry.key, entry.cid, u64(BigInt(end)))
}

function decodeLeaf(kept: Uint8Array, length: number): { entry: Entry; end: number } {
  if (kept.length !== 76 && kept.length !== 108) throw new PhrdError('upload', 'what this device kept of a leaf cannot be read')
  const rest = kept.slice(kept.length - 44)
  return { entry: { key: kept.slice(0, 32), cid: parseRawCID(rest.slice(0, 36)), length }, end: Number(readU64(rest, 36)) }
}

interface KeptHead {
  readonly patient: string
  readonly class: Class
  readonly name: string
  readonly mediaType: string
  readonly created: string
  readonly modified: string
  readonly size: number
  readonly path: string
  /** Of a version of a record that was there: the record, and the number that it was to have. */
  readonly record?: string
  readonly version?: string
}

function encode(begun: Begun): Bytes {
  const { patient, size, path, draft } = begun
  const { name, mediaType, created = 0n, modified = 0n } = draft
  const head: KeptHead = { patient, class: begun.class, name, mediaType, created: String(created), modified: String(modified), size, path, ...recordOf(begun) }
  return new TextEncoder().encode(JSON.stringify(head))
}

function recordOf({ ref }: Begun): Pick<KeptHead, 'record' | 'version'> {
  return ref.version === 1n ? {} : { record: idText(ref.record), version: String(ref.version) }
}

function decode(name: string, kept: Uint8Array): Begun {
  const head = JSON.parse(new TextDecoder().decode(kept)) as KeptHead
  const id = parseIDText(name.slice(prefix.length))
  return {
    id, ref: head.record === undefined ? { record: id, version: 1n } : { record: parseIDText(head.record), version: BigInt(head.version ?? 1) },
    patient: head.patient, class: head.class, size: head.size, path: head.path,
    draft: { name: head.name, mediaType: head.mediaType, created: BigInt(head.created), modified: BigInt(head.modified) },
  }
}
