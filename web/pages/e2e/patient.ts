import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check, demand, looked } from './check.ts'
import { Class } from '../../sdk/dist/sdk/src/generated/phrd/records/v1/record_pb.js'
import { Client, LocalSigner, newWords, refText, store } from '../../sdk/dist/sdk/src/index.js'
import { pinnedTransport } from '../../sdk/dist/sdk/src/node/index.js'
import { account, joined, type Person, shows, way, wordsWritten } from './people.ts'
import { button, heading, home, network, pictures, signs, visitor } from './scene.ts'

const [origin, er] = [await network.gateway(1), await network.hospitalOf('clinician')]
const asker = `Hospital 0${er}`
// Two that neither keep the record nor ask.
const [third = 0, fourth = 0, fifth = 0] = (await network.hospitals()).filter((n) => n !== 1 && n !== er)

/** voted has the members decide something. */
async function voted(...ask: string[]): Promise<void> {
  const { proposal } = await network.as(1, 'admin', 'hospital', 'propose', ...ask)
  for (const hospital of [1, er, third, fourth]) await network.as(hospital, 'admin', 'hospital', 'vote', String(proposal), 'yes')
}

/** stored is a new record of a patient, by the clerk of the first hospital. */
async function stored(patient: string, bytes: Uint8Array): Promise<string> {
  const file = join(home, 'patient.bin')
  await writeFile(file, bytes)
  const { record } = await network.as(1, 'clerk', 'record', 'store', file, '--patient', patient, '--class', 'result', '--wait', 'copies')
  return String(record)
}

/** opens has the clinician open a record, which must be the bytes. */
async function opens(bytes: Uint8Array, ...args: string[]): Promise<void> {
  const out = join(home, `opened-${randomBytes(4).toString('hex')}.bin`)
  await network.as(er, 'clinician', ...args, '-o', out)
  const sums = [bytes, await readFile(out)].map((b) => createHash('sha256').update(b).digest('hex'))
  demand(sums[0] === sums[1], 'what was opened is what was stored')
}

async function asked(record: string): Promise<string> {
  const { unlock } = await network.as(er, 'clinician', 'unlock', 'propose', `${record}/1`, '--purpose', 'TREAT')
  await network.as(1, 'officer', 'unlock', 'endorse', String(unlock))
  return String(unlock)
}

const result = randomBytes(40_000)
let alice: Person, bob: Person
let [record, carol] = ['', '']
const carolHome = join(home, 'carol')

await check('hospitals make keys for guardians and emergencies, and people join', async () => {
  await voted('recoveries', '--delay', '10s')
  await voted('key', '--kind', 'guardians')
  await voted('key', '--kind', 'emergency')
  for (const hospital of [1, er, third, fourth, fifth]) await network.as(hospital, 'admin', 'hospital', 'emergency-vault')
  for (const hospital of [third, fourth]) await network.as(hospital, 'admin', 'staff', 'add', 'officer', '--role', 'officer')
  await network.as(er, 'clinician', 'staff', 'vault')
  alice = await joined(origin)
  bob = await joined(await network.gateway(er))
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await writeFile(`${carolHome}.passphrase`, 'carol’s own passphrase\n', { mode: 0o600 })
  carol = String((await network.at(carolHome, 'patient', 'join', String(invitation)))['patient'])
})

await check('what is stored is shown when it happens, with its copies in words', async () => {
  await way(alice.page, 'Records')
  record = await stored(alice.patient, result)
  // Without being told, the page would ask only after half a minute.
  await alice.page.getByText(record).waitFor({ timeout: 8_000 })
  await alice.page.getByText(/^3 hospitals keep a copy, in \d places?/).waitFor({ timeout: 8_000 })
  await looked(alice.page, 'patient-records', pictures)
})

await check('a request becomes a consent, by which the doctor opens without being approved', async () => {
  const { page } = alice
  await way(page, 'Requests')
  const unlock = await asked(record)
  const card = page.getByRole('article', { name: unlock.slice(0, 8) })
  await card.getByRole('link', { name: 'Allow this for a time' }).click()
  await heading(page, 'Give a consent').waitFor()
  await page.getByLabel('At most how often a day').waitFor()
  await looked(page, 'consent-form', pictures)
  await page.getByLabel('At most how often a day').fill('2000')
  await button(page, 'Check this consent').click()
  await page.getByRole('alert').waitFor()
  await page.getByLabel('At most how often a day').fill('5')
  await button(page, 'Check this consent').click()
  await page.getByText(/^Checked at /).waitFor()
  await looked(page, 'consent-check', pictures)
  await button(page, 'Sign the consent').click()
  const [grant, sealing] = await signs(page, 2)
  shows(grant, 'phrd/MsgGrantConsent', asker, 'phrd1', record, 'TREAT', 'uses_a_day')
  shows(sealing, 'phrd/MsgReplaceEnvelopes', `${record}/1`)
  await page.getByText('1 version was sealed anew.').waitFor()
  await opens(result, 'record', 'open', `${record}/1`, '--unlock', unlock)
  await way(page, 'Who looked')
  await page.locator('ol.log li').filter({ hasText: 'used a consent' }).first().waitFor()
})

await check('a consent that is withdrawn approves nothing more', async () => {
  const { page } = alice
  await way(page, 'Consents')
  const card = page.getByRole('article', { name: /^Consent \d+$/ })
  await card.getByText('in force').waitFor()
  await looked(page, 'consents', pictures)
  await button(page, 'End this consent').click()
  const [shown] = await signs(page)
  shows(shown, 'phrd/MsgWithdrawConsent')
  await card.getByText('withdrawn').waitFor()
  await page.getByText('opening is refused, not impossible').waitFor()
  const unlock = await asked(record)
  let opened = true
  await opens(result, 'record', 'open', `${record}/1`, '--unlock', unlock).catch(() => (opened = false))
  demand(!opened, 'a consent that was withdrawn opened a record')
  await way(page, 'Requests')
  await page.getByRole('article', { name: unlock.slice(0, 8) }).getByRole('button', { name: 'Deny' }).click()
  await signs(page)
  await page.getByText('Denied.').waitFor()
})

await check('what was sealed for a consent that has ended is locked anew', async () => {
  const { page } = alice
  await way(page, 'Consents')
  await page.getByRole('link', { name: 'Lock records anew' }).click()
  await page.getByText('1 version is still sealed to somebody whose consent has ended').waitFor()
  await button(page, 'Lock it anew').click()
  const [, , fresh, confirmed] = await signs(page, 4)
  shows(fresh, 'phrd/MsgRelockVersions', `${record}/1`)
  shows(confirmed, 'phrd/MsgConfirmRelock', `${record}/1`)
  await page.getByText('Nothing has to be locked anew.').waitFor()
})

/** emergency has the clinician ask in an emergency, and so many other hospitals approve it. */
async function emergency(approvals: number, of = record): Promise<string> {
  const { unlock: id } = await network.as(er, 'clinician', 'emergency', 'request', of, '--reason', 'unconscious')
  for (const hospital of [third, fourth].slice(0, approvals)) await network.as(hospital, 'officer', 'emergency', 'approve', String(id))
  return String(id)
}

await check('who has not agreed is opened by nobody, and who agreed says when that ends', async () => {
  const { page } = alice
  let asking = true
  await emergency(0).catch(() => (asking = false))
  demand(!asking, 'an emergency was asked for without an agreement')
  await way(page, 'Emergencies')
  await page.getByText('Opening without you is impossible').waitFor()
  await looked(page, 'emergency-off', pictures)
  await page.getByLabel('How long to wait after that').selectOption('10')
  await button(page, 'I agree').click()
  const [terms, sealing] = await signs(page, 2)
  shows(terms, 'phrd/MsgEnableEmergency', 'approvals', '2', 'delay', '10')
  shows(sealing, 'phrd/MsgReplaceEnvelopes', `${record}/1`)
  await page.getByText('You agreed. 1 version was sealed anew.').waitFor()
  await page.getByText('What you accept: 5 hospitals').waitFor()
  await looked(page, 'emergency-on', pictures)
})

await check('an emergency is seen when it begins, and the patient stops it', async () => {
  const { page } = alice
  await way(page, 'Requests')
  const id = await emergency(1)
  const card = page.getByRole('article', { name: id.slice(0, 8) })
  await card.getByText('waits for other hospitals').waitFor({ timeout: 8_000 })
  await looked(page, 'emergency-card', pictures)
  await card.getByRole('button', { name: 'Stop it now' }).click()
  await signs(page)
  await page.getByText('The emergency has ended.').waitFor()
})

await check('an emergency that is approved opens after the delay what a clerk’s program stored meanwhile, and its review is shown', async () => {
  const { page } = alice
  const desk = await LocalSigner.fromWords(newWords())
  await network.as(1, 'admin', 'staff', 'add', `desk-${desk.address.slice(-6)}`, '--role', 'clerk', '--address', desk.address)
  const client = await Client.dial({ doors: [await network.door(1)], signer: desk, transport: pinnedTransport })
  const draft = { name: 'report.txt', mediaType: 'text/plain', modified: 1_700_000_000n }
  const ref = refText(await store(client, { place: { patient: alice.patient, class: Class.DOCUMENT }, draft, content: new Blob([result]) }))
  const id = await emergency(2, ref)
  await opens(result, 'emergency', 'open', id, ref, '--wait', '1m')
  await network.as(er, 'clinician', 'emergency', 'end', id)
  await network.as(third, 'officer', 'emergency', 'review', id, '--finding', 'justified')
  await way(page, 'Emergencies')
  await page.getByRole('article', { name: id.slice(0, 8) }).getByText(/^justified/).waitFor()
  await button(page, 'End my agreement').click()
  const [shown] = await signs(page, 2)
  shows(shown, 'phrd/MsgDisableEmergency')
  await page.getByText('Opening without you is impossible').waitFor()
})

await check('guardians are named, and a guardian sees that it could help', async () => {
  const { page } = alice
  await way(page, 'Guardians')
  await page.getByText('You have no guardians.').waitFor()
  await page.getByLabel('Their patient numbers, one a line').fill(`${bob.patient}\n${carol}`)
  await page.getByLabel('Delay before the hospitals give their half').selectOption('10')
  await looked(page, 'guardians-form', pictures)
  await button(page, 'Name these guardians').click()
  await signs(page, 2)
  const code = await wordsWritten(page, 'Write the vault')
  demand(code !== alice.code, 'the vault has other words than before')
  const [written, named] = await signs(page, 2)
  shows(written, 'phrd/MsgRotateVault')
  shows(named, 'phrd/MsgSetGuardians', bob.patient, carol, '10 seconds')
  await page.getByText('2 of 2 together').waitFor()
  await looked(page, 'guardians', pictures)
  alice = { ...alice, code }
  await way(bob.page, 'Guardians')
  await button(bob.page, 'Check that you could help').click()
  await bob.page.getByText('You could help: your share opens.').waitFor()
  await network.at(carolHome, 'guardian', 'check')
})

await check('somebody who asks for the wallet is seen at once, and stopped', async () => {
  const { page: mallory, context } = await visitor()
  await account(mallory, await network.gateway(er))
  await button(mallory, 'I am a patient already, or act for one').click()
  await mallory.getByLabel('Your patient number').fill(alice.patient)
  await button(mallory, 'Ask for my account').click()
  const [asks] = await signs(mallory)
  shows(asks, 'phrd/MsgProposeRecovery', alice.patient)
  await mallory.getByText('waits for approvals').waitFor()
  await way(alice.page, 'Requests')
  const alarm = alice.page.getByRole('article', { name: 'Somebody asks to take the place of your wallet' })
  await alarm.waitFor({ timeout: 8_000 })
  await looked(alice.page, 'alarm', pictures)
  await alarm.getByRole('button', { name: 'Stop it: this is not me' }).click()
  const [shown] = await signs(alice.page)
  shows(shown, 'phrd/MsgCancelRecovery')
  await alice.page.getByText('The recovery was stopped.').waitFor()
  await mallory.getByText('cancelled').waitFor()
  await context.close()
})

await check('a hospital that goes away takes nothing with it, and a page without any says so', async () => {
  const { page } = alice
  await way(page, 'Requests')
  await network.stop(1)
  const { unlock } = await network.as(er, 'clinician', 'unlock', 'propose', `${record}/1`, '--purpose', 'TREAT')
  const card = page.getByRole('article', { name: String(unlock).slice(0, 8) })
  await card.getByText('waits for the hospital').waitFor({ timeout: 60_000 })
  await card.getByRole('button', { name: 'Deny' }).click()
  await signs(page)
  await page.getByText('Denied.').waitFor({ timeout: 60_000 })
  await network.start(1)
  await page.context().setOffline(true)
  await page.getByText('No connection to a hospital.').waitFor()
  await looked(page, 'lost', pictures)
  await page.context().setOffline(false)
  await page.getByText('No connection to a hospital.').waitFor({ state: 'detached' })
})

await check('a lost wallet comes back on a new device, by two guardians', async () => {
  const { page, faults } = await visitor()
  await account(page, await network.gateway(third))
  await button(page, 'I am a patient already, or act for one').click()
  await looked(page, 'lost-wallet', pictures)
  await page.getByLabel('Your patient number').fill(alice.patient)
  await button(page, 'Ask for my account').click()
  await signs(page)
  const told = await page.getByText(/^Tell those who approve this number/).innerText()
  const number = /\d+/.exec(told)?.[0] ?? ''
  await way(bob.page, 'Requests')
  const card = bob.page.getByRole('article', { name: `Recovery ${number}` })
  await card.getByRole('button', { name: 'Check this recovery' }).click()
  await card.getByText(/show the same/).waitFor()
  await looked(bob.page, 'guardian-card', pictures)
  await card.getByRole('button', { name: 'I spoke with the person: approve' }).click()
  const [approval] = await signs(bob.page)
  shows(approval, 'phrd/MsgApproveRecovery', alice.patient, 'Hospital 01')
  await bob.page.getByText('Approved. Your share was handed in.').waitFor()
  await network.at(carolHome, 'guardian', 'approve', number, '--yes')
  await button(page, 'Open my vault').waitFor({ timeout: 60_000 })
  await looked(page, 'recovery-ready', pictures)
  await button(page, 'Open my vault').click()
  await signs(page, 2)
  const code = await wordsWritten(page, 'Take my account back')
  const [finished] = await signs(page, 2)
  shows(finished, 'phrd/MsgFinishRecovery')
  await heading(page, 'Requests').waitFor()
  await way(page, 'Your vault')
  await looked(page, 'vault', pictures)
  await button(page, 'Seal them to the new key').click()
  await signs(page)
  await page.getByText('2 versions were sealed anew.').waitFor()
  const unlock = await asked(record)
  await way(page, 'Requests')
  await button(page, 'Check this request').click()
  await button(page, 'Approve').click()
  await signs(page)
  await page.getByText('Approved. The hospitals give their half now.').waitFor()
  await opens(result, 'record', 'open', `${record}/1`, '--unlock', unlock)
  alice = { page, faults: [...alice.faults, ...faults], patient: alice.patient, code }
})

await check('another wallet takes the place of one’s own', async () => {
  const { page } = alice
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await way(page, 'Your vault')
  await page.getByLabel('Invitation for the new wallet').fill(String(invitation))
  await button(page, 'Make a new demo wallet').click()
  await signs(page, 2)
  await wordsWritten(page, 'Write the vault')
  const [changed, named] = await signs(page, 2)
  shows(changed, 'phrd/MsgRotateWallet', 'phrd1')
  shows(named, 'phrd/MsgSetGuardians', bob.patient)
  await page.getByText('The new wallet is yours now.').waitFor()
  await button(page, 'Lock and sign out').click()
  await button(page, 'Use the demo wallet').click()
  await button(page, 'Open with the wallet').click()
  await signs(page, 2)
  await way(page, 'Records')
  await page.getByText(record).waitFor()
})

await check('without guardians officers of two hospitals approve, and the words open the vault', async () => {
  const { page } = await visitor()
  await account(page, origin)
  await button(page, 'I am a patient already, or act for one').click()
  await page.getByLabel('Your patient number').fill(bob.patient)
  await button(page, 'Ask for my account').click()
  await signs(page)
  const number = /\d+/.exec(await page.getByText(/^Tell those who approve this number/).innerText())?.[0] ?? ''
  for (const hospital of [third, fourth]) await network.as(hospital, 'officer', 'recovery', 'approve', number, '--yes')
  await page.getByLabel('Your 24 words').fill(alice.code, { timeout: 60_000 })
  await button(page, 'Open my vault').click()
  await page.getByRole('alert').waitFor()
  await page.getByLabel('Your 24 words').fill(bob.code)
  await button(page, 'Open my vault').click()
  await signs(page, 2)
  await wordsWritten(page, 'Take my account back')
  await signs(page)
  await heading(page, 'Requests').waitFor()
  await way(page, 'Your vault')
  await button(page, 'Change the vault’s key').click()
  await signs(page, 2)
  const code = await wordsWritten(page, 'Write the vault')
  const [written] = await signs(page)
  shows(written, 'phrd/MsgRotateVault', 'vault_key')
  await page.getByText('Your vault was written anew.').waitFor()
  await button(page, 'Lock and sign out').click()
  await button(page, 'Use the demo wallet').click()
  await page.getByLabel('Recovery code, 24 words').fill(code)
  await button(page, 'Open with the recovery code').click()
  await heading(page, 'Your vault').waitFor()
})

await check('the patient’s pages speak German, in the dark', async () => {
  const { page } = alice
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.getByLabel('Language').selectOption('de')
  for (const [link, title] of [['Einwilligungen', 'consents'], ['Notfälle', 'emergency'], ['Vertraute', 'guardians'], ['Ihr Tresor', 'vault']] as const) {
    await way(page, link)
    await heading(page, link).waitFor()
    await page.getByText('Einen Moment …').first().waitFor({ state: 'detached' })
    await looked(page, `german-${title}`, pictures)
  }
  await page.getByLabel('Sprache').selectOption('en')
})

await check('none of these pages broke a policy', async () => {
  const faults = [...alice.faults, ...bob.faults]
  demand(faults.length === 0, faults.join('\n'))
})
