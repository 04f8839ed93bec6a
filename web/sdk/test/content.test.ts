import assert from 'node:assert/strict'
import { randomBytes as nodeBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { cidText, sameCID } from '#custody/cid.js'
import { type Bytes, randomBytes } from '#custody/encoding.js'
import { chunkSize } from '#custody/object.js'
import { Refusal } from '#custody/refusal.js'
import { type Chunks, onThisThread } from '../src/content/chunks.js'
import { OpenedFile } from '../src/content/file.js'
import { type Content, type SealedObject, sealObject } from '../src/content/seal.js'
import { WorkerChunks } from '../src/content/workers.js'
import { nodeLanes } from '../src/node/index.js'

const draft = { name: 'scan.dcm', mediaType: 'application/dicom' }
const workers = new WorkerChunks(nodeLanes(2))
after(() => workers.close())

async function sealed(content: Content, chunks: Chunks): Promise<{ object: SealedObject; blocks: Map<string, Bytes>; order: Bytes[] }> {
  const blocks = new Map<string, Bytes>()
  const order: Bytes[] = []
  const object = await sealObject(content, draft, chunks, async (cid, block) => {
    blocks.set(cidText(cid), block.slice())
    order.push(cid)
  })
  return { object, blocks, order }
}

function opened(object: SealedObject, blocks: ReadonlyMap<string, Bytes>, chunks: Chunks): Promise<OpenedFile> {
  return OpenedFile.open(object, object.dek, async (cid) => blocks.get(cidText(cid))?.slice() ?? assert.fail('no such block'), chunks)
}

for (const size of [0, 1, 4080, 4081, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize + 5]) {
  for (const [name, chunks] of [['this thread', onThisThread], ['workers', workers]] as const) {
    test(`a file of ${size} bytes comes back, by ${name}`, async () => {
      const plain = Buffer.alloc(size, 'phrd ')
      const { object, blocks } = await sealed(new Blob([plain]), chunks)
      const file = await opened(object, blocks, chunks)
      assert.equal(file.size, BigInt(size))
      assert.equal(file.name, draft.name)
      assert.ok(plain.equals(await file.bytes()))
      await file.check()
    })
  }
}

test('ranges are those of the file, and read no more leaves than hold them', async () => {
  const plain = Buffer.from(Array.from({ length: 2 * chunkSize + 100 }, (_, i) => i % 251))
  const { object, blocks } = await sealed(new Blob([plain]), workers)
  const asked: string[] = []
  const source = async (cid: Uint8Array) => {
    asked.push(cidText(cid))
    return blocks.get(cidText(cid))?.slice() ?? assert.fail('no such block')
  }
  const file = await OpenedFile.open(object, object.dek, source, workers)
  for (const [offset, length, leaves] of [[0, 1, 1], [chunkSize - 1, 2, 2], [chunkSize, chunkSize, 1], [5, 2 * chunkSize, 3], [2 * chunkSize + 99, 1, 1], [7, 0, 0]] as const) {
    asked.length = 0
    assert.ok(plain.subarray(offset, offset + length).equals(await file.bytes(BigInt(offset), BigInt(length))))
    assert.equal(asked.length, leaves)
  }
  assert.throws(() => file.stream(1n, file.size), { kind: 'ref' })
})

test('a reader that stops asks for nothing more', async () => {
  const { object, blocks } = await sealed(new Blob([Buffer.alloc(20 * chunkSize)]), onThisThread)
  let asked = 0
  const file = await OpenedFile.open(object, object.dek, async (cid) => {
    asked++
    return blocks.get(cidText(cid))?.slice() ?? assert.fail('no such block')
  }, onThisThread)
  const reader = file.stream().getReader()
  await reader.read()
  await reader.cancel()
  assert.ok(asked <= 2 + 2 * onThisThread.lanes, `${asked} blocks were asked for`)
})

for (const [name, chunks] of [['this thread', onThisThread], ['workers', workers]] as const) {
  test(`a leaf that is not the one named is refused, by ${name}`, async () => {
    const { object, blocks, order } = await sealed(new Blob([nodeBytes(2 * chunkSize)]), chunks)
    const [first, second] = order.map(cidText)
    for (const damage of ['flipped', 'swapped', 'cut'] as const) {
      const changed = new Map(blocks)
      const leaf = blocks.get(first ?? '') ?? assert.fail()
      const other = { flipped: leaf.map((b, i) => (i === 77 ? b ^ 1 : b)), swapped: blocks.get(second ?? '') ?? assert.fail(), cut: leaf.slice(0, -1) }[damage]
      changed.set(first ?? '', other)
      const file = await opened(object, changed, chunks)
      await assert.rejects(file.bytes(), Refusal, damage)
      assert.equal((await file.bytes(BigInt(chunkSize))).length, chunkSize)
    }
  })
}

test('a manifest of another object, size or key is refused', async () => {
  const { object, blocks } = await sealed(new Blob([randomBytes(5000)]), onThisThread)
  const { object: other } = await sealed(new Blob([randomBytes(5000)]), onThisThread)
  await opened(object, blocks, onThisThread)
  assert.ok(!sameCID(object.object, other.object))
  for (const changed of [{ ...object, object: other.object }, { ...object, padded: object.padded + 1n }, { ...object, dek: other.dek }]) {
    await assert.rejects(opened(changed, blocks, onThisThread), Refusal)
  }
})

test('a file that became shorter while it was sealed is an error', async () => {
  const shorter = { size: 9000, slice: (start: number, end: number) => new Blob([randomBytes(8999)]).slice(start, end) }
  await assert.rejects(sealed(shorter, onThisThread), { kind: 'upload' })
})

// Blocks of a large file lie on the disk, as at a gateway.
class Disk {
  readonly #folder = mkdtempSync(join(tmpdir(), 'phrd-sdk-'))
  readonly #file = openSync(join(this.#folder, 'blocks'), 'w+')
  readonly #places = new Map<string, [number, number]>()
  #end = 0

  put(cid: Bytes, block: Bytes): void {
    writeSync(this.#file, block, 0, block.length, this.#end)
    this.#places.set(cidText(cid), [this.#end, block.length])
    this.#end += block.length
  }

  get(cid: Uint8Array): Bytes {
    const [at, length] = this.#places.get(cidText(cid)) ?? assert.fail('no such block')
    const block = new Uint8Array(length)
    readSync(this.#file, block, 0, length, at)
    return block
  }

  remove(): void {
    closeSync(this.#file)
    rmSync(this.#folder, { recursive: true })
  }
}

test('memory does not grow with the file', async () => {
  const size = (process.env['PHRD_SIZE'] === 'full' ? 1024 : 256) << 20
  const most = 160 << 20
  const content: Content = { size, slice: (start, end) => ({ arrayBuffer: async () => new Uint8Array(end - start).fill(start >> 20).buffer }) }
  const disk = new Disk()
  try {
    const before = process.memoryUsage().rss
    let peak = 0
    const look = () => {
      peak = Math.max(peak, process.memoryUsage().rss - before)
    }
    const object = await sealObject(content, draft, workers, async (cid, block) => {
      disk.put(cid, block)
      look()
    })
    const file = await OpenedFile.open(object, object.dek, async (cid) => disk.get(cid), workers)
    let read = 0
    for await (const part of file.stream()) {
      assert.equal(part[0], (Math.floor(read / chunkSize) * chunkSize) >> 20 & 255)
      read += part.length
      look()
    }
    assert.equal(read, size)
    assert.ok(peak < most, `${peak >> 20} MiB more than before, at most ${most >> 20}`)
    console.log(`# ${size >> 20} MiB in and out, ${peak >> 20} MiB more than before at most`)
  } finally {
    disk.remove()
  }
})
