import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check, demand, looked } from './check.ts'
import { button, heading, home, network, pictures, signs, visitor } from './scene.ts'

const [origin, er] = [await network.gateway(1), await network.hospitalOf('clinician')]
const [other, asker] = [await network.gateway(er), `Hospital 0${er}`]
const { page, faults, context } = await visitor()
const file = join(home, 'scan.bin')
const scan = randomBytes(3 << 20)
await writeFile(file, scan)
let [patient, record, code] = ['', '', '']

/** asked is a request for the patient's record by the doctor of another hospital, which the first one endorsed. */
async function asked(): Promise<string> {
  const proposed = await network.as(er, 'clinician', 'unlock', 'propose', `${record}/1`, '--purpose', 'TREAT')
  const unlock = String(proposed['unlock'])
  await network.as(1, 'officer', 'unlock', 'endorse', unlock)
  return unlock
}

await check('an invitation becomes a patient, with a code that was written down', async () => {
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await page.goto(`${origin}/#/join/${String(invitation)}`)
  await heading(page, 'Welcome').waitFor()
  await looked(page, 'welcome', pictures)
  await button(page, 'Use the demo wallet').click()
  await heading(page, 'Your first visit').waitFor()
  await looked(page, 'join', pictures)
  await button(page, 'Open my account').click()
  await button(page, 'Make my vault').click()
  const slot = await signs(page, 2)
  demand(slot[0] === slot[1], 'the wallet is asked twice for the same')
  await heading(page, 'Write down your recovery code').waitFor()
  code = (await page.locator('ol.code li').allInnerTexts()).join(' ')
  demand(code.split(' ').length === 24, `the code has 24 words: ${code}`)
  await looked(page, 'code', pictures)
  await button(page, 'I have written them down').click()
  await page.getByLabel('Type the 24 words again').fill(code.split(' ').reverse().join(' '))
  await button(page, 'Finish').click()
  await page.getByText('These are not the words that were shown.').waitFor()
  await page.getByLabel('Type the 24 words again').fill(code)
  await button(page, 'Finish').click()
  const [registered] = await signs(page)
  demand(registered?.includes('phrd/MsgRegisterPatient') === true, `the wallet shows ${registered}`)
  await page.getByText('Nobody asks for your records now.').waitFor()
})

await check('what a hospital stores is among the records', async () => {
  await page.getByRole('link', { name: 'Records' }).click()
  patient = await page.locator('output').innerText()
  const stored = await network.as(1, 'clerk', 'record', 'store', file, '--patient', patient, '--class', 'imaging', '--wait', 'copies')
  record = String(stored['record'])
  await page.getByText(record).waitFor()
  await looked(page, 'records', pictures)
})

await check('a doctor asks, the patient checks and approves, the doctor opens', async () => {
  const unlock = await asked()
  await page.getByRole('link', { name: 'Requests' }).click()
  await button(page, 'Check this request').click()
  await page.getByRole('heading', { name: `${asker} asks to open` }).waitFor()
  demand((await page.locator('.checks .failed').count()) === 0, 'no check failed')
  demand((await page.locator('.checks .passed').count()) === 10, 'ten checks passed')
  await looked(page, 'request', pictures)
  await button(page, 'Approve').click()
  const [shown = ''] = await signs(page)
  for (const part of ['phrd/MsgApproveUnlock', asker, 'TREAT', `${record}/1`]) demand(shown.includes(part), `the wallet shows ${part}: ${shown}`)
  await page.getByText('Approved. The hospitals give their half now.').waitFor()
  const out = join(home, 'opened.bin')
  await network.as(er, 'clinician', 'record', 'open', `${record}/1`, '--unlock', unlock, '-o', out)
  const sums = [scan, await readFile(out)].map((bytes) => createHash('sha256').update(bytes).digest('hex'))
  demand(sums[0] === sums[1], 'what was opened is what was stored')
})

await check('the log tells who looked', async () => {
  await page.getByRole('link', { name: 'Who looked' }).click()
  await page.getByLabel('Only who opened something').check()
  await page.locator('ol.log li').filter({ hasText: `clinician, ${asker}` }).filter({ hasText: 'opened' }).waitFor()
  await looked(page, 'log', pictures)
})

await check('a request that is denied stays shut', async () => {
  const unlock = await asked()
  await page.getByRole('link', { name: 'Requests' }).click()
  await page.getByRole('article', { name: unlock.slice(0, 8) }).getByRole('button', { name: 'Deny' }).click()
  await signs(page)
  await page.getByText('Denied.').waitFor()
  const shown = await network.as(er, 'clinician', 'unlock', 'show', unlock)
  demand(String(shown['status']).toLowerCase() === 'denied', `the request is ${String(shown['status'])}`)
})

await check('a rejection in the wallet signs nothing', async () => {
  const unlock = await asked()
  const card = page.getByRole('article', { name: unlock.slice(0, 8) })
  await card.getByRole('button', { name: 'Check this request' }).click()
  await card.getByRole('button', { name: 'Approve' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Reject' }).click()
  await card.getByText('the wallet was told not to sign').waitFor()
  const shown = await network.as(er, 'clinician', 'unlock', 'show', unlock)
  demand(String(shown['status']).toLowerCase() === 'endorsed', `the request is ${String(shown['status'])}`)
})

await check('a hospital that shows another request than the others is found out', async () => {
  const unlock = await asked()
  const lie = async (from: string) =>
    context.route(`${from}/phrd/access/v1/unlocks/${unlock}`, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, body: (await response.text()).replace('"TREAT"', '"HRESCH"') })
    })
  for (const hospital of [2, 3, 4]) await lie(await network.gateway(hospital))
  const card = page.getByRole('article', { name: unlock.slice(0, 8) })
  await card.getByRole('button', { name: 'Check this request' }).click()
  await card.getByRole('alert').waitFor()
  demand((await card.getByRole('button', { name: 'Approve' }).count()) === 0, 'what was not checked can be approved')
  await context.unrouteAll()
  await card.getByRole('button', { name: 'Check this request' }).click()
  await card.getByRole('button', { name: 'Approve' }).waitFor()
})

await check('the page locks, and opens with the wallet or with the code', async () => {
  await button(page, 'Lock and sign out').click()
  await button(page, 'Use the demo wallet').click()
  await heading(page, 'Open your vault').waitFor()
  await looked(page, 'shut', pictures)
  await button(page, 'Open with the wallet').click()
  await signs(page, 2)
  await page.getByRole('link', { name: 'Requests' }).click()
  await page.reload()
  await button(page, 'Use the demo wallet').click()
  await page.getByLabel('Recovery code, 24 words').fill(code.replace(/^\w+/, 'zoo'))
  await button(page, 'Open with the recovery code').click()
  await page.getByRole('alert').waitFor()
  await page.getByLabel('Recovery code, 24 words').fill(code)
  await button(page, 'Open with the recovery code').click()
  await heading(page, 'Requests').waitFor()
})

await check('the vault opens on another device with the code, and not with the wallet alone before', async () => {
  // The log names the hospital that keeps what the wallet needs there.
  await page.getByRole('link', { name: 'Who looked' }).click()
  await page.locator('ol.log li').filter({ hasText: 'left the wallet’s second secret with a hospital' }).waitFor({ timeout: 60_000 })
  await page.getByRole('link', { name: 'Requests' }).click()
  const words = await page.evaluate(() => sessionStorage.getItem('phrd/demo-words') ?? '')
  const { page: there, context: device } = await visitor()
  await device.addInitScript((text) => sessionStorage.setItem('phrd/demo-words', text), words)
  await there.goto(other)
  await button(there, 'Use the demo wallet').click()
  await button(there, 'Open with the wallet').click()
  await there.getByText('this device does not keep').waitFor()
  await there.getByLabel('Recovery code, 24 words').fill(code)
  await button(there, 'Open with the recovery code').click()
  await heading(there, 'Requests').waitFor()
  await there.getByRole('link', { name: 'Records' }).click()
  await there.getByText(record).waitFor()
  await there.getByRole('link', { name: 'Your vault' }).click()
  await there.getByText('Hospital 01 keeps it.').waitFor()
  await there.getByText('This browser keeps it: your wallet opens the vault here.').waitFor()
  await looked(there, 'vault-kept', pictures)
  await button(there, 'Lock and sign out').click()
  await button(there, 'Use the demo wallet').click()
  await button(there, 'Open with the wallet').click()
  await signs(there, 2)
  await heading(there, 'Your vault').waitFor()
  await device.close()
})

await check('the page speaks German, in the dark, and without a mouse', async () => {
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.getByLabel('Language').selectOption('de')
  await heading(page, 'Anfragen').waitFor()
  await looked(page, 'german-dark', pictures)
  await page.keyboard.press('Tab')
  await page.getByRole('link', { name: 'Wer hat gesehen' }).focus()
  await page.keyboard.press('Enter')
  await heading(page, 'Wer hat gesehen').waitFor()
  await page.getByLabel('Sprache').selectOption('en')
})

await check('nothing else was loaded, and no policy was broken', async () => {
  demand(faults.length === 0, faults.join('\n'))
  const { page: stranger } = await visitor()
  const asked = new Set<string>()
  stranger.on('request', (request) => asked.add(new URL(request.url()).origin))
  await stranger.goto(origin)
  await stranger.getByRole('heading', { name: 'Welcome' }).waitFor()
  demand(asked.size === 1 && asked.has(origin), `the page asks ${[...asked].join(', ')}`)
  await stranger.evaluate(() => {
    const script = document.createElement('script')
    try {
      script.textContent = 'window.wasRun = true'
      document.body.append(script)
    } catch {
      // Trusted Types refuse it.
    }
  })
  demand((await stranger.evaluate(() => Reflect.get(window, 'wasRun'))) === undefined, 'a script that was put into the page ran')
})
