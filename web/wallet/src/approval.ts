import { button, element, say } from './own.js'
import type { Question } from './wallet.js'

// What the wallet shows, and a Ledger too.
function shown({ lines, screens }: Question): HTMLElement[] {
  const list = element('dl', ...lines.flatMap(([name, value]) => [element('dt', name), element('dd', value)]))
  if (screens === undefined) return [list]
  const pages = screens.flatMap(({ title, pages }) => pages.map((text, i) => element('li', element('strong', pages.length === 1 ? title : `${title} [${i + 1}/${pages.length}]`), text)))
  const device = element('ol', ...pages)
  device.className = 'device'
  device.setAttribute('aria-label', 'On the device')
  return [list, element('h2', 'On the device'), device]
}

async function show(): Promise<void> {
  const name = location.hash.slice(1)
  const question = (await say({ own: 'question', name })) as Question | null
  // It was answered, or the wallet was started anew since.
  if (question === null) return window.close()
  const answer = async (yes: boolean) => {
    await say({ own: 'answer', name, yes })
    window.close()
  }
  document.querySelector('main')?.replaceChildren(
    element('h1', question.title),
    element('p', `${question.origin} asks. Account: ${question.account}`),
    ...shown(question),
    button(question.accept, () => answer(true)),
    button('Reject', () => answer(false)),
  )
}

void show()
