import { documentText } from './document.js'

// What the Cosmos app of Ledger's devices takes, in its version 2.38 (github.com/cosmos/ledger-cosmos), each with the name that it has there. Where devices differ the
// smallest counts.
/** mostBytes is the size of a document (TX_BUFFER_SIZE). */
export const mostBytes = 16_384
/** mostTokens is how many objects, lists, keys and values there are in one (MAX_NUMBER_OF_TOKENS of Stax and Flex). */
export const mostTokens = 600
/** mostItems is how many of them are shown, one after another (an unsigned byte). */
export const mostItems = 255
/** longestTitle is what is kept of the way to an item, in characters (QUERY_KEY_BUFFER_SIZE less its end): a longer one is cut off. */
export const longestTitle = 34
/** longestType is the longest type of a message (INDEXING_GROUPING_REF_TYPE_SIZE less its end). */
export const longestType = 69
// How deep the app looks into objects and lists (MAX_RECURSION_DEPTH): what is deeper is shown as one text.
const deepest = 6
// A value is cut into pages of so many characters while it is checked (MAX_TITLE_SIZE less its end), and their number is an unsigned byte.
const page = 39
const mostPages = 255
// These networks are refused (tx_display.c).
const noChains = ['0', '1']

// In the order in which they are shown, and down to which level of objects one by one.
const roots = [['chain_id', 2], ['account_number', 2], ['sequence', 2], ['fee', 1], ['memo', 2], ['msgs', 2], ['tip', 1]] as const
const required = ['account_number', 'chain_id', 'fee', 'memo', 'msgs', 'sequence']

// What the app says in place of the way to an item, as far as these messages have such items.
const titles: Readonly<Record<string, string>> = {
  chain_id: 'Chain ID', account_number: 'Account', sequence: 'Sequence', memo: 'Memo', 'fee/amount': 'Fee', 'fee/gas': 'Gas', 'msgs/type': 'Type',
  'msgs/value/description': 'Description', 'msgs/value/option': 'Option', 'msgs/value/proposal_id': 'Proposal ID', 'msgs/value/proposer': 'Proposer',
  'msgs/value/title': 'Title', 'msgs/value/voter': 'Description',
}

/** Screen is what the device shows of one item, page by page. */
export interface Screen {
  readonly title: string
  readonly pages: readonly string[]
}

/** ledgerScreens gives what the device shows of the bytes of a document before it signs them. It fails where the device would not take them, or would not show them as they are. */
export function ledgerScreens(bytes: Uint8Array): Screen[] {
  if (bytes.length > mostBytes) throw refusal(`it has ${bytes.length} bytes, and the device takes ${mostBytes}`)
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  // The app would show other characters as some bytes or other.
  if (!/^[\x20-\x7e]*$/.test(text)) throw refusal('it has characters that the device does not show')
  const document = objectOf(JSON.parse(text))
  if (documentText(document) !== text) throw refusal('its keys are not sorted or not distinct, or there is white space between them')
  const tokens = tokensOf(document)
  if (tokens > mostTokens) throw refusal(`it has ${tokens} parts, and the device takes ${mostTokens}`)
  for (const name of required) if (!(name in document)) throw refusal(`it has no ${name}`)
  if (noChains.includes(String(document['chain_id']))) throw refusal('the device signs nothing for such a chain')
  const items = itemsOf(document)
  if (items.length > mostItems) throw refusal(`it has ${items.length} items, and the device shows ${mostItems}`)
  return items.map(screenOf)
}

interface Item {
  readonly way: string
  readonly value: string
}

function itemsOf(document: Record<string, unknown>): Item[] {
  return roots.flatMap(([name, level]) => {
    if (!(name in document) || (name === 'memo' && document[name] === '')) return []
    return Array.from(walk(document[name], name, level, deepest))
  })
}

// Objects take one from the level, objects and lists one from the depth; what is below the last is shown as one text.
function* walk(value: unknown, way: string, level: number, depth: number): Generator<Item> {
  if (typeof value !== 'object' || value === null || level === 0 || depth === 0) return yield { way, value: valueText(value) }
  if (Array.isArray(value)) for (const element of value) yield* walk(element, way, level, depth - 1)
  else for (const [key, field] of Object.entries(value)) yield* walk(field, `${way}/${key}`, level - 1, depth - 1)
}

function valueText(value: unknown): string {
  const text = documentText(value)
  return typeof value === 'string' ? text.slice(1, -1) : text
}

function screenOf({ way, value }: Item): Screen {
  if (way.length > longestTitle) throw refusal(`the device cuts ${way} off`)
  if (way === 'msgs/type' && value.length > longestType) throw refusal('the type of its message is too long')
  const pages = Array.from({ length: Math.max(1, Math.ceil(value.length / page)) }, (_, i) => value.slice(i * page, (i + 1) * page))
  if (pages.length > mostPages) throw refusal(`${way} has ${pages.length} pages, and the device shows ${mostPages}`)
  // No fee is an empty list, for which the app has a word.
  return { title: titles[way] ?? way, pages: way === 'fee/amount' && value === '[]' ? ['Empty'] : pages }
}

function tokensOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  if (Array.isArray(value)) return value.reduce<number>((sum, element) => sum + tokensOf(element), 1)
  return Object.values(value).reduce<number>((sum, field) => sum + 1 + tokensOf(field), 1)
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('it is no object')
  return value as Record<string, unknown>
}

function refusal(why: string): Error {
  return new Error(`Ledger: ${why}`)
}
