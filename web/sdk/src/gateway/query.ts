import { type DescMessage, type DescMethodUnary, fromJson, getOption, type JsonObject, type JsonValue, type MessageInitShape, create, toJson } from '@bufbuild/protobuf'
import type { MessageShape } from '@bufbuild/protobuf'
import { http } from '../generated/google/api/annotations_pb.js'

/** Connection answers queries: one gateway, one at some height, or whichever of several answers. */
export interface Connection {
  /** query asks one of the Query methods of the generated types. */
  query<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, request: MessageInitShape<I>): Promise<MessageShape<O>>
}

/** queryPath is the path and query string of a method's google.api.http option. */
export function queryPath<I extends DescMessage>(method: DescMethodUnary<I, DescMessage>, request: MessageInitShape<I>): string {
  const pattern = getOption(method, http).pattern
  if (pattern.case !== 'get') throw new TypeError(`${method.name} is not asked with GET`)
  const fields = objectOf(toJson(method.input, create(method.input, request), { useProtoFieldName: true }))
  const named = new Set<string>()
  const path = pattern.value.replace(/\{(\w+)\}/g, (_, field: string) => {
    named.add(field)
    return encodeURIComponent(String(fields[field] ?? ''))
  })
  const rest = new URLSearchParams(Object.entries(fields).filter(([field]) => !named.has(field)).flatMap(([field, value]) => parameters(field, value)))
  return rest.size === 0 ? path : `${path}?${rest}`
}

/** answerOf reads the JSON of an answer. Fields that are newer than this program are left out. */
export function answerOf<O extends DescMessage>(method: DescMethodUnary<DescMessage, O>, json: JsonValue): MessageShape<O> {
  return fromJson(method.output, json, { ignoreUnknownFields: true })
}

function parameters(field: string, value: JsonValue | undefined): [string, string][] {
  if (Array.isArray(value)) return value.map((element) => [field, String(element)])
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([inner, v]) => parameters(`${field}.${inner}`, v))
  return [[field, String(value)]]
}

function objectOf(json: JsonValue): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new TypeError('a request is no object')
  return json
}
