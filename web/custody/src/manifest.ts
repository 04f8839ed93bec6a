import { decrypt, encrypt, tagSize } from './aead.js'
import { cidOfDigest, parseRawCID, sameCID } from './cid.js'
import { ascii, type Bytes, concat, fixed, sha256Of } from './encoding.js'
import { frame, unframe } from './frame.js'
import { chunkSize, type Entry, fileLength, layout } from './object.js'
import { bytesField, Message, numberField } from './protobuf.js'
import { demand, refuse } from './refusal.js'

const longestName = 255
const longestType = 127
const mostLevels = 3
const frameUnit = 4080
const indexField = 15
const none = new Uint8Array()

/** What a file is, and how its leaves open. Times are unix seconds. */
export interface Manifest {
  readonly name: string
  readonly mediaType: string
  readonly created: bigint
  readonly modified: bigint
  readonly size: bigint
  /** Of a manifest of the first form, whose entries have chunk ids. None is made so today. */
  readonly idKey?: Uint8Array
  readonly entries: readonly Entry[]
}

/** encodeManifest is the canonical protobuf. */
export function encodeManifest(m: Manifest): Bytes {
  check(m)
  return concat(
    bytesField(1, new TextEncoder().encode(m.name)),
    bytesField(2, ascii(m.mediaType)),
    numberField(3, m.created),
    numberField(4, m.modified),
    numberField(5, m.size),
    bytesField(6, m.idKey ?? none),
    ...m.entries.map((entry) => bytesField(7, encodeEntry(entry))),
  )
}

/** parseManifest accepts what encodeManifest gives, and nothing else. */
export function parseManifest(bytes: Uint8Array): Manifest {
  const m = new Message(bytes, { 1: 'bytes', 2: 'bytes', 3: 'number', 4: 'number', 5: 'number', 6: 'bytes', 7: 'messages' })
  const manifest = {
    name: utf8(m.bytes(1)),
    mediaType: utf8(m.bytes(2)),
    created: m.number(3),
    modified: m.number(4),
    size: m.number(5),
    entries: m.messages(7).map(parseEntry),
    ...(m.has(6) ? { idKey: m.bytes(6) } : {}),
  }
  check(manifest)
  return manifest
}

/** A leaf of a manifest or of its index. */
export interface ManifestLeaf {
  readonly cid: Bytes
  readonly leaf: Bytes
}

/** sealManifest encrypts the manifest: its leaves, then those of each index, the root last. newKey gives a key for each leaf but the root. */
export async function sealManifest(m: Manifest, dek: Uint8Array, newKey: () => Uint8Array): Promise<ManifestLeaf[]> {
  const leaves: ManifestLeaf[] = []
  let message = encodeManifest(m)
  for (let level = 1; level <= mostLevels; level++) {
    const parts = cut(frame(message))
    const [only] = parts
    if (parts.length === 1 && only !== undefined) return [...leaves, await sealLeaf(only, dek)]
    const children: Child[] = []
    for (const part of parts) {
      const key = Uint8Array.from(newKey())
      const leaf = await sealLeaf(part, key)
      leaves.push(leaf)
      children.push({ cid: leaf.cid, key, length: part.length })
    }
    message = concat(...children.map((child) => bytesField(indexField, encodeChild(child))))
  }
  return refuse('a manifest needs more than three levels')
}

/** openManifest opens the root with the DEK, and what stands below it with fetch, which is given CIDs. It names the leaves it met, in the object's order. */
export async function openManifest(root: Bytes, dek: Uint8Array, fetch: (cid: Uint8Array) => Promise<Bytes>): Promise<{ manifest: Manifest; leaves: ManifestLeaf[] }> {
  let leaves = [{ cid: await leafCID(root), leaf: root }]
  let message = unframe(await decrypt(dek, root, none))
  for (let level = 1; isIndex(message); level++) {
    demand(level < mostLevels, 'a manifest has more than three levels')
    const opened = await openLevel(parseIndex(message), fetch)
    leaves = [...opened.leaves, ...leaves]
    message = unframe(opened.framed)
  }
  demand(leaves.every((a, i) => leaves.findIndex((b) => sameCID(a.cid, b.cid)) === i), 'a CID is named twice')
  return { manifest: parseManifest(message), leaves }
}

interface Child {
  readonly cid: Uint8Array
  readonly key: Uint8Array
  readonly length: number
}

async function openLevel(children: readonly Child[], fetch: (cid: Uint8Array) => Promise<Bytes>): Promise<{ leaves: ManifestLeaf[]; framed: Bytes }> {
  const leaves: ManifestLeaf[] = []
  const parts: Bytes[] = []
  for (const child of children) {
    const leaf = await fetch(child.cid)
    const cid = await leafCID(leaf)
    demand(sameCID(cid, child.cid), 'a leaf is another than the one named')
    demand(leaf.length === child.length + tagSize, 'a leaf has another size')
    leaves.push({ cid, leaf })
    parts.push(await decrypt(child.key, leaf, none))
  }
  return { leaves, framed: concat(...parts) }
}

function isIndex(message: Uint8Array): boolean {
  return message[0] === ((indexField << 3) | 2)
}

function parseIndex(message: Uint8Array): Child[] {
  const children = new Message(message, { [indexField]: 'messages' }).messages(indexField).map(parseChild)
  const last = children.at(-1)
  demand(last !== undefined && children.length >= 2, 'an index of fewer than two leaves')
  demand(children.slice(0, -1).every((child) => child.length === chunkSize), 'a leaf before the last is not full')
  demand(last.length >= 1 && last.length <= chunkSize && last.length % frameUnit === 0, 'the last leaf has a length that no frame has')
  return children
}

async function sealLeaf(part: Bytes, key: Uint8Array): Promise<ManifestLeaf> {
  const leaf = await encrypt(key, part, none)
  return { cid: await leafCID(leaf), leaf }
}

async function leafCID(leaf: Bytes): Promise<Bytes> {
  return cidOfDigest(await sha256Of(leaf))
}

function cut(framed: Bytes): Bytes[] {
  return Array.from({ length: Math.ceil(framed.length / chunkSize) }, (_, i) => framed.slice(i * chunkSize, (i + 1) * chunkSize))
}

function check(m: Manifest): void {
  const name = new TextEncoder().encode(m.name)
  demand(name.length <= longestName && m.name.normalize('NFC') === m.name && m.name.isWellFormed(), 'a name is longer than 255 bytes or not NFC')
  demand(ascii(m.mediaType).length <= longestType, 'a media type is longer than 127 bytes')
  if (m.idKey !== undefined) fixed(m.idKey, 32, 'an id key')
  const l = layout(m.size)
  demand(m.entries.length === l.leaves, `${m.entries.length} entries, a file of that size has ${l.leaves}`)
  const named = new Set<string>()
  m.entries.forEach((entry, at) => {
    checkEntry(entry, m.idKey !== undefined)
    demand(entry.length === fileLength(l, at), 'an entry has a length that its size does not give')
    named.add(entry.cid.join())
  })
  demand(named.size === m.entries.length, 'a CID is named twice')
}

function checkEntry(entry: Entry, hasID: boolean): void {
  parseRawCID(entry.cid)
  fixed(entry.key, 32, 'a key')
  if (hasID) fixed(entry.chunkID ?? none, 32, 'a chunk id')
  else demand(entry.chunkID === undefined, 'a chunk id without an id key')
}

function encodeEntry(entry: Entry): Bytes {
  return concat(encodeChild(entry), bytesField(4, entry.chunkID ?? none))
}

function parseEntry(bytes: Uint8Array): Entry {
  const m = new Message(bytes, { 1: 'bytes', 2: 'bytes', 3: 'number', 4: 'bytes' })
  return { cid: m.bytes(1), key: m.bytes(2), length: small(m.number(3)), ...(m.has(4) ? { chunkID: m.bytes(4) } : {}) }
}

function encodeChild(child: Child): Bytes {
  return concat(bytesField(1, parseRawCID(child.cid)), bytesField(2, fixed(child.key, 32, 'a key')), numberField(3, BigInt(child.length)))
}

function parseChild(bytes: Uint8Array): Child {
  const m = new Message(bytes, { 1: 'bytes', 2: 'bytes', 3: 'number' })
  return { cid: parseRawCID(m.bytes(1)), key: fixed(m.bytes(2), 32, 'a key'), length: small(m.number(3)) }
}

function small(n: bigint): number {
  demand(n < 2n ** 32n, 'a length is larger than 32 bits')
  return Number(n)
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return refuse('text is not UTF-8')
  }
}
