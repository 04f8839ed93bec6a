import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { Network } from './network.ts'

const [binary, folder, shown] = ['PHRD_BINARY', 'PHRD_HOME', 'PHRD_PICTURES'].map((name) => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`$${name} is not set`)
  return value
}) as [string, string, string]

/** network is the demo network of all stories; home is its folder, and pictures is where pictures of the pages are kept. */
export const network = new Network(binary, folder)
export const home = folder
export const pictures = shown

/** executable is the browser, and browserArgs are those that everybody's has. */
export const executable = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const browserArgs = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** browser is the one of all visitors; who tells the last story closes it. */
export const browser = await chromium.launch({ executablePath: executable, args: browserArgs })

/** visitor is somebody with a browser of their own. Whatever the page logs as an error, or a policy that it breaks, fails the story. */
export async function visitor(): Promise<{ context: BrowserContext; page: Page; faults: string[] }> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-US', viewport: { width: 1024, height: 800 } })
  context.setDefaultTimeout(30_000)
  const page = await context.newPage()
  return { context, page, faults: faultsOf(page) }
}

/** faultsOf collects what a page logs as an error, from now on. */
export function faultsOf(page: Page): string[] {
  const faults: string[] = []
  page.on('pageerror', (fault) => faults.push(fault.message))
  page.on('console', (message) => {
    // What a page asks for and is refused is a line in the console of every browser.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
  })
  return faults
}

/** button is the one with this text. */
export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
/** heading is what the page is about. */
export const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true, level: 1 })

/** signs reads what the demo wallet shows, and clicks. */
export async function signs(page: Page, times = 1): Promise<string[]> {
  const shown: string[] = []
  for (let i = 0; i < times; i++) {
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    const number = await dialog.getAttribute('data-number')
    shown.push(await dialog.innerText())
    await button(page, 'Sign').click()
    await page.waitForFunction((number) => document.querySelector('dialog[open]')?.getAttribute('data-number') !== number, number)
  }
  return shown
}
