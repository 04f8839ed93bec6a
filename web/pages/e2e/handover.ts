import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { check, demand, looked } from './check.ts'
import { account, joined, type Person, shows, way, wordsWritten } from './people.ts'
import { button, heading, home, network, pictures, signs, visitor } from './scene.ts'

// The hospitals voted for a short delay, and have officers, in the story of a patient before.
const [origin, er] = [await network.gateway(1), await network.hospitalOf('clinician')]
const [third = 0, fourth = 0] = (await network.hospitals()).filter((n) => n !== 1 && n !== er)
// A month that is yet to come, as a page takes it, and the one after.
const ahead = (months: number) => {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months)).toISOString().slice(0, 7)
}
let father: Person
let [before, after] = ['', '']
let daughter: Page

async function stored(patient: string): Promise<string> {
  const file = join(home, 'handover.bin')
  await writeFile(file, randomBytes(20_000))
  const { record } = await network.as(1, 'clerk', 'record', 'store', file, '--patient', patient, '--class', 'result', '--wait', 'copies')
  return String(record)
}

await check('parents say once when their wallet for a child ends', async () => {
  const { page, faults } = await joined(origin)
  await way(page, 'Your vault')
  await page.getByRole('link', { name: 'For your child' }).click()
  await page.getByText('This wallet is the patient’s own').waitFor()
  await page.getByLabel('The month in which it ends').fill(ahead(24))
  await looked(page, 'hand-over', pictures)
  await button(page, 'Go on').click()
  await page.getByText('That can’t be taken back.').waitFor()
  await looked(page, 'hand-over-sure', pictures)
  await button(page, 'Let it end then').click()
  const [shown] = await signs(page)
  shows(shown, 'phrd/MsgSetHandOver', `${ahead(24)}-01T00:00:00Z`)
  await page.getByText('This wallet is yours, for your child, until').waitFor()
  // Never later, and earlier at any time.
  const set = async (month: string) => {
    await page.getByLabel('The month in which it ends').fill(month)
    await button(page, 'Go on').click()
    await button(page, 'Let it end then').click()
    return signs(page)
  }
  await set(ahead(25))
  await page.getByRole('alert').waitFor()
  await button(page, 'Leave it as it is').click()
  shows((await set(ahead(23)))[0], `${ahead(23)}-01T00:00:00Z`)
  await page.getByText('It is set.').waitFor()
  await way(page, 'Requests')
  await page.getByText('This wallet is yours, for your child, until').waitFor()
  demand(faults.length === 0, faults.join('\n'))
})

/** asks has somebody with a new account ask for a patient's, which two hospitals approve; until is a month for who acts for the patient. It gives the recovery's number. */
async function asks(page: Page, patient: string, until = ''): Promise<string> {
  await account(page, origin)
  await button(page, 'I am a patient already, or act for one').click()
  await page.getByLabel('Your patient number').fill(patient)
  if (until !== '') {
    await page.getByLabel('I act for this patient').check()
    await page.getByLabel('The month in which that ends').fill(until)
    await looked(page, 'represent', pictures)
  }
  await button(page, until === '' ? 'Ask for my account' : 'Ask to act for this patient').click()
  shows((await signs(page))[0], 'phrd/MsgProposeRecovery', patient, ...(until === '' ? [] : [`${until}-01T00:00:00Z`]))
  const number = /\d+/.exec(await page.getByText(/^Tell those who approve this number/).innerText())?.[0] ?? ''
  for (const hospital of [third, fourth]) await network.as(hospital, 'officer', 'recovery', 'approve', number, '--yes')
  return number
}

await check('who acts for an adult that can’t decide does so until a month, and the old wallet sees it', async () => {
  father = await joined(origin)
  before = await stored(father.patient)
  const { page, context } = await visitor()
  daughter = page
  context.setDefaultTimeout(60_000)
  await asks(page, father.patient, ahead(30))
  await way(father.page, 'Requests')
  const alarm = father.page.getByRole('article', { name: 'Somebody asks to take the place of your wallet' })
  await alarm.getByText(/acts for the patient until/).waitFor()
  await page.getByLabel('Your 24 words').fill(father.code)
  await button(page, 'Open my vault').click()
  await signs(page, 2)
  await wordsWritten(page, 'Take my account back')
  shows((await signs(page))[0], 'phrd/MsgFinishRecovery')
  await page.getByText('You act for this patient until').waitFor()
  await looked(page, 'representative', pictures)
  await way(page, 'Records')
  await page.getByText(before).waitFor()
  await button(page, 'View').waitFor()
})

await check('the patient comes back without the words, with an empty vault, and who represented can’t stop it', async () => {
  const { page, context, faults } = await visitor()
  context.setDefaultTimeout(60_000)
  const number = await asks(page, father.patient)
  await way(daughter, 'Requests')
  const alarm = daughter.getByRole('article', { name: 'Somebody asks to take the place of your wallet' })
  await alarm.getByRole('button', { name: 'Stop it: this is not me' }).click()
  await signs(daughter)
  await alarm.getByRole('alert').waitFor()
  const shown = await network.as(third, 'officer', 'recovery', 'status', number)
  demand(String(shown['status']).toLowerCase() !== 'cancelled', 'who represents stopped the patient')
  await page.getByText('I do not have the words').click()
  await looked(page, 'empty-vault', pictures)
  await button(page, 'Begin with an empty vault').click()
  await signs(page, 2)
  const code = await wordsWritten(page, 'Take my account back')
  shows((await signs(page))[0], 'phrd/MsgFinishRecovery')
  await page.getByText('1 version was stored before your vault was begun anew.').waitFor()
  await looked(page, 'shut-note', pictures)
  after = await stored(father.patient)
  await way(page, 'Records')
  const card = (record: string) => page.getByRole('article').filter({ hasText: record })
  await card(before).getByText('Nobody can open it').waitFor()
  await card(after).waitFor()
  await looked(page, 'shut-records', pictures)
  demand((await card(before).getByRole('button').count()) === 0, 'what stays shut has a button')
  await card(after).getByRole('button', { name: 'View' }).click()
  await signs(page, 2)
  await button(page, 'Close').waitFor()
  await button(page, 'Close').click()
  await page.getByRole('link', { name: 'Take everything along' }).click()
  await heading(page, 'Take everything along').waitFor()
  await button(page, 'Lock and sign out').click()
  await button(page, 'Use the demo wallet').click()
  await page.getByLabel('Recovery code, 24 words').fill(code)
  await button(page, 'Open with the recovery code').click()
  await heading(page, 'Take everything along').waitFor()
  const all = [...faults, ...father.faults]
  demand(all.length === 0, all.join('\n'))
})
