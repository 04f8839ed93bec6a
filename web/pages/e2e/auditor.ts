import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { check, demand, looked, until } from './check.ts'
import { host } from './host.ts'
import { button, heading, home, network, pictures, visitor } from './scene.ts'

// The auditor is of the last hospital, whose gateway is restarted in the end.
const hospital = 4
const origin = await network.gateway(hospital)
const genesis = join(home, `hospital-${hospital}`, 'config', 'genesis.json')
const exported = join(home, 'from-the-browser.ndjson')
const { page, faults } = await visitor()
let [block, auditor] = ['', '']

/** addressOf is the account of a visitor's demo wallet: the page asks the gateway about it. */
async function addressOf(visitor: Page): Promise<string> {
  const asked = visitor.waitForRequest((request) => /phrd1[0-9a-z]{38}/.test(request.url() + (request.postData() ?? '')))
  await button(visitor, 'Use the demo wallet').click()
  const request = await asked
  return /phrd1[0-9a-z]{38}/.exec(request.url() + (request.postData() ?? ''))?.[0] ?? ''
}

/** saved is what a button has the browser save. */
async function saved(visitor: Page, name: string): Promise<Buffer> {
  const download = visitor.waitForEvent('download')
  await button(visitor, name).click()
  return readFile(await (await download).path())
}

/** verifies chooses files and has the page verify. */
async function verifies(visitor: Page, file: string): Promise<void> {
  await visitor.getByLabel('Export of the log').setInputFiles(file)
  await visitor.getByLabel('Genesis file (genesis.json)').setInputFiles(genesis)
  await button(visitor, 'Verify').click()
}

/** found waits until the search says how many entries it found, and counts those that are shown, each with the words of its kind. */
async function found(words: string): Promise<number> {
  await button(page, 'Search').click()
  await page.getByText(/^(The newest )?\d+ entries$|^No entry matches\.$/).waitFor()
  const shown = await page.locator('ol.entries li').allInnerTexts()
  demand(shown.every((text) => text.includes(words)), `one of these is not ${words}: ${shown.join('\n')}`)
  return shown.length
}

await check('an auditor signs in and sees the whole log', async () => {
  await page.goto(origin)
  const address = (auditor = await addressOf(page))
  await heading(page, 'Your first visit').waitFor()
  const name = `revisor-${address.slice(-6)}`
  const end = new Date(Date.now() + 24 * 3600 * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  const asked = await network.as(hospital, 'admin', 'hospital', 'propose', 'auditor', name, '--address', address, '--until', end)
  for (const voter of [1, 2, 3, 4]) await network.as(voter, 'admin', 'hospital', 'vote', String(asked['proposal']), 'yes')
  // The gateway's own server may be a block behind the voters'.
  await until(async () => {
    const { proposal } = await network.as(hospital, 'admin', 'hospital', 'proposals', String(asked['proposal']))
    return (proposal as { status?: unknown }).status === 'PROPOSAL_STATUS_EXECUTED'
  })
  await page.reload()
  await button(page, 'Use the demo wallet').click()
  await heading(page, 'Log').waitFor()
  await page.locator('ol.entries li').nth(24).waitFor()
  const first = await page.locator('ol.entries .number').allInnerTexts()
  await button(page, 'Show more').click()
  await page.locator('ol.entries li').nth(25).waitFor()
  const more = await page.locator('ol.entries .number').allInnerTexts()
  demand(more.slice(0, 25).join() === first.join() && new Set(more).size === more.length, 'what comes after a page follows it')
})

await check('the auditor searches, sees a look, and takes the list along', async () => {
  await page.getByLabel('Kind of entry').fill('opened')
  const looks = await found('opened')
  demand(looks > 0, 'nobody has opened anything')
  const patient = /[0-9A-Z*~$=]{27}/.exec(await page.locator('ol.entries li').first().innerText())?.[0] ?? ''
  await looked(page, 'auditor-log', pictures)
  const csv = (await saved(page, 'Save this list (CSV)')).toString().trim().split('\r\n')
  demand(csv.length === looks + 1 && csv.slice(1).every((line) => line.includes(',opened,')), `the table is ${csv.join('\n')}`)
  await page.getByLabel('Patient number').fill(patient)
  demand((await found(patient)) > 0, 'the patient is not found')
  await page.getByLabel('Kind of entry').fill('proposed')
  await page.getByLabel('Purpose').fill('HRESCH')
  demand((await found('HRESCH')) === 0, 'a purpose that nobody gave is found')
  await page.getByLabel('Purpose').fill('TREAT')
  demand((await found('TREAT')) > 0, 'the purpose that was given is not found')
  await page.getByLabel('To day').fill('2020-01-01')
  demand((await found('')) === 0, 'something happened before the network was there')
  await button(page, 'Clear').click()
  await page.getByText(/^The newest \d+ entries$/).waitFor()
})

await check('charts show days, kinds and hospitals', async () => {
  await page.getByText('Charts', { exact: true }).click()
  await button(page, 'Draw').click()
  await page.getByRole('img', { name: /^\d+ entries on/ }).waitFor()
  demand((await page.getByRole('rowheader', { name: `Hospital 0${hospital}` }).count()) > 0, 'the hospital is in a chart')
  await looked(page, 'auditor-charts', pictures)
})

await check('the auditor exports the log, which the browser has verified', async () => {
  await page.getByRole('link', { name: 'Export', exact: true }).click()
  await button(page, 'Make the file').click()
  await page.getByText(/^The file is ready and verified: \d+ entries\.$/).waitFor({ timeout: 120_000 })
  await looked(page, 'auditor-export', pictures)
  await writeFile(exported, await saved(page, 'Save the file'))
  const here = await page.locator('.verdict dd').allInnerTexts()
  const { stdout } = await network.command('audit', 'verify', exported, '--genesis', genesis)
  for (const text of here) demand(stdout.includes(text), `the command does not say ${text}: ${stdout}`)
})

await check('an export about a patient, and one of a search', async () => {
  await page.getByRole('link', { name: 'Log', exact: true }).click()
  await page.getByLabel('Kind of entry').fill('opened')
  const looks = await found('opened')
  const patient = /[0-9A-Z*~$=]{27}/.exec(await page.locator('ol.entries li').first().innerText())?.[0] ?? ''
  await page.getByRole('link', { name: 'Export', exact: true }).click()
  await page.getByLabel('The entries of the last search').check()
  await button(page, 'Make the file').click()
  await page.getByText(`The file is ready and verified: ${looks} entries.`).waitFor({ timeout: 120_000 })
  await page.getByLabel('All entries about a patient').check()
  await page.getByLabel('Patient number').fill(patient)
  await button(page, 'Make the file').click()
  await page.getByText(`all about patient ${patient}`).waitFor({ timeout: 120_000 })
})

await check('the report of a month is the one that the command makes of its export', async () => {
  await page.getByRole('link', { name: 'Report', exact: true }).click()
  await button(page, 'Make the report').click()
  await page.getByRole('heading', { name: /^Report of \d{4}-\d\d$/ }).waitFor({ timeout: 120_000 })
  await looked(page, 'auditor-report', pictures)
  const shown = await page.getByRole('region', { name: 'Refused' }).getByRole('listitem').count()
  const file = join(home, 'month.ndjson')
  await writeFile(file, await saved(page, 'Save its export'))
  for (const [format, name] of [['html', 'Save the report (HTML)'], ['csv', 'Save the table (CSV)']] as const) {
    const here = await saved(page, name)
    const made = join(home, `month.${format}`)
    await network.command('audit', 'report', 'make', file, made, '--format', format, '--genesis', genesis)
    demand(here.equals(await readFile(made)), `the command makes another ${format}`)
    const refused = here.toString().split('\r\n').filter((line) => line.startsWith('refused,')).length
    demand(format === 'html' || (refused > 0 && refused === shown), `${shown} of ${refused} refusals are shown`)
  }
  // What the page read for it comes into the log within half a minute, as what any auditor reads.
  await page.getByRole('link', { name: 'Log', exact: true }).click()
  await button(page, 'Clear').click()
  await page.getByLabel('Account').fill(auditor)
  await page.getByLabel('Kind of entry').fill('log_read')
  await until(async () => (await found('read the log')) > 0)
  await button(page, 'Clear').click()
})

await check('a file is verified without a hospital and without a network', async () => {
  const { page: outsider, context, faults: theirs } = await visitor()
  await outsider.goto(`${origin}/#/verify`)
  await heading(outsider, 'Verify an export of the log').waitFor()
  await context.setOffline(true)
  await verifies(outsider, exported)
  await outsider.getByRole('heading', { name: 'Proven' }).waitFor()
  await looked(outsider, 'verify-proven', pictures)
  const told = await outsider.locator('.verdict').innerText()
  const [, height, hash] = /(\d+) of \S+Z, ([0-9a-f]{64})/.exec(told) ?? []
  block = `${height}:${hash}`
  await outsider.getByLabel('A block').check()
  await outsider.getByLabel('Block as HEIGHT:HASH').fill(block)
  await button(outsider, 'Verify').click()
  await outsider.getByText(`block ${height}, ${hash}`).waitFor()
  await outsider.getByLabel('Block as HEIGHT:HASH').fill(block.replace(/.$/, (last) => (last === '0' ? '1' : '0')))
  await button(outsider, 'Verify').click()
  await outsider.getByRole('alert').filter({ hasText: 'another hash than the trusted one' }).waitFor()
  demand((await outsider.getByRole('heading', { name: 'Proven' }).count()) === 0, 'what was proven before is still shown')
  demand(theirs.length === 0, theirs.join('\n'))
  await context.close()
})

await check('a file of which one bit was changed is refused, with the place', async () => {
  const bytes = await readFile(exported)
  const line = bytes.indexOf('{"state"')
  const at = bytes.indexOf('"proof"', line) + 40
  bytes[at] = (bytes[at] ?? 0) ^ 1
  const place = bytes.subarray(0, line).filter((byte) => byte === 10).length + 1
  const changed = join(home, 'changed.ndjson')
  await writeFile(changed, bytes)
  await page.getByRole('link', { name: 'Verify', exact: true }).click()
  await verifies(page, changed)
  await page.getByRole('heading', { name: 'This file proves nothing' }).waitFor()
  await page.getByRole('alert').filter({ hasText: `line ${place}: ` }).waitFor()
  await looked(page, 'verify-refused', pictures)
  await verifies(page, exported)
  await page.getByRole('heading', { name: 'Proven' }).waitFor()
})

await check('the page compares its files with those of the other hospitals', async () => {
  await page.getByRole('link', { name: 'This page' }).click()
  const same = page.locator('.checks .passed')
  await same.nth(3).waitFor()
  await looked(page, 'auditor-page', pictures)
  const other = await network.gateway(2)
  await page.route(`${other}/chain`, async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, body: (await response.text()).replace(/"pages":"[0-9a-f]{4}/, '"pages":"ffff') })
  })
  await page.getByRole('link', { name: 'Log', exact: true }).click()
  await page.getByRole('link', { name: 'This page' }).click()
  await page.locator('.checks .failed').filter({ hasText: 'Hospital 02' }).filter({ hasText: 'other files' }).waitFor()
  demand((await same.count()) === 3, 'the other three serve the same files')
  await page.unrouteAll()
  await page.locator('footer').filter({ hasText: 'have not voted for any' }).waitFor()
  const { proposal } = await network.as(1, 'admin', 'hospital', 'propose', 'pages')
  for (const voter of [1, 2, 3, 4]) await network.as(voter, 'admin', 'hospital', 'vote', String(proposal), 'yes')
  await until(async () => (await network.as(1, 'admin', 'hospital', 'pages'))['accepted'] === true)
  const { page: anybody } = await visitor()
  await anybody.goto(`${origin}/#/page`)
  await anybody.locator('footer').filter({ hasText: 'the hospitals voted for it' }).waitFor()
  await anybody.locator('.checks .passed').filter({ hasText: 'the same; the hospitals voted for it' }).nth(3).waitFor()
  const [licences] = await Promise.all([anybody.waitForEvent('popup'), anybody.getByRole('link', { name: 'Licences' }).click()])
  await licences.getByText('preact').first().waitFor()
  await licences.close()
  await looked(anybody, 'page-voted', pictures)
})

await check('the auditor reads German', async () => {
  await page.getByLabel('Language').selectOption('de')
  await heading(page, 'Diese Seite').waitFor()
  await page.getByRole('link', { name: 'Protokoll' }).click()
  await page.locator('ol.entries li').first().waitFor()
  await page.emulateMedia({ colorScheme: 'dark' })
  await looked(page, 'auditor-german-dark', pictures)
  await page.getByLabel('Sprache').selectOption('en')
  demand(faults.length === 0, faults.join('\n'))
})

await check('the pages work from a host of their own, at a gateway that allows it', async () => {
  const elsewhere = await host('127.0.0.1')
  const { page: outsider, context, faults: theirs } = await visitor()
  await outsider.goto(elsewhere)
  await heading(outsider, 'Which hospital?').waitFor()
  await looked(outsider, 'gateway', pictures)
  await outsider.getByLabel('Gateway (https://…)').fill(origin)
  await button(outsider, 'Use this gateway').click()
  // A gateway lets pages of a host that it does not know read nothing.
  await outsider.getByRole('alert').first().waitFor()
  demand(theirs.some((fault) => fault.includes('CORS')), `the browser read the answer: ${theirs.join('\n')}`)
  await network.allow(hospital, elsewhere)
  await button(outsider, 'Use this gateway').click()
  await heading(outsider, 'Welcome').waitFor()
  await outsider.reload()
  await heading(outsider, 'Welcome').waitFor()
  const address = await addressOf(outsider)
  await network.as(hospital, 'admin', 'staff', 'add', `guest-${address.slice(-6)}`, '--role', 'auditor', '--address', address)
  await outsider.reload()
  await button(outsider, 'Use the demo wallet').click()
  await heading(outsider, 'Log').waitFor()
  await outsider.locator('ol.entries li').first().waitFor()
  // A hospital's own auditor sees what concerns the hospital, and exports no more than a selection of it.
  await outsider.getByText(`You see what concerns these hospitals: ${hospital}.`).waitFor()
  await looked(outsider, 'auditor-scope', pictures)
  await outsider.getByRole('link', { name: 'Export' }).click()
  await outsider.getByLabel('The entries of the last search').waitFor()
  demand((await outsider.getByRole('radio').count()) === 1, 'who sees a part of the log is offered all of it')
  await outsider.getByRole('link', { name: 'Report', exact: true }).click()
  await outsider.getByText('of a part nobody can say what is missing').waitFor()
  demand((await button(outsider, 'Make the report').count()) === 0, 'a report is made of a part of the log')
  await context.close()
})
