import { create, type DescField, type DescMessage, getOption, type Message, ScalarType } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'
import { base64 } from '@scure/base'
import { name } from '../generated/amino/amino_pb.js'

/** AminoMessage is a message as wallets show it: flat, with the field names of its proto. */
export interface AminoMessage {
  readonly type: string
  readonly value: Readonly<Record<string, AminoValue>>
}

/** AminoValue is what a field holds: 64-bit numbers are decimal text, bytes are base64, enums are numbers. */
export type AminoValue = string | number | boolean | readonly AminoValue[]

/** aminoName is the name that a message has in wallets. It fails for what nobody signs. */
export function aminoName(schema: DescMessage): string {
  const found = getOption(schema, name)
  if (found === '') throw new TypeError(`${schema.typeName} has no amino name`)
  return found
}

/** toAmino follows ADR-20 and the amino options of the message. Absent fields are left out. A message that is not flat fails. */
export function toAmino(schema: DescMessage, message: Message): AminoMessage {
  const fields = reflect(schema, message)
  const value: Record<string, AminoValue> = {}
  for (const field of schema.fields) {
    flat(field)
    if (fields.isSet(field)) value[field.name] = encoded(fields, field)
  }
  return { type: aminoName(schema), value }
}

/** fromAmino reads what toAmino gave. */
export function fromAmino<Desc extends DescMessage>(schema: Desc, value: Readonly<Record<string, unknown>>): Message {
  const message = create(schema)
  const fields = reflect(schema, message)
  for (const [key, given] of Object.entries(value)) {
    const field = schema.fields.find((f) => f.name === key)
    if (field === undefined) throw new TypeError(`${schema.typeName} has no field ${key}`)
    set(fields, flat(field), given)
  }
  return message
}

function flat(field: DescField): DescField & { fieldKind: 'scalar' | 'enum' | 'list' } {
  const isFlat = field.fieldKind === 'scalar' || field.fieldKind === 'enum' || (field.fieldKind === 'list' && field.listKind !== 'message')
  if (!isFlat || field.oneof !== undefined) throw new TypeError(`${field}: a message signed in amino is flat`)
  return field
}

function encoded(fields: ReflectMessage, field: DescField): AminoValue {
  if (field.fieldKind !== 'list') return scalarOf(fields.get(field))
  return Array.from(fields.get(field), scalarOf)
}

function scalarOf(value: unknown): AminoValue {
  switch (typeof value) {
    case 'bigint':
      return value.toString()
    case 'string':
    case 'number':
    case 'boolean':
      return value
  }
  if (value instanceof Uint8Array) return base64.encode(value)
  throw new TypeError('a value has no amino form here')
}

function set(fields: ReflectMessage, field: DescField & { fieldKind: 'scalar' | 'enum' | 'list' }, given: unknown): void {
  if (field.fieldKind !== 'list') return fields.set(field, decoded(field.fieldKind === 'scalar' ? field.scalar : undefined, given))
  if (!Array.isArray(given)) throw new TypeError(`${field}: not a list`)
  const list = fields.get(field)
  for (const element of given) list.add(decoded(field.listKind === 'scalar' ? field.scalar : undefined, element))
}

function decoded(as: ScalarType | undefined, given: unknown): unknown {
  const text = typeof given === 'string' ? given : undefined
  if (text !== undefined && as === ScalarType.BYTES) return base64.decode(text)
  if (text !== undefined && (as === ScalarType.UINT64 || as === ScalarType.INT64)) return BigInt(text)
  return given
}
