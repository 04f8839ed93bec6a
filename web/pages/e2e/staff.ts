import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bech32 } from '@scure/base'
import type { Page } from 'playwright-core'
import { create, toBinary } from '@bufbuild/protobuf'
import { MsgSubmitProposalResponseSchema, MsgSubmitProposalSchema } from '../../sdk/dist/sdk/src/generated/phrd/consortium/v1/tx_pb.js'
import { Query as Records } from '../../sdk/dist/sdk/src/generated/phrd/records/v1/query_pb.js'
import { MsgUpdateParamsSchema } from '../../sdk/dist/sdk/src/generated/phrd/records/v1/tx_pb.js'
import { Client, gasBase, LocalSigner, newWords } from '../../sdk/dist/sdk/src/index.js'
import { pinnedTransport } from '../../sdk/dist/sdk/src/node/index.js'
import { check, demand, looked, until } from './check.ts'
import { compressedFiles } from './dicom.ts'
import { account, registered, shows, way } from './people.ts'
import { button, heading, home, network, pictures, signs, visitor } from './scene.ts'

const er = await network.hospitalOf('clinician')
const [third = 0, fourth = 0, ...others] = (await network.hospitals()).filter((n) => n !== 1 && n !== er)
const [doctor, clerk, officer, second, theirs, claimant] = await Promise.all([visitor(), visitor(), visitor(), visitor(), visitor(), visitor()])
const people = [doctor, clerk, officer, second, theirs, claimant]
const patientHome = join(home, 'dora')
const [first, changed] = ['Befund vom Montag', 'Befund vom Montag, berichtigt am Dienstag']
let [patient, doctors, record, own] = ['', '', '', '']

// The account whose signature is a vote: that of the module's name.
const consortium = bech32.encode('phrd', bech32.toWords(createHash('sha256').update('consortium').digest().subarray(0, 20)))

const card = (page: Page, name: string) => page.getByRole('article', { name })

/** emergencyKey has the hospitals make a key for emergencies, unless an earlier story did. */
async function emergencyKey(): Promise<void> {
  const name = 'hospital-1'
  const { stdout } = await network.command('custody', 'status', '--home', join(home, name), '--passphrase-file', join(home, 'passphrases', name), '--from', 'admin', '--json')
  if ((JSON.parse(stdout) as { kind: string }[]).some(({ kind }) => kind === 'emergency')) return
  const { proposal } = await network.as(1, 'admin', 'hospital', 'propose', 'key', '--kind', 'emergency')
  for (const hospital of [1, er, third, fourth]) await network.as(hospital, 'admin', 'hospital', 'vote', String(proposal), 'yes')
  for (const hospital of [1, er, third, fourth, ...others]) await network.as(hospital, 'admin', 'hospital', 'emergency-vault')
  for (const hospital of [third, fourth]) await network.as(hospital, 'admin', 'staff', 'add', 'officer', '--role', 'officer')
}

/** countersigned has the members decide that an officer signs every erasure, which no command asks for. */
async function countersigned(): Promise<void> {
  const signer = await LocalSigner.fromWords(newWords())
  await network.as(1, 'admin', 'staff', 'add', `chair-${signer.address.slice(-6)}`, '--role', 'admin', '--address', signer.address)
  const client = await Client.dial({ doors: [await network.door(1)], signer, transport: pinnedTransport })
  const { params } = await client.gateways.query(Records.method.params, {})
  if (params === undefined || params.erasureCountersign) return
  const message = create(MsgUpdateParamsSchema, { authority: consortium, params: { ...params, erasureCountersign: true } })
  const asked = { typeUrl: `/${MsgUpdateParamsSchema.typeName}`, value: toBinary(MsgUpdateParamsSchema, message) }
  const { answer } = await client.send('direct', gasBase, MsgSubmitProposalSchema, { proposer: signer.address, messages: [asked] }, MsgSubmitProposalResponseSchema)
  for (const hospital of [1, er, third, fourth]) await network.as(hospital, 'admin', 'hospital', 'vote', String(answer.number), 'yes')
  const isSo = async () => (await client.gateways.query(Records.method.params, {})).params?.erasureCountersign === true
  await until(isSo)
}

/** stored is a new record of the patient, by the clerk's command. */
async function stored(text: string): Promise<string> {
  const file = join(home, 'staff.txt')
  await writeFile(file, text)
  return String((await network.as(1, 'clerk', 'record', 'store', file, '--patient', patient, '--class', 'result', '--wait', 'copies'))['record'])
}

/** reads opens what is shown of a version, and leaves the viewer. */
async function reads(page: Page, of: string, text: string): Promise<void> {
  await card(page, of).getByRole('button', { name: 'Open', exact: true }).click()
  await page.locator('.viewer').getByText(text, { exact: true }).waitFor({ timeout: 60_000 })
  await button(page, 'Close').click()
}

/** asks asks for a record, and gives the short name of the request. */
async function asks(page: Page, refs: string, of = refs): Promise<string> {
  await way(page, 'Ask for records')
  await page.getByLabel('Records, one a line').fill(refs)
  await page.getByLabel('Open for').selectOption({ label: '1 hour' })
  await button(page, 'Ask').click()
  await signs(page)
  await heading(page, 'Your requests').waitFor()
  const waiting = page.getByRole('article').filter({ hasText: of }).filter({ hasText: 'waits for an officer' }).first()
  await waiting.waitFor()
  return (await waiting.getAttribute('aria-label')) ?? ''
}

await check('people of three hospitals sign in, and somebody becomes a patient', async () => {
  await emergencyKey()
  doctors = await registered(doctor.page, er, 'clinician', 'Your requests')
  await registered(clerk.page, 1, 'clerk', 'Store files')
  await registered(officer.page, 1, 'officer', 'Requests to endorse')
  await registered(second.page, 1, 'officer', 'Requests to endorse')
  await registered(theirs.page, third, 'officer', 'Requests to endorse')
  const { invitation } = await network.as(1, 'clerk', 'patient', 'invite')
  await writeFile(`${patientHome}.passphrase`, 'dora’s own passphrase\n', { mode: 0o600 })
  patient = String((await network.at(patientHome, 'patient', 'join', String(invitation)))['patient'])
})

await check('a doctor makes a vault, is granted a consent, and opens by it', async () => {
  const { page } = doctor
  await way(page, 'Consents')
  await page.getByText('As long as you have no vault').waitFor()
  await button(page, 'Make your vault').click()
  const [published] = await signs(page)
  shows(published, 'phrd/MsgPublishStaffVault', doctors)
  await page.getByText('This device opens what patients have sealed for you.').waitFor()
  await network.at(patientHome, 'consent', 'grant', '--hospital', String(er), '--clinician', doctors, '--class', 'result', '--until', '30d', '--yes')
  await card(page, 'Consent').getByText('in force').waitFor()
  await looked(page, 'staff-consents', pictures)
  record = await stored(first)
  const request = await asks(page, `${record}/1`)
  await card(officer.page, request).getByRole('button', { name: 'Endorse' }).click()
  await signs(officer.page)
  await card(page, request).getByText('waits for the patient').waitFor()
  await looked(page, 'staff-by-consent', pictures)
  await card(page, request).getByRole('button', { name: 'Open by a consent' }).click()
  const [used] = await signs(page)
  shows(used, 'phrd/MsgUseConsent', request)
  await reads(page, request, first)
})

await check('the viewer shows pictures that browsers do not decode', async () => {
  const { page } = doctor
  const refs: string[] = []
  for (const bytes of await compressedFiles()) {
    const scan = join(home, 'scan.dcm')
    await writeFile(scan, bytes)
    refs.push(`${String((await network.as(1, 'clerk', 'record', 'store', scan, '--patient', patient, '--class', 'result'))['record'])}/1`)
  }
  const request = await asks(page, refs.join('\n'), refs[0])
  await card(officer.page, request).getByRole('button', { name: 'Endorse' }).click()
  await signs(officer.page)
  await card(page, request).getByRole('button', { name: 'Open by a consent' }).click()
  await signs(page)
  for (const ref of refs) {
    await card(page, request).getByRole('listitem').filter({ hasText: ref }).getByRole('button', { name: 'Open', exact: true }).click()
    const picture = page.getByRole('img', { name: 'Picture 1 of 1' })
    await picture.waitFor({ timeout: 60_000 })
    // 4095 of 4095 is white, and 0 beside it black.
    await until(async () => (await picture.evaluate((canvas: HTMLCanvasElement) => [1, 2].map((x) => canvas.getContext('2d')?.getImageData(x, 1, 1, 1).data[0]).join())) === '255,0')
    if (ref === refs[2]) await looked(page, 'staff-dicom', pictures)
    await button(page, 'Close').click()
  }
})

await check('without a consent that covers it the patient is asked', async () => {
  const { page } = doctor
  const other = String((await network.as(1, 'clerk', 'record', 'store', join(home, 'staff.txt'), '--patient', patient, '--class', 'document', '--wait', 'copies'))['record'])
  const request = await asks(page, `${other}/1`)
  await card(officer.page, request).getByRole('button', { name: 'Endorse' }).click()
  await signs(officer.page)
  await card(page, request).getByRole('button', { name: 'Open by a consent' }).click()
  await card(page, request).getByText('No consent covers it').waitFor()
  await card(page, request).getByText('waits for the patient').waitFor()
})

await check('in an emergency other hospitals approve, the doctor opens after the delay, and it is reviewed', async () => {
  const { page } = doctor
  await way(page, 'Emergency')
  await page.getByLabel('Patient number').fill(patient)
  await button(page, 'Look up the records').click()
  await page.getByText('This patient has not agreed').waitFor()
  await network.at(patientHome, 'emergency', 'enable', '--approvals', '2', '--delay', '10s', '--yes')
  await button(page, 'Look up the records').click()
  await page.getByText('2 other hospitals must approve').waitFor()
  await page.getByLabel(`${record}/1`).waitFor()
  await page.getByLabel('Reason').selectOption({ label: 'danger to life' })
  await looked(page, 'staff-emergency-form', pictures)
  await button(page, 'Ask in an emergency').click()
  await signs(page)
  await page.getByText('Asked. Call the other hospitals now.').waitFor()
  const emergency = (await page.getByRole('article').filter({ hasText: 'waits for other hospitals' }).getAttribute('aria-label')) ?? ''
  await way(theirs.page, 'Emergencies')
  await card(theirs.page, emergency).getByText('danger to life').waitFor()
  await looked(theirs.page, 'staff-emergencies', pictures)
  await card(theirs.page, emergency).getByRole('button', { name: 'Approve' }).click()
  const [approved] = await signs(theirs.page)
  shows(approved, 'phrd/MsgApproveEmergency', emergency)
  await theirs.page.getByText('Approved.', { exact: true }).waitFor()
  await card(theirs.page, emergency).getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' })
  await way(second.page, 'Emergencies')
  await card(second.page, emergency).getByRole('button', { name: 'Approve' }).click()
  await signs(second.page)
  await card(page, emergency).getByText('open', { exact: true }).waitFor({ timeout: 90_000 })
  await looked(page, 'staff-emergency', pictures)
  const opens = card(page, emergency).getByRole('listitem').filter({ hasText: record }).getByRole('button', { name: 'Open' })
  await opens.click()
  await page.locator('.viewer').getByText(first, { exact: true }).waitFor({ timeout: 60_000 })
  await button(page, 'Close').click()
  await card(page, emergency).getByRole('button', { name: 'Done, end it' }).click()
  await signs(page)
  await card(page, emergency).getByText('over', { exact: true }).waitFor()
  await card(theirs.page, emergency).getByRole('button', { name: 'It was justified' }).waitFor()
  await looked(theirs.page, 'staff-review', pictures)
  await card(theirs.page, emergency).getByRole('button', { name: 'It was justified' }).click()
  const [reviewed] = await signs(theirs.page)
  shows(reviewed, 'phrd/MsgReviewEmergency', emergency, 'justified')
  await card(page, emergency).getByText(`justified (Hospital 0${third})`).waitFor()
})

await check('a clerk stores a record of the hospital itself, and then a new version of it', async () => {
  const { page } = clerk
  await page.getByLabel('Belongs to').selectOption({ label: 'the hospital itself' })
  await page.getByLabel('Kind').selectOption({ label: 'document' })
  await page.getByLabel('Choose files').setInputFiles({ name: 'rota.txt', mimeType: 'text/plain', buffer: Buffer.from(first) })
  await signs(page)
  own = (await card(page, 'rota.txt').locator('output').innerText()).replace(/\/1$/, '')
  await way(page, 'Records')
  await page.getByLabel('Patient number, or the id of a record').fill(own)
  await button(page, 'Show').click()
  await card(page, own).getByRole('button', { name: 'Store a new version' }).click()
  await page.getByText('New version of').waitFor()
  await looked(page, 'staff-new-version', pictures)
  await page.getByLabel('Choose the file').setInputFiles({ name: 'rota-2.txt', mimeType: 'text/plain', buffer: Buffer.from(changed) })
  await signs(page)
  await card(page, 'rota-2.txt').getByText(`${own}/2`).waitFor()
  await way(page, 'Records')
  await page.getByLabel('Only the hospital’s own').check()
  await button(page, 'Show').click()
  await card(page, own).getByRole('button', { name: 'Show versions' }).click()
  await card(page, own).getByRole('heading', { name: 'Version 2' }).waitFor()
  await card(page, own).locator('ol.log li').filter({ hasText: 'stored a record' }).nth(1).waitFor()
  demand((await page.getByText(record).count()) === 0, 'a patient’s record is none of the hospital’s own')
  await looked(page, 'staff-records', pictures)
})

await check('one officer endorses a request for the hospital’s own record, and another one approves it', async () => {
  const request = await asks(doctor.page, `${own}/2`)
  await card(officer.page, request).getByRole('button', { name: 'Endorse' }).click()
  await signs(officer.page)
  await officer.page.getByText('Endorsed. Now another officer of your hospital decides.').waitFor()
  await card(officer.page, request).getByText('You have endorsed it: another officer approves.').waitFor()
  await way(second.page, 'Requests to endorse')
  await card(second.page, request).getByRole('button', { name: 'Check this request' }).click()
  await card(second.page, request).getByRole('button', { name: 'Approve for the hospital' }).waitFor()
  demand((await card(second.page, request).locator('.checks .failed').count()) === 0, 'no check failed')
  await looked(second.page, 'staff-own', pictures)
  await card(second.page, request).getByRole('button', { name: 'Approve for the hospital' }).click()
  const [approved] = await signs(second.page)
  shows(approved, 'phrd/MsgApproveUnlock', `${own}/2`)
  await second.page.getByText('Approved. The hospitals give their half now.').waitFor()
  await reads(doctor.page, request, changed)
})

await check('two officers erase a version of the hospital’s own, and every server attests it', async () => {
  const { page } = officer
  await countersigned()
  await way(page, 'Records')
  await page.getByLabel('Patient number, or the id of a record').fill(own)
  await button(page, 'Show').click()
  await button(page, 'Show versions').click()
  await button(page, 'Erase').first().click()
  await looked(page, 'staff-erase', pictures)
  await button(page, 'Erase for good').click()
  const [asked] = await signs(page)
  shows(asked, 'phrd/MsgEraseVersions', `${own}/1`)
  await page.getByText(/^Asked for as number \d+/).waitFor()
  await way(second.page, 'Erasures')
  const waiting = second.page.getByRole('article').filter({ hasText: `${own}/1` })
  await looked(second.page, 'staff-erasures', pictures)
  await waiting.getByRole('button', { name: 'Erase for good' }).click()
  const [approved] = await signs(second.page)
  shows(approved, 'phrd/MsgApproveErasure')
  await second.page.getByText('No erasure waits for you.').waitFor()
  const certificate = page.getByRole('region', { name: 'Certificate of the erasure' })
  await certificate.getByText(/^(\d+) of \1 servers have attested/).waitFor({ timeout: 90_000 })
  await looked(page, 'staff-certificate', pictures)
  await page.getByText('Version 2', { exact: true }).waitFor()
})

await check('officers of two hospitals approve a recovery when they have seen who asks, and the one that invited stops it', async () => {
  const { page } = claimant
  const end = new Date(Date.UTC(new Date().getUTCFullYear() + 2, 0)).toISOString().slice(0, 7)
  await account(page, await network.gateway(1))
  await button(page, 'I am a patient already, or act for one').click()
  await page.getByLabel('Your patient number').fill(patient)
  await page.getByLabel('I act for this patient').check()
  await page.getByLabel('The month in which that ends').fill(end)
  await button(page, 'Ask to act for this patient').click()
  await signs(page)
  const number = /\d+/.exec(await page.getByText(/^Tell those who approve this number/).innerText())?.[0] ?? ''
  const asker = await page.locator('dt', { hasText: /^Account$/ }).locator('+ dd').innerText()
  for (const [{ page: at }, approved] of [[second, '1 of 2'], [theirs, '2 of 2']] as const) {
    await way(at, 'Recoveries')
    const asked = card(at, `Recovery ${number}`)
    await asked.getByText('waits for approvals').waitFor()
    await asked.getByRole('button', { name: 'Check this recovery' }).click()
    const approve = asked.getByRole('button', { name: 'I have seen all of it: approve' })
    await approve.waitFor()
    demand(await approve.isDisabled(), 'an officer who has said nothing of what was seen approves')
    const points = asked.getByRole('checkbox')
    demand((await points.count()) === 4, 'the paper is among what an officer has seen')
    for (const point of (await points.all()).slice(1)) await point.check()
    demand(await approve.isDisabled(), 'an officer who has not seen the person approves')
    await points.first().check()
    await looked(at, `staff-recovery-${approved.slice(0, 1)}`, pictures)
    await approve.click()
    const [signed] = await signs(at)
    shows(signed, 'phrd/MsgApproveRecovery', patient, asker, 'Hospital 01', `${end}-01T00:00:00Z`)
    await at.getByText('Approved. It stands in the patient’s log.').waitFor()
    await asked.getByText(approved).waitFor()
    await asked.getByText('Your hospital has approved.').waitFor()
    demand((await asked.getByRole('button', { name: 'Check this recovery' }).count()) === 0, 'an officer approves twice')
  }
  await page.getByText('2 of 2').waitFor()
  await page.getByText(/^(approved, the delay runs|ready)$/).waitFor()
  const stops = (at: Page) => card(at, `Recovery ${number}`).getByRole('button', { name: 'Your hospital invited this account: stop it' })
  demand((await stops(theirs.page).count()) === 0, 'an officer of a hospital that did not invite stops it')
  await way(officer.page, 'Recoveries')
  await card(officer.page, `Recovery ${number}`).getByText('Hospital 01', { exact: true }).waitFor()
  await card(officer.page, `Recovery ${number}`).getByText(`Hospital 01, Hospital 0${third}`).waitFor()
  await looked(officer.page, 'staff-recoveries', pictures)
  await stops(officer.page).click()
  shows((await signs(officer.page))[0], 'phrd/MsgCancelRecovery', number)
  await officer.page.getByText('The recovery was stopped.').waitFor()
  await card(officer.page, `Recovery ${number}`).waitFor({ state: 'detached' })
  await page.getByText('cancelled', { exact: true }).waitFor()
})

await check('these pages speak German, in the dark, and broke no policy', async () => {
  for (const [{ page }, name] of [[doctor, 'doctor'], [theirs, 'officer'], [clerk, 'clerk']] as const) {
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.getByLabel('Language').selectOption('de')
    await page.getByText('Einen Moment …').first().waitFor({ state: 'detached' })
    await looked(page, `staff-german-${name}`, pictures)
  }
  for (const person of people) {
    demand(person.faults.length === 0, person.faults.join('\n'))
    await person.context.close()
  }
})
