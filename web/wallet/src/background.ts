import { accountChanged, type Call, faultOf, type Outcome } from './messages.js'
import { pack, unpack } from './packed.js'
import { type Question, type State, Wallet } from './wallet.js'

const own = chrome.runtime.getURL('').replace(/\/$/, '')
const fresh: State = { accounts: [], used: 0, locked: false, chains: [], permitted: {} }

async function state(): Promise<State> {
  const { state } = await chrome.storage.local.get<{ state?: State }>('state')
  return { ...fresh, ...state }
}

let changing: Promise<void> = Promise.resolve()

function change(how: (state: State) => State): Promise<void> {
  const mine = changing.then(async () => {
    const [before, after] = await state().then((now) => [now, how(now)] as const)
    await chrome.storage.local.set({ state: after })
    if (before.used !== after.used) await tell()
  })
  changing = mine.catch(() => undefined)
  return mine
}

async function tell(): Promise<void> {
  // Pages in which nothing of this wallet runs do not listen.
  for (const { id } of await chrome.tabs.query({})) if (id !== undefined) await chrome.tabs.sendMessage(id, accountChanged).catch(() => undefined)
}

interface Open {
  readonly question: Question
  readonly answer: (yes: boolean) => void
}

// Questions that wait for a click, by their names. As long as a site waits for its answer, the browser does not end this worker.
const open = new Map<string, Open>()
// Which question is in which window.
const windows = new Map<number, string>()

async function ask(question: Question): Promise<boolean> {
  const name = crypto.randomUUID()
  const answered = new Promise<boolean>((answer) => open.set(name, { question, answer }))
  const { id } = (await chrome.windows.create({ url: `approval.html#${name}`, type: 'popup', width: 420, height: 720 })) ?? {}
  if (id === undefined) throw new Error('the browser opens no window')
  windows.set(id, name)
  return answered
}

function answer(name: string, yes: boolean): void {
  open.get(name)?.answer(yes)
  open.delete(name)
}

const wallet = new Wallet({ state, change, ask })

/** Own is what the wallet's own windows say. */
export type Own =
  | { readonly own: 'question'; readonly name: string }
  | { readonly own: 'answer'; readonly name: string; readonly yes: boolean }
  | { readonly own: 'state' }
  | { readonly own: 'use'; readonly account: number }
  | { readonly own: 'lock' }

async function forOwn(message: Own): Promise<unknown> {
  switch (message.own) {
    case 'question':
      return open.get(message.name)?.question
    case 'answer':
      return answer(message.name, message.yes)
    case 'state':
      return state()
    case 'use':
      return wallet.use(message.account)
    case 'lock':
      return wallet.lock()
  }
}

async function outcomeOf(origin: string | undefined, message: Call | Own): Promise<Outcome> {
  try {
    if (origin === undefined) throw new Error('who asks has no origin')
    if (origin === own) return { value: pack(await forOwn(message as Own)) }
    const { method, given } = message as Call
    return { value: pack(await wallet.call(origin, method, unpack(given) as unknown[])) }
  } catch (cause) {
    return faultOf(cause)
  }
}

chrome.runtime.onMessage.addListener((message: Call | Own, { origin }, respond: (outcome: Outcome) => void) => {
  void outcomeOf(origin, message).then(respond)
  return true
})
// A window that is closed says no.
chrome.windows.onRemoved.addListener((id) => {
  answer(windows.get(id) ?? '', false)
  windows.delete(id)
})
