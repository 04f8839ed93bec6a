import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Locator, type Page, type Worker } from 'playwright-core'
import { newWords } from '../../sdk/dist/sdk/src/index.js'
import { demand, until } from './check.ts'
import { browserArgs, button, executable, faultsOf } from './scene.ts'

const extension = fileURLToPath(new URL('../../wallet/dist/extension', import.meta.url))

/** login is what the text of each login begins with. */
export const login = 'phrd login'

/** Owner is somebody with a browser of their own, into which the test wallet is loaded. */
export class Owner {
  readonly page: Page
  readonly faults: string[]
  readonly context: BrowserContext
  readonly #folder: string
  readonly #base: string

  private constructor(context: BrowserContext, folder: string, page: Page, worker: Worker) {
    this.context = context
    this.#folder = folder
    this.page = page
    this.faults = faultsOf(page)
    this.#base = new URL('.', worker.url()).href
  }

  /** with starts the browser of somebody whose wallet has accounts of these names; of those that end with "Ledger" it lies there. */
  static async with(...accounts: string[]): Promise<Owner> {
    const folder = await mkdtemp(join(tmpdir(), 'phrd-owner-'))
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: executable, headless: false, ignoreHTTPSErrors: true, locale: 'en-US', viewport: { width: 1024, height: 800 },
      // Newer browsers load no extension from the command line unless they are told.
      args: [...browserArgs, '--headless=new', '--disable-features=DisableLoadExtensionCommandLineSwitch', `--disable-extensions-except=${extension}`, `--load-extension=${extension}`],
    })
    context.setDefaultTimeout(30_000)
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'))
    const state = { accounts: accounts.map((name) => ({ name, words: newWords(), ledger: name.endsWith('Ledger') })) }
    await worker.evaluate((state) => Reflect.get(globalThis, 'chrome').storage.local.set({ state }), state)
    return new Owner(context, folder, context.pages()[0] ?? (await context.newPage()), worker)
  }

  /** looksAt accepts the logins that the wallet asks for, and then gives the window that shows all these parts, which still waits for an answer. */
  async looksAt(...parts: string[]): Promise<Page> {
    for (;;) {
      await until(() => this.#asking() !== undefined)
      const window = this.#asking()
      if (window === undefined) continue
      await button(window, 'Reject').waitFor()
      const shown = await window.locator('main').innerText()
      if (shown.includes(login) && !parts.includes(login)) {
        await clicks(window, button(window, 'Sign'))
        continue
      }
      for (const part of parts) demand(shown.includes(part), `the wallet shows ${part}: ${shown}`)
      return window
    }
  }

  /** accepts clicks that the person wants what has these parts, and gives what was shown. */
  async accepts(...parts: string[]): Promise<string> {
    const window = await this.looksAt(...parts)
    const shown = await window.locator('main').innerText()
    await clicks(window, window.locator('main button').first())
    return shown
  }

  /** rejects does the same, and says no. */
  async rejects(...parts: string[]): Promise<void> {
    const window = await this.looksAt(...parts)
    await clicks(window, button(window, 'Reject'))
  }

  /** loginsUntil accepts the logins that the wallet asks for until something is so. */
  async loginsUntil(is: () => Promise<boolean>): Promise<void> {
    await until(async () => {
      if (this.#asking() !== undefined) await this.accepts(login)
      return is()
    })
  }

  /** uses has the wallet go on with another account. */
  async uses(account: string): Promise<void> {
    await this.#inWallet(`Use ${account}`)
  }

  async locks(): Promise<void> {
    await this.#inWallet('Lock')
  }


  async close(): Promise<void> {
    await this.context.close()
    await rm(this.#folder, { recursive: true })
  }

  #asking(): Page | undefined {
    return this.context.pages().find((page) => page.url().startsWith(`${this.#base}approval.html`))
  }

  async #inWallet(name: string): Promise<void> {
    const page = await this.context.newPage()
    await page.goto(`${this.#base}accounts.html`)
    const chosen = button(page, name)
    await chosen.click()
    await until(() => chosen.isDisabled())
    await page.close()
    await this.page.bringToFront()
  }
}

// A window closes once it was answered, and may be gone before the browser has said that it was clicked: the closing tells.
async function clicks(window: Page, on: Locator): Promise<void> {
  await Promise.all([window.waitForEvent('close'), on.click().catch((cause: unknown) => demand(window.isClosed(), String(cause)))])
}
