import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check, demand, looked, until } from './check.ts'
import { login, Owner } from './extension.ts'
import { button, heading, home, network, pictures, signs, visitor } from './scene.ts'

const [origin, er, chainID] = [await network.gateway(1), await network.hospitalOf('clinician'), await network.chainID()]
const asker = `Hospital 0${er}`
const rejected = 'it was rejected in the wallet'
const owner = await Owner.with('Anna', 'Ben', 'Cleo’s Ledger')
const { page } = owner
const scan = randomBytes(40_000)
let [record, ledgers] = ['', '']

// The short form leaves out what is checked also, and pictures.
const isShort = process.env['SIZE'] === 'short'
const also: typeof check = isShort ? async () => undefined : check

const way = (name: string) => page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
const alert = (text: string) => page.getByRole('alert').filter({ hasText: text }).first().waitFor()
const card = (unlock: string) => page.getByRole('article', { name: unlock.slice(0, 8) })

/** arrives opens the page with an invitation. */
async function arrives(): Promise<void> {
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await page.goto(`${origin}/#/join/${String(invitation)}`)
  await heading(page, 'Welcome').waitFor()
}

/** connects shows the page the account that the wallet uses, and logs in. */
async function connects(): Promise<void> {
  await button(page, 'Connect your wallet').click()
  await owner.loginsUntil(async () => !(await heading(page, 'Welcome').isVisible()))
}

/** joins makes the wallet's account a patient's, and gives the patient number. */
async function joins(): Promise<string> {
  await heading(page, 'Your first visit').waitFor()
  await button(page, 'Open my account').click()
  await owner.accepts(login, 'network: ', chainID, `host: ${new URL(origin).host}`)
  await button(page, 'Make my vault').click()
  const [first, second] = [await owner.accepts('phrd vault key', chainID, 'Sign this only in phrd.'), await owner.accepts('phrd vault key')]
  demand(first === second, 'the wallet is asked twice for the same')
  await wordsWritten('Finish')
  await owner.accepts('phrd/MsgRegisterPatient')
  await page.getByText('Nobody asks for your records now.').waitFor()
  await way('Records')
  return page.locator('output').innerText()
}

/** wordsWritten reads the words that are shown, and types them again. */
async function wordsWritten(finish: string): Promise<void> {
  await heading(page, 'Write down your recovery code').waitFor()
  const code = (await page.locator('ol.code li').allInnerTexts()).join(' ')
  await button(page, 'I have written them down').click()
  await page.getByLabel('Type the 24 words again').fill(code)
  await button(page, finish).click()
}

/** stored is a new record of a patient, by the clerk of the first hospital. */
async function stored(patient: string): Promise<string> {
  const file = join(home, 'wallet.bin')
  await writeFile(file, scan)
  const { record } = await network.as(1, 'clerk', 'record', 'store', file, '--patient', patient, '--class', 'result', '--wait', 'copies')
  await way('Requests')
  return String(record)
}

/** asked is a request for a record by the doctor of another hospital, which the first one endorsed. */
async function asked(record: string): Promise<string> {
  const { unlock } = await network.as(er, 'clinician', 'unlock', 'propose', `${record}/1`, '--purpose', 'TREAT')
  await network.as(1, 'officer', 'unlock', 'endorse', String(unlock))
  return String(unlock)
}

/** opens has the doctor open a record, which must be what was stored. */
async function opens(record: string, unlock: string): Promise<void> {
  const out = join(home, `wallet-${unlock.slice(0, 8)}.bin`)
  await network.as(er, 'clinician', 'record', 'open', `${record}/1`, '--unlock', unlock, '-o', out)
  const sums = [scan, await readFile(out)].map((bytes) => createHash('sha256').update(bytes).digest('hex'))
  demand(sums[0] === sums[1], 'what was opened is what was stored')
}

async function statusOf(unlock: string): Promise<string> {
  return String((await network.as(er, 'clinician', 'unlock', 'show', unlock))['status']).toLowerCase()
}

/** checks has the page check a request, and leaves it at the approval. */
async function checks(unlock: string): Promise<void> {
  const checking = card(unlock).getByRole('button', { name: 'Check this request' }).click()
  await Promise.all([checking, owner.loginsUntil(() => card(unlock).getByRole('button', { name: 'Approve' }).isVisible())])
}

/** approved waits until the page says so; the doctor's hospital is given the half too, at which the wallet logs in. */
async function approved(): Promise<void> {
  await owner.loginsUntil(() => page.getByText('Approved. The hospitals give their half now.').isVisible())
}

/** field is what a wallet shows of a field. */
function field(shown: string, name: string): string {
  return new RegExp(`^${name}\\s+(.+)$`, 'm').exec(shown)?.[1] ?? ''
}

/** isAsOnPage compares what the wallet shows of an approval with what the page shows of the request. */
async function isAsOnPage(unlock: string, shown: string): Promise<void> {
  const onPage = await card(unlock).innerText()
  const until = await page.evaluate((until) => new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(until)), field(shown, 'until'))
  demand(field(shown, 'hospital') === asker && onPage.includes(`${asker} asks to open`), `the wallet shows another hospital than the page: ${shown}${onPage}`)
  demand(field(shown, 'purpose') === 'TREAT' && field(onPage, 'Purpose') === 'treatment', `the wallet shows another purpose than the page: ${shown}${onPage}`)
  demand(field(shown, 'records') === `${record}/1` && onPage.includes(`${record}/1`), `the wallet shows other records than the page: ${shown}${onPage}`)
  demand(field(onPage, 'Until') === until, `the wallet shows another end than the page, ${until}: ${shown}${onPage}`)
  demand(field(shown, 'unlock') === unlock, `the wallet shows another request than the page: ${shown}`)
}

await check('the wallet is asked to know the network and to show an account, and may say no', async () => {
  await arrives()
  const questions = [['Add a network', chainID, origin, 'Fees\nnone'], ['Show your account to this site', origin, chainID]] as const
  await button(page, 'Connect your wallet').click()
  for (const [i, parts] of questions.entries()) {
    if (!isShort) {
      await looked(await owner.looksAt(...parts), `wallet-${['network', 'account'][i]}`, pictures)
      await owner.rejects(...parts)
      await alert(rejected)
      await button(page, 'Connect your wallet').click()
    }
    await owner.accepts(...parts)
  }
})

await check('a first visit with a wallet in the browser', async () => {
  record = await stored(await joins())
})

await check('what the wallet shows of an approval is what the page shows, and what the doctor opens', async () => {
  const unlock = await asked(record)
  await checks(unlock)
  await card(unlock).getByRole('button', { name: 'Approve' }).click()
  const window = await owner.looksAt('Sign a transaction', 'phrd/MsgApproveUnlock', chainID)
  await isAsOnPage(unlock, await window.locator('main').innerText())
  if (!isShort) await looked(window, 'wallet-approval', pictures)
  await owner.accepts('phrd/MsgApproveUnlock')
  await approved()
  await opens(record, unlock)
})

await check('an approval that is rejected in the wallet is none', async () => {
  const unlock = await asked(record)
  await checks(unlock)
  await card(unlock).getByRole('button', { name: 'Approve' }).click()
  await owner.rejects('phrd/MsgApproveUnlock', unlock)
  await card(unlock).getByText(rejected).waitFor()
  demand((await statusOf(unlock)) === 'endorsed', 'the request is no longer endorsed')
  await card(unlock).getByRole('button', { name: 'Deny' }).click()
  await owner.accepts('phrd/MsgDenyUnlock', unlock)
  await page.getByText('Denied.').waitFor()
})

await also('a wallet that is locked asks to be unlocked first, and signs nothing where it is not', async () => {
  const unlock = await asked(record)
  await card(unlock).waitFor()
  await owner.locks()
  await card(unlock).getByRole('button', { name: 'Deny' }).click()
  await looked(await owner.looksAt('The wallet is locked'), 'wallet-locked', pictures)
  await owner.rejects('The wallet is locked')
  await card(unlock).getByText(rejected).waitFor()
  demand((await statusOf(unlock)) === 'endorsed', 'the request is no longer endorsed')
  await card(unlock).getByRole('button', { name: 'Deny' }).click()
  await owner.accepts('The wallet is locked')
  await owner.accepts('phrd/MsgDenyUnlock', unlock)
  await page.getByText('Denied.').waitFor()
})

await also('another account of the wallet locks the page, which goes on as whoever connects', async () => {
  await owner.uses('Ben')
  await alert('Your wallet uses another account now')
  await looked(page, 'wallet-other-account', pictures)
  await connects()
  await heading(page, 'Your first visit').waitFor()
  await owner.uses('Anna')
  await alert('Your wallet uses another account now')
  await button(page, 'Connect your wallet').click()
  await owner.rejects(login, 'account: phrd1', `host: ${new URL(origin).host}`)
  await alert(rejected)
  await connects()
  await heading(page, 'Open your vault').waitFor()
  await button(page, 'Open with the wallet').click()
  for (let i = 0; i < 2; i++) await owner.accepts('phrd vault key')
  await way('Records')
  await page.getByText(record).waitFor()
})

await also('the wallet refuses what it does not know, or is not to sign', async () => {
  const faultOf = (run: (wallet: any) => Promise<unknown>) => page.evaluate(`(${run.toString()})(window.keplr).then(() => '', (fault) => fault.message)`)
  const faults = await Promise.all([
    faultOf((wallet) => wallet.enable('other-1')),
    faultOf((wallet) => wallet.experimentalSuggestChain({ chainId: 'other-1' })),
    page.evaluate(`window.keplr.signArbitrary(${JSON.stringify(chainID)}, 'phrd1other', 'x').then(() => '', (fault) => fault.message)`),
  ])
  demand(faults.join() === 'There is no chain info for other-1,bech32Config is missing,Signer mismatched', faults.join())
})

await also('what a doctor asks in one browser, a patient approves in another, and the doctor sees it', async () => {
  const { page: doctor, context, faults } = await visitor()
  await doctor.goto(await network.gateway(er))
  await button(doctor, 'Use the demo wallet').click()
  await heading(doctor, 'Your first visit').waitFor()
  const address = await doctor.locator('section[aria-labelledby=account] output').innerText()
  await network.as(er, 'admin', 'staff', 'add', `page-${address.slice(-6)}`, '--role', 'clinician', '--address', address)
  await doctor.reload()
  await button(doctor, 'Use the demo wallet').click()
  await doctor.getByRole('link', { name: 'Ask for records' }).first().click()
  await doctor.getByLabel('Records, one a line').fill(record)
  await button(doctor, 'Ask').click()
  await signs(doctor)
  await heading(doctor, 'Your requests').waitFor()
  let unlock = ''
  await until(async () => {
    const newest = await network.as(1, 'officer', 'unlock', 'list')
    if (newest['requester'] === address) unlock = String(newest['id'])
    return unlock !== ''
  })
  await way('Requests')
  await network.as(1, 'officer', 'unlock', 'endorse', unlock)
  await checks(unlock)
  await card(unlock).getByText(address).waitFor()
  await card(unlock).getByRole('button', { name: 'Approve' }).click()
  await owner.accepts('phrd/MsgApproveUnlock', unlock)
  await approved()
  await button(doctor, 'Open').click()
  await heading(doctor, 'wallet.bin').waitFor()
  demand(faults.length === 0, faults.join('\n'))
  await context.close()
})

await also('a hospital that goes down between the request and the approval costs the patient nothing', async () => {
  const unlock = await asked(record)
  await checks(unlock)
  await network.stop(1)
  await card(unlock).getByRole('button', { name: 'Approve' }).click()
  await owner.accepts('phrd/MsgApproveUnlock', unlock)
  // The approval stands, and one of the two hospitals that the request was checked at is not there to show it.
  await owner.loginsUntil(() => card(unlock).getByText('has not arrived at a hospital yet').isVisible())
  await card(unlock).getByRole('alert').waitFor()
  await looked(page, 'wallet-unfinished', pictures)
  // Two others show it, and take what is due.
  await card(unlock).getByRole('button', { name: 'Check this request' }).click()
  await owner.loginsUntil(async () => !(await card(unlock).getByText(/^What was checked at two hospitals: .*Hospital 01/).isVisible()))
  await card(unlock).getByRole('button', { name: 'Finish the approval' }).click()
  await approved()
  await opens(record, unlock)
  await network.start(1)
})

/** device reads what the Ledger shows of an item, on all its pages. */
async function device(title: string): Promise<string> {
  const window = await owner.looksAt()
  const pages = await window.getByRole('list', { name: 'On the device' }).getByRole('listitem').filter({ hasText: title }).all()
  const texts = await Promise.all(pages.map(async (page) => (await page.innerText()).split('\n').slice(1).join('')))
  return texts.join('')
}

await also('a wallet on a Ledger becomes a patient’s, and approves what the device shows', async () => {
  await owner.uses('Cleo’s Ledger')
  await alert('Your wallet uses another account now')
  await arrives()
  await connects()
  ledgers = await stored(await joins())
  const unlock = await asked(ledgers)
  await checks(unlock)
  await card(unlock).getByRole('button', { name: 'Approve' }).click()
  await looked(await owner.looksAt('phrd/MsgApproveUnlock', 'On the device'), 'wallet-ledger', pictures)
  const [hospital, purpose, records, id] = [await device('msgs/value/hospital'), await device('msgs/value/purpose'), await device('msgs/value/records'), await device('msgs/value/unlock')]
  demand(hospital === asker && purpose === 'TREAT' && records === `["${ledgers}/1"]` && id === unlock, `the device shows ${hospital}, ${purpose}, ${records}, ${id}`)
  await owner.accepts('phrd/MsgApproveUnlock')
  await approved()
  await opens(ledgers, unlock)
})

await also('a Ledger takes a consent and a vault that is written anew', async () => {
  await network.as(er, 'clinician', 'staff', 'vault')
  const unlock = await asked(ledgers)
  await card(unlock).getByRole('link', { name: 'Allow this for a time' }).click()
  await button(page, 'Check this consent').click()
  await page.getByText(/^Checked at /).waitFor()
  await button(page, 'Sign the consent').click()
  await owner.accepts('phrd/MsgGrantConsent', 'msgs/value/uses_a_day')
  await owner.accepts('phrd/MsgReplaceEnvelopes', 'msgs/value/envelopes')
  await page.getByText('1 version was sealed anew.').waitFor()
  await opens(ledgers, unlock)
  await way('Your vault')
  await button(page, 'Change the vault’s key').click()
  for (let i = 0; i < 2; i++) await owner.accepts('phrd vault key')
  await wordsWritten('Write the vault')
  await owner.accepts('phrd/MsgRotateVault', 'msgs/value/vault_key [')
  await page.getByText('Your vault was written anew.').waitFor()
})

await also('a Ledger signs no encoded transaction, and nothing that is too large for it', async () => {
  const faultOf = (call: string) => page.evaluate(`window.keplr.getKey(${JSON.stringify(chainID)}).then((key) => window.keplr.${call}).then(() => '', (fault) => fault.message)`)
  const large = `signAmino(${JSON.stringify(chainID)}, key.bech32Address, { account_number: '0', chain_id: ${JSON.stringify(chainID)}, fee: { amount: [], gas: '0' }, memo: 'x'.repeat(20000), msgs: [], sequence: '0' })`
  const direct = `signDirect(${JSON.stringify(chainID)}, key.bech32Address, { bodyBytes: new Uint8Array(), authInfoBytes: new Uint8Array(), chainId: ${JSON.stringify(chainID)}, accountNumber: 0n })`
  const faults = [await faultOf(large), await faultOf(direct)]
  demand(/^Ledger: it has \d+ bytes/.test(String(faults[0])) && faults[1] === 'Ledger: it signs amino documents only', faults.join())
})

// What every name that a gateway gives is preceded by.
const marked = '<img src=x onerror="window.wasRun=1"><script>window.wasRun=1</script>'

/** withMarks puts markup before each name in an answer. */
function withMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMarks)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, typeof field === 'string' && names.includes(key) ? marked + field : withMarks(field)]))
}

const names = ['name', 'zone', 'title', 'detail', 'summary', 'version', 'info', 'reason', 'media_type']

await also('no name that a gateway gives is run, in any page', async () => {
  await owner.context.route(/^https:.*\/(chain|readyz|phrd\/.*)(\?.*)?$/, async (route) => {
    const response = await route.fetch()
    const said: unknown = await response.json().catch(() => undefined)
    await route.fulfill(said === undefined ? { response } : { response, json: withMarks(said) })
  })
  const visits = async (...ways: string[]) => {
    for (const name of ways) {
      await way(name)
      await heading(page, name).waitFor()
      await page.getByText('Working …').first().waitFor({ state: 'detached' })
      demand((await page.locator('[onerror]').count()) === 0, `${name} makes markup of a name`)
      demand((await page.evaluate(() => Reflect.get(window, 'wasRun'))) === undefined, `${name} runs a name`)
    }
  }
  const opensAnew = async () => {
    await page.goto(origin)
    await page.reload()
    await page.getByText(`Served by ${marked}`).waitFor()
    await connects()
  }
  await opensAnew()
  await button(page, 'Open with the wallet').click()
  for (let i = 0; i < 2; i++) await owner.accepts('phrd vault key')
  await visits('Requests', 'Records', 'Consents', 'Emergencies', 'Guardians', 'Your vault', 'Who looked')
  await page.goto(`${origin}/#/page`)
  await page.getByText(marked).nth(1).waitFor()
  await owner.uses('Ben')
  await opensAnew()
  const address = await page.locator('section[aria-labelledby=account] output').innerText()
  await network.as(1, 'admin', 'staff', 'add', `page-${address.slice(-6)}`, '--role', 'admin', '--address', address)
  await opensAnew()
  await visits('Staff', 'Members', 'Votes', 'Health')
  await page.getByText(marked).nth(1).waitFor()
  await owner.context.unrouteAll({ behavior: 'wait' })
})

await check('the pages with a wallet broke no policy', async () => {
  demand(owner.faults.length === 0, owner.faults.join('\n'))
})
await owner.close()
