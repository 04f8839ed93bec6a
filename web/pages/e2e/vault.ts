import type { Page } from 'playwright-core'
import { check, demand, looked } from './check.ts'
import { host } from './host.ts'
import { registered, way } from './people.ts'
import { button, heading, network, pictures, signs, visitor } from './scene.ts'

const gateway = await network.gateway(1)
const { page, faults, context } = await visitor()
let [code, patient] = ['', '']

/** wordsWritten reads the words that are shown, and types them again. */
async function wordsWritten(finish: string): Promise<string> {
  await heading(page, 'Write down your recovery code').waitFor()
  const words = (await page.locator('ol.code li').allInnerTexts()).join(' ')
  await button(page, 'I have written them down').click()
  await page.getByLabel('Type the 24 words again').fill(words)
  await button(page, finish).click()
  return words
}

/** forgotten is the page in a browser that keeps nothing, with the same wallet and the same security key. */
async function forgotten(): Promise<void> {
  await page.evaluate(async () => {
    await new Promise((resolve, reject) => {
      const gone = indexedDB.deleteDatabase('phrd')
      gone.onsuccess = resolve
      gone.onerror = reject
    })
  })
}

/** locked signs out and comes back with the same wallet. */
async function locked(before = async () => undefined as void): Promise<void> {
  await button(page, 'Lock and sign out').click()
  await page.reload()
  await heading(page, 'Welcome').waitFor()
  await before()
  await button(page, 'Use the demo wallet').click()
  await heading(page, 'Open your vault').waitFor()
}

await check('a patient joins at a page whose address may have passkeys', async () => {
  // Browsers give no passkey to a gateway whose address is a number.
  const pages = await host('localhost')
  await network.allow(1, pages)
  const key = await context.newCDPSession(page)
  await key.send('WebAuthn.enable')
  await key.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, hasPrf: true,
      automaticPresenceSimulation: true,
    },
  })
  await page.goto(pages)
  await page.getByLabel('Gateway (https://…)').fill(gateway)
  await button(page, 'Use this gateway').click()
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await page.goto(`${pages}/#/join/${String(invitation)}`)
  await button(page, 'Use the demo wallet').click()
  await button(page, 'Open my account').click()
  await button(page, 'Make my vault').click()
  await signs(page, 2)
  code = await wordsWritten('Finish')
  await signs(page)
  await page.getByText('Nobody asks for your records now.').waitFor()
  await way(page, 'Records')
  patient = await page.locator('output').innerText()
})

await check('a passkey is added, and opens the vault in a browser that keeps nothing; afterwards the wallet does, too', async () => {
  await way(page, 'Your vault')
  await page.getByText('The vault has no passkey.').waitFor()
  await button(page, 'Add a passkey').click()
  const [written] = await signs(page)
  demand(written?.includes('phrd/MsgRotateVault') === true, `the wallet shows ${written}`)
  await page.getByText('The passkey opens your vault now.').waitFor()
  await page.getByText('One passkey opens the vault.').waitFor()
  await looked(page, 'vault-passkey', pictures)
  await locked(forgotten)
  await button(page, 'Open with the wallet').click()
  await page.getByText('this device does not keep').waitFor()
  await looked(page, 'shut-passkey', pictures)
  await button(page, 'Open with a passkey').click()
  await heading(page, 'Your vault').waitFor()
  await page.getByText('This browser keeps it: your wallet opens the vault here.').waitFor()
  await locked()
  await button(page, 'Open with the wallet').click()
  await signs(page, 2)
  await heading(page, 'Your vault').waitFor()
})

/** admits looks at papers at the desk of a hospital. */
async function admits(desk: Page, number: string): Promise<void> {
  await desk.getByLabel('Patient number').fill(number)
  demand(await button(desk, 'Admit').isDisabled(), 'somebody is admitted whose papers nobody looked at')
  await desk.getByLabel('I have looked at the person’s papers').check()
  await button(desk, 'Admit').click()
}

await check('who has neither words nor passkey comes in person, and is admitted once', async () => {
  await locked(forgotten)
  // The words still open it; this is for the page, which then asks for the staff's word.
  const brings = async (word: string) => {
    await page.getByLabel('A word that a hospital’s staff gave you').fill(word)
    await button(page, 'Open with the word and the wallet').click()
  }
  await brings('abcd-efgh-jkmn-pqrs')
  await page.getByRole('alert').waitFor()
  const { page: elsewhere, faults: theirs } = await visitor()
  await registered(elsewhere, 2, 'officer', 'Requests to endorse')
  await way(elsewhere, 'Admit in person')
  await admits(elsewhere, patient)
  await elsewhere.getByText('your hospital keeps no second secret').waitFor()
  const { page: desk, faults: own } = await visitor()
  await registered(desk, 1, 'clerk', 'Store files')
  await way(desk, 'Admit in person')
  await admits(desk, patient)
  const word = await desk.getByRole('article', { name: 'The word' }).locator('output').innerText()
  await looked(desk, 'staff-admit', pictures)
  await brings(word)
  await signs(page, 2)
  await heading(page, 'Your vault').waitFor()
  await locked(forgotten)
  await brings(word)
  await page.getByRole('alert').waitFor()
  await admits(desk, patient)
  await brings(await desk.getByRole('article', { name: 'The word' }).locator('output').filter({ hasNotText: word }).innerText())
  await signs(page, 2)
  await way(page, 'Who looked')
  await page.locator('ol.log li').filter({ hasText: 'admitted a collection in person' }).filter({ hasText: 'clerk, Hospital 01' }).waitFor({ timeout: 60_000 })
  await way(page, 'Your vault')
  demand([...theirs, ...own].length === 0, [...theirs, ...own].join('\n'))
})

await check('passkeys are removed with other words, and what the hospital kept is deleted for good', async () => {
  await button(page, 'Remove the passkeys').click()
  await signs(page, 2)
  const next = await wordsWritten('Write the vault')
  demand(next !== code, 'the vault has other words than before')
  await signs(page)
  await page.getByText('The vault has no passkey.').waitFor()
  await page.getByText('Hospital 01 keeps it.').waitFor()
  await button(page, 'Have the hospital delete it').click()
  await button(page, 'Delete it for good').click()
  await page.getByText('No hospital keeps it.').waitFor()
  await locked(forgotten)
  demand((await button(page, 'Open with a passkey').count()) === 0, 'a vault without a passkey is opened with one')
  await page.getByLabel('Recovery code, 24 words').fill(code)
  await button(page, 'Open with the recovery code').click()
  await page.getByRole('alert').waitFor()
  await page.getByLabel('Recovery code, 24 words').fill(next)
  await button(page, 'Open with the recovery code').click()
  await heading(page, 'Your vault').waitFor()
  await page.getByText('This browser does not have it').waitFor()
})

await check('none of this broke a policy', async () => {
  demand(faults.length === 0, faults.join('\n'))
  await context.close()
})
