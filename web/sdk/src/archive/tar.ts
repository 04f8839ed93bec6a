import { type Bytes, concat } from '#custody/encoding.js'
import { PhrdError } from '../errors.js'

/** TarFile is a file in a tar archive. */
export interface TarFile {
  /** With / between folders. */
  readonly name: string
  /** In bytes. */
  readonly size: bigint
  /** Unix seconds, 0 where it is not known. */
  readonly modified: bigint
}

const blockSize = 512n
// What an owner alone may read and write.
const mode = 0o600n
const nameSize = 100
const folderSize = 155
// What eleven octal digits hold.
const mostOctal = 8n ** 11n - 1n

/** tarHeader is what stands before the bytes of a file, in the form ustar of POSIX.1-1988; where a name or size does not fit into that, in the form pax of POSIX.1-2001, with an extended header before it. The bytes are those of Go's archive/tar, which the command uses. */
export function tarHeader(file: TarFile): Bytes {
  if (file.name === '' || file.name.includes('\0')) throw new PhrdError('file', 'an archive has no place for a file without a name')
  if (file.size < 0n || file.modified < 0n || file.modified > mostOctal) throw new PhrdError('file', `an archive has no place for ${file.size} bytes of ${file.modified}`)
  const isLarge = file.size > mostOctal
  const fields = { kind: '0', mode, size: isLarge ? 0n : file.size, modified: file.modified, hasDevice: true } as const
  const isASCII = toASCII(file.name) === file.name
  const parts = isASCII && !isLarge ? split(file.name) : undefined
  if (parts !== undefined) return header(parts.name, fields, parts.folder)
  const main = header(toASCII(file.name), fields)
  const isShort = isASCII && file.name.length <= nameSize
  const extended = [...(isShort ? [] : [record('path', file.name)]), ...(isLarge ? [record('size', String(file.size))] : [])]
  if (extended.length === 0) return main
  const body = concat(...extended)
  const size = BigInt(body.length)
  return concat(header(extendedName(file.name), { kind: 'x', mode: 0n, size, modified: 0n, hasDevice: false }), body, tarPadding(size), main)
}

/** tarPadding fills a file of so many bytes up to a whole block. */
export function tarPadding(size: bigint): Bytes {
  return new Uint8Array(Number((blockSize - (size % blockSize)) % blockSize))
}

/** tarEnd stands behind the last file. */
export function tarEnd(): Bytes {
  return new Uint8Array(2 * Number(blockSize))
}

interface Fields {
  readonly kind: '0' | 'x'
  readonly mode: bigint
  readonly size: bigint
  readonly modified: bigint
  readonly hasDevice: boolean
}

// ustar has a field for folders beside that of the name.
function split(name: string): { readonly folder: string; readonly name: string } | undefined {
  if (name.length <= nameSize) return undefined
  const at = name.slice(0, folderSize + 1).lastIndexOf('/')
  return at <= 0 || name.length - at - 1 > nameSize ? undefined : { folder: name.slice(0, at), name: name.slice(at + 1) }
}

function header(name: string, f: Fields, folder = ''): Bytes {
  const block = new Uint8Array(Number(blockSize))
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at)
  put(0, name.slice(0, nameSize))
  put(100, octal(f.mode, 8))
  for (const owner of [108, 116]) put(owner, octal(0n, 8))
  put(124, octal(f.size, 12))
  put(136, octal(f.modified, 12))
  put(148, ' '.repeat(8)) // the sum counts itself as spaces
  put(156, f.kind)
  put(257, 'ustar\x0000')
  if (f.hasDevice) for (const device of [329, 337]) put(device, octal(0n, 8))
  put(345, folder)
  put(148, octal(BigInt(block.reduce((sum, byte) => sum + byte, 0)), 7))
  return block
}

// Digits to the end of the field, which a zero ends.
function octal(n: bigint, length: number): string {
  return `${n.toString(8).padStart(length - 1, '0')}\0`
}

// A record begins with its own length, in decimal digits.
function record(key: string, value: string): Bytes {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`)
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return concat(new TextEncoder().encode(String(length)), rest)
}

function extendedName(name: string): string {
  const at = name.lastIndexOf('/') + 1
  return toASCII(`${name.slice(0, at)}PaxHeaders.0/${name.slice(at)}`).slice(0, nameSize).replace(/\/+$/, '')
}

function toASCII(text: string): string {
  return [...text].filter((c) => c < '\x80').join('')
}
