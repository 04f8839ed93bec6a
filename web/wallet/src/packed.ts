import { base64 } from '@scure/base'

/** pack is JSON of a value in which there are bytes and bigints too: messages between the parts of an extension carry neither. */
export function pack(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) => {
    if (part instanceof Uint8Array) return { $bytes: base64.encode(part) }
    return typeof part === 'bigint' ? { $int: part.toString() } : part
  })
}

/** unpack reads what pack gave. */
export function unpack(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null) return part
    if ('$bytes' in part) return base64.decode(String(part.$bytes))
    return '$int' in part ? BigInt(String(part.$int)) : part
  })
}
