import { signal } from '@preact/signals'
import { PhrdError } from '#sdk/errors.js'
import type { SignDocument } from '#sdk/message/document.js'
import { LocalSigner, newWords } from '#sdk/wallet/local.js'
import type { Signer } from '#sdk/wallet/signer.js'

const key = 'phrd/demo-words'

/** Question is what the demo wallet asks before it signs: lines of a name and a value, as a wallet shows them. */
export interface Question {
  /** How many were asked before, since the page was loaded. */
  readonly number: number
  readonly lines: readonly (readonly [string, string])[]
  readonly answer: (yes: boolean) => void
}

/** question is what is to be answered now. */
export const question = signal<Question | undefined>(undefined)

/** isDemo tells whether a network is for trying things out: there and nowhere else this wallet is offered. */
export function isDemo(chainID: string): boolean {
  return chainID.startsWith('phrd-demo')
}

/** demoWallet is an account whose key this tab holds, which asks before each signature but that of a login. */
export async function demoWallet(): Promise<Signer> {
  const words = sessionStorage.getItem(key) ?? newWords()
  sessionStorage.setItem(key, words)
  return walletOf(words)
}

/** newDemoWallet is another such account; keep has this tab hold it in the place of the one before. */
export async function newDemoWallet(): Promise<{ readonly signer: Signer; readonly keep: () => void }> {
  const words = newWords()
  return { signer: await walletOf(words), keep: () => sessionStorage.setItem(key, words) }
}

async function walletOf(words: string): Promise<Signer> {
  const local = await LocalSigner.fromWords(words)
  return {
    address: local.address,
    publicKey: local.publicKey,
    async signAmino(document) {
      await ask(linesOf(document))
      return local.signAmino(document)
    },
    async signDirect(chainID, accountNumber, parts) {
      await ask([['transaction', chainID]])
      return local.signDirect(chainID, accountNumber, parts)
    },
    async signText(text) {
      if (!text.startsWith('phrd login\n')) await ask(text.split('\n').map((line) => split(line)))
      return local.signText(text)
    },
  }
}

let asked = 0

async function ask(lines: Question['lines']): Promise<void> {
  const yes = await new Promise<boolean>((answer) => {
    question.value = { number: asked++, lines, answer }
  })
  question.value = undefined
  if (!yes) throw new PhrdError('rejected', 'the wallet was told not to sign')
}

function linesOf(document: SignDocument): [string, string][] {
  return document.msgs.flatMap((message): [string, string][] => [
    ['message', message.type],
    ...Object.entries(message.value as Record<string, unknown>).map(([name, value]): [string, string] => [name, Array.isArray(value) ? value.join(', ') : String(value)]),
  ])
}

function split(line: string): [string, string] {
  const at = line.indexOf(': ')
  return at < 0 ? ['', line] : [line.slice(0, at), line.slice(at + 2)]
}
