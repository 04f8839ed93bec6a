import { ascii, type Bytes } from './encoding.js'
import { parseNet } from './generation.js'
import { parseID } from './id.js'
import { demand } from './refusal.js'

/** What a wallet signs to open its slot. */
export interface SlotText {
  readonly net: Uint8Array
  readonly chainID: string
  readonly account: string
  readonly vault: Uint8Array
  readonly slot: Uint8Array
  readonly site: string
}

/** slotText is the text that the wallet shows. */
export function slotText(t: SlotText): string {
  return [
    'phrd vault key',
    `network: ${hex(parseNet(t.net)).slice(0, 8)} ${word(t.chainID)}`,
    `account: ${word(t.account)}`,
    `vault: ${hex(parseID(t.vault))}`,
    `slot: ${hex(parseID(t.slot))}`,
    `site: ${word(t.site)}`,
    'Sign this only in phrd. Whoever gets this signature may read your records.',
  ].join('\n')
}

/** signDocument is the ADR-36 document over the text, byte for byte as it is signed. */
export function signDocument(t: SlotText): string {
  const data = btoa(slotText(t))
  const signed = `{"type":"sign/MsgSignData","value":{"data":"${data}","signer":${JSON.stringify(t.account)}}}`
  return `{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"","msgs":[${signed}],"sequence":"0"}`
}

/** hex is lower case, two digits a byte. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** unhex reads what hex wrote. */
export function unhex(text: string): Bytes {
  demand(/^([0-9a-f]{2})*$/.test(text), 'text is not hexadecimal')
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16))
}

function word(text: string): string {
  ascii(text)
  demand(text.length > 0 && !text.includes(' '), 'a name is empty or has a space')
  return text
}
