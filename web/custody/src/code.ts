import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { ascii, type Bytes, fixed } from './encoding.js'
import { demand, refuse } from './refusal.js'

/** codeWords is the recovery code as 24 words. */
export function codeWords(code: Uint8Array): string {
  return entropyToMnemonic(fixed(code, 32, 'a recovery code'), wordlist)
}

/** parseCodeWords reads 24 words as a person may write them: any case, any spaces. */
export function parseCodeWords(text: string): Bytes {
  const words = text.trim().toLowerCase().split(/\s+/)
  demand(words.length === 24, `a recovery code of ${words.length} words`)
  const phrase = words.join(' ')
  ascii(phrase)
  try {
    return Uint8Array.from(mnemonicToEntropy(phrase, wordlist))
  } catch {
    return refuse('a recovery code has a wrong word or check')
  }
}
