import { create, type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import { type AminoValue, aminoName, fromAmino, toAmino } from './amino.js'
import { directOnly, personalMessages } from './personal.js'

/** CosmJSType encodes and decodes a message for the Registry of CosmJS. */
export interface CosmJSType {
  readonly encode: (message: Message) => { finish(): Uint8Array }
  readonly decode: (bytes: Uint8Array) => Message
  readonly fromPartial: (object: Record<string, unknown>) => Message
}

/** CosmJSConverter turns a message into its amino form for the AminoTypes of CosmJS, and back. */
export interface CosmJSConverter {
  readonly aminoType: string
  readonly toAmino: (message: Message) => Readonly<Record<string, AminoValue>>
  readonly fromAmino: (value: Readonly<Record<string, unknown>>) => Message
}

/** cosmJSTypes are the messages that people sign, for `new Registry(cosmJSTypes())`. */
export function cosmJSTypes(): [string, CosmJSType][] {
  return personalMessages.map((schema) => [`/${schema.typeName}`, typeOf(schema)])
}

/** cosmJSConverters are those that a wallet can show, for `new AminoTypes(cosmJSConverters())`. */
export function cosmJSConverters(): Record<string, CosmJSConverter> {
  const shown = personalMessages.filter((schema) => !directOnly.includes(schema.typeName))
  return Object.fromEntries(shown.map((schema) => [`/${schema.typeName}`, converterOf(schema)]))
}

function typeOf(schema: DescMessage): CosmJSType {
  return {
    encode: (message) => ({ finish: () => toBinary(schema, message) }),
    decode: (bytes) => fromBinary(schema, bytes),
    fromPartial: (object) => create(schema, object),
  }
}

function converterOf(schema: DescMessage): CosmJSConverter {
  return {
    aminoType: aminoName(schema),
    toAmino: (message) => toAmino(schema, message).value,
    fromAmino: (value) => fromAmino(schema, value),
  }
}
