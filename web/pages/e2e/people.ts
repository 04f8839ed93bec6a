import type { Page } from 'playwright-core'
import { demand } from './check.ts'
import { button, heading, network, signs, visitor } from './scene.ts'

/** Person is a patient with a browser. */
export interface Person {
  readonly page: Page
  readonly faults: string[]
  readonly patient: string
  readonly code: string
}

/** joined becomes a patient, at the pages of a hospital. */
export async function joined(at: string): Promise<Person> {
  const { page, faults } = await visitor()
  await account(page, at)
  await button(page, 'Make my vault').click()
  await signs(page, 2)
  const code = await wordsWritten(page, 'Finish')
  await signs(page)
  await page.getByText('Nobody asks for your records now.').waitFor()
  await page.getByRole('link', { name: 'Records' }).click()
  return { page, faults, patient: await page.locator('output').innerText(), code }
}

/** account opens an account that is nobody's yet. */
export async function account(page: Page, at: string): Promise<void> {
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await page.goto(`${at}/#/join/${String(invitation)}`)
  await button(page, 'Use the demo wallet').click()
  await button(page, 'Open my account').click()
  await button(page, 'Make my vault').waitFor()
}

/** wordsWritten reads the words that are shown, and types them again. */
export async function wordsWritten(page: Page, finish: string): Promise<string> {
  await heading(page, 'Write down your recovery code').waitFor()
  const code = (await page.locator('ol.code li').allInnerTexts()).join(' ')
  await button(page, 'I have written them down').click()
  await page.getByLabel('Type the 24 words again').fill(code)
  await button(page, finish).click()
  return code
}

/** registered signs somebody in whom a hospital's admin has registered, and gives the address. */
export async function registered(page: Page, hospital: number, role: string, title: string): Promise<string> {
  await page.goto(await network.gateway(hospital))
  await button(page, 'Use the demo wallet').click()
  await heading(page, 'Your first visit').waitFor()
  const address = await page.locator('section[aria-labelledby=account] output').innerText()
  await network.as(hospital, 'admin', 'staff', 'add', `page-${role}-${address.slice(-6)}`, '--role', role, '--address', address)
  await page.reload()
  await button(page, 'Use the demo wallet').click()
  await heading(page, title).waitFor()
  return address
}

/** way goes to a page by the way around. */
export const way = (page: Page, name: string) => page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
/** shows demands that the wallet showed these. */
export const shows = (shown: string | undefined, ...parts: string[]) => {
  for (const part of parts) demand(shown?.includes(part) === true, `the wallet shows ${part}: ${shown}`)
}
