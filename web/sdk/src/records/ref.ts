import { type Bytes, compare } from '#custody/encoding.js'
import { idText, parseIDText } from '#custody/id.js'
import { Refusal } from '#custody/refusal.js'
import { PhrdError } from '../errors.js'

/** Ref names one version of a record. */
export interface Ref {
  readonly record: Bytes
  readonly version: bigint
}

/** refText is "<record>/<version>". */
export function refText(ref: Ref): string {
  return `${idText(ref.record)}/${ref.version}`
}

/** parseRef reads what refText wrote. */
export function parseRef(text: string): Ref {
  const [record, version, ...more] = text.split('/')
  if (record === undefined || version === undefined || more.length > 0 || !/^[1-9]\d{0,18}$/.test(version)) {
    throw new PhrdError('ref', `${text} names no version of a record`)
  }
  try {
    return { record: parseIDText(record), version: BigInt(version) }
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('ref', `${text} names no version of a record`, cause) : cause
  }
}

/** compareRefs orders refs as proposals have them: by the bytes of the record, then by version. */
export function compareRefs(a: Ref, b: Ref): number {
  return compare(a.record, b.record) || (a.version < b.version ? -1 : Number(a.version > b.version))
}
