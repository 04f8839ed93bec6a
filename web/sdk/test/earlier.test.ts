import assert from 'node:assert/strict'
import { randomBytes as nodeBytes } from 'node:crypto'
import { test } from 'node:test'
import { cidText } from '#custody/cid.js'
import type { Bytes } from '#custody/encoding.js'
import { chunkSize } from '#custody/object.js'
import { onThisThread } from '../src/content/chunks.js'
import { Earlier, type Holds } from '../src/content/earlier.js'
import { OpenedFile } from '../src/content/file.js'
import { type SealedObject, sealObject } from '../src/content/seal.js'

const blocks = new Map<string, Bytes>()
const draft = { name: 'film.mp4', mediaType: 'video/mp4' }
const all: Holds = async () => true

/** sealed seals a file, after an earlier one where that is given, and counts what went into the sink. */
async function sealed(plain: Uint8Array, earlier?: Earlier): Promise<{ object: SealedObject; sent: number; file: OpenedFile }> {
  let sent = 0
  const object = await sealObject(new Blob([Buffer.from(plain)]), draft, onThisThread, async (cid, block) => {
    sent += block.length
    blocks.set(cidText(cid), block.slice())
  }, earlier === undefined ? undefined : { earlier })
  const file = await OpenedFile.open(object, object.dek, async (cid) => blocks.get(cidText(cid))?.slice() ?? assert.fail('no such block'), onThisThread)
  assert.ok(Buffer.from(plain).equals(await file.bytes()))
  return { object, sent, file }
}

// The files and the figures are those of TestANewVersionTakesOverItsUnchangedChunks of package seal.
const plain = nodeBytes(20 * chunkSize + 5)
const changed = Buffer.concat([plain, Buffer.from('more')])
changed[7 * chunkSize + 1] = (changed[7 * chunkSize + 1] ?? 0) ^ 1
const first = await sealed(plain)
const entryAt = (file: OpenedFile, at: number) => file.leaves[at] ?? assert.fail('no such leaf')

test('a new version takes over its unchanged chunks, and sends the others', async () => {
  const second = await sealed(changed, new Earlier(first.file, all))
  assert.equal(second.object.reused.length, 19)
  assert.equal(second.object.saved, 19 << 20)
  assert.ok(second.sent < first.sent - (18 << 20), `${second.sent} bytes were sent, ${first.sent} at first`)
  second.file.leaves.slice(0, 20).forEach(({ cid }, i) => assert.equal(cidText(Uint8Array.from(cid)) === cidText(Uint8Array.from(entryAt(first.file, i).cid)), i !== 7))
  assert.notDeepEqual(first.object.dek, second.object.dek)
  await second.file.check(undefined, second.object.reused)
})

test('a leaf that the hospital does not have whole is sealed anew', async () => {
  const { cid: lost } = entryAt(first.file, 3)
  const { object } = await sealed(changed, new Earlier(first.file, async (cid) => !Buffer.from(cid).equals(lost)))
  assert.equal(object.reused.length, 18)
})

test('a leaf that holds something else than its manifest says is not taken over', async () => {
  const leaves = first.file.leaves.map((entry, i) => (i === 3 ? { ...entry, cid: entryAt(first.file, 5).cid, key: entryAt(first.file, 5).key } : entry))
  const { object } = await sealed(changed, new Earlier({ leaves }, all))
  assert.equal(object.reused.length, 18)
})

test('as many are taken over as hold the same, and none twice', async () => {
  const zeros = Buffer.alloc(5 * chunkSize)
  const before = await sealed(zeros)
  assert.equal((await sealed(zeros, new Earlier(before.file, all))).object.reused.length, 5)
  const twice = Buffer.concat([plain.subarray(0, chunkSize), plain.subarray(0, chunkSize)])
  assert.equal((await sealed(twice, new Earlier(first.file, all))).object.reused.length, 1)
})
