import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { hex } from '#custody/wallet.js'
import { archivedName, fileName } from '../src/archive/name.js'
import { tarEnd, tarHeader, tarPadding } from '../src/archive/tar.js'
import type { Kind } from '../src/index.js'

const headers: readonly { readonly name: string; readonly size: number; readonly modified: number; readonly header: string }[] = JSON.parse(
  readFileSync('../../testdata/archive/headers.json', 'utf8'),
)

test('what stands before a file is what the command writes, to the byte', () => {
  assert.ok(headers.length > 0)
  for (const { name, size, modified, header } of headers) {
    const made = tarHeader({ name, size: BigInt(size), modified: BigInt(modified) })
    assert.equal(hex(made), header, name)
    assert.equal(made.length % 512, 0)
  }
})

test('files are filled up to whole blocks', () => {
  for (const [size, padding] of [[0n, 0], [1n, 511], [511n, 1], [512n, 0], [513n, 511], [2n ** 40n + 5n, 507]] as const) assert.equal(tarPadding(size).length, padding)
  assert.equal(tarEnd().length, 1024)
})

test('what has no place in an archive is refused', () => {
  const file = { name: 'a', size: 1n, modified: 1n }
  tarHeader(file)
  for (const bad of [{ name: '' }, { name: 'a\0b' }, { size: -1n }, { modified: -1n }, { modified: 8n ** 11n }]) {
    assert.throws(() => tarHeader({ ...file, ...bad }), { kind: 'file' satisfies Kind }, JSON.stringify(Object.keys(bad)))
  }
})

test('what somebody else chose is never a path', () => {
  const names: readonly (readonly [string, string, string])[] = [
    ['scan.dcm', '', 'scan.dcm'], ['../../etc/passwd', '', '_.._etc_passwd'], ['C:\\x', '', 'C__x'], ['..', 'application/pdf', 'file.pdf'], ['', 'text/plain; charset=utf-8', 'file.txt'],
    [' . ', 'application/unknown', 'file'], ['a\u202egpj.exe', '', 'a_gpj.exe'], ['a\nb\u0000c', '', 'a_b_c'], ['Röntgen 日本.pdf', '', 'Röntgen 日本.pdf'],
  ]
  for (const [name, mediaType, safe] of names) assert.equal(fileName(name, mediaType), safe)
  const ref = { record: new Uint8Array(16), version: 7n }
  assert.match(archivedName(ref, 'x', ''), /^[0-9A-Z]+\/7\/x$/)
})
