import type { BrowserContext, Locator, Page } from 'playwright-core'
import decodeQR from 'qr/decode.js'
import './dicom.ts'
import { check, demand, looked, until } from './check.ts'
import { dicomFile, pdfFile, pngFile, wavFile } from './files.ts'
import { button, heading, network, pictures, signs, visitor } from './scene.ts'

// A name that a page must show, and never run.
const marked = '<script>window.wasRun=1</script>'
const scanName = `${marked}.dcm`
const [size, frames] = [512, 24]

const er = await network.hospitalOf('clinician')
const [clinic, other] = [await network.gateway(1), await network.gateway(er)]
const [admin, clerk, officer, doctor, patient] = await Promise.all([visitor(), visitor(), visitor(), visitor(), visitor()])
let [link, number, record, clerks] = ['', '', '', '']

/** arrives opens a hospital's page, and gives the address of the visitor's wallet, which is nobody's yet. */
async function arrives(page: Page, origin: string): Promise<string> {
  await page.goto(origin)
  await button(page, 'Use the demo wallet').click()
  await heading(page, 'Your first visit').waitFor()
  return page.locator('section[aria-labelledby=account] output').innerText()
}

/** comesBack signs in again, as what the account is by now. */
async function comesBack(page: Page, title: string): Promise<void> {
  await page.reload()
  await button(page, 'Use the demo wallet').click()
  await heading(page, title).waitFor()
}

const card = (page: Page, name: string): Locator => page.getByRole('article', { name })

await check('an admin registers the hospital’s people', async () => {
  const address = await arrives(admin.page, clinic)
  await looked(admin.page, 'hospital-nobody', pictures)
  await network.as(1, 'admin', 'staff', 'add', 'page-admin', '--role', 'admin', '--address', address)
  await comesBack(admin.page, 'Staff')
  await admin.page.getByLabel('Address').fill('phrd1nobody')
  await button(admin.page, 'Register').click()
  await admin.page.getByRole('alert').waitFor()
  for (const [person, role] of [[clerk, 'clerk'], [officer, 'officer']] as const) {
    const theirs = await arrives(person.page, clinic)
    await admin.page.getByLabel('Address').fill(theirs)
    await admin.page.getByLabel('Role').selectOption({ label: role })
    await button(admin.page, 'Register').click()
    const [shown = ''] = await signs(admin.page)
    demand(shown.includes('phrd/MsgRegisterStaff') && shown.includes(theirs), `the wallet shows ${shown}`)
    await card(admin.page, `${role} …${theirs.slice(-6)}`).waitFor()
    if (role === 'clerk') clerks = theirs
  }
  await looked(admin.page, 'hospital-team', pictures)
  const theirs = await arrives(doctor.page, other)
  await network.as(er, 'admin', 'staff', 'add', 'page-doctor', '--role', 'clinician', '--address', theirs)
  await comesBack(doctor.page, 'Your requests')
  await comesBack(officer.page, 'Requests to endorse')
  await comesBack(clerk.page, 'Store files')
})

await check('a clerk’s QR code brings a patient in', async () => {
  const { page } = clerk
  await page.getByRole('link', { name: 'Invite a patient' }).click()
  await button(page, 'Make an invitation').click()
  const [shown = ''] = await signs(page)
  demand(shown.includes('phrd/MsgCreateInvitation'), `the wallet shows ${shown}`)
  link = await card(page, 'Invitation').locator('output').innerText()
  demand((await readQR(page)) === link, 'the QR code is the link')
  await looked(page, 'hospital-invite', pictures)
  await patient.page.goto(link)
  await button(patient.page, 'Use the demo wallet').click()
  await button(patient.page, 'Open my account').click()
  await button(patient.page, 'Make my vault').click()
  await signs(patient.page, 2)
  await heading(patient.page, 'Write down your recovery code').waitFor()
  const code = (await patient.page.locator('ol.code li').allInnerTexts()).join(' ')
  await button(patient.page, 'I have written them down').click()
  await patient.page.getByLabel('Type the 24 words again').fill(code)
  await button(patient.page, 'Finish').click()
  await signs(patient.page)
  await patient.page.getByRole('link', { name: 'Records' }).click()
  number = await patient.page.locator('main output').first().innerText()
})

await check('a file that is dropped is stored, though the tab is closed in the middle', async () => {
  const { context, page } = clerk
  await page.getByRole('link', { name: 'Store files' }).click()
  await page.getByLabel('Patient number').fill(number)
  // The first part of the upload arrives; of the second one nothing ever does.
  const sent = counter(context)
  await context.route('**/uploads/*', (route) => (route.request().method() === 'PATCH' && sent.patches() > 1 ? undefined : route.continue()))
  await drop(page, scanName)
  await card(page, scanName).getByText('encrypting and uploading').waitFor()
  await until(() => sent.patches() > 1)
  await looked(page, 'hospital-storing', pictures)
  // It pauses at once, whatever the line does, and goes on.
  await button(page, 'Pause').click()
  await card(page, scanName).getByText('paused').waitFor()
  const before = sent.patches()
  await button(page, 'Go on').click()
  await until(() => sent.patches() > before)
  const words = await page.evaluate(() => sessionStorage.getItem('phrd/demo-words') ?? '')
  await page.close()
  await context.unrouteAll()

  await context.addInitScript((text) => sessionStorage.setItem('phrd/demo-words', text), words)
  const again = await context.newPage()
  clerk.page = again
  again.on('pageerror', (fault) => clerk.faults.push(fault.message))
  await again.goto(clinic)
  await button(again, 'Use the demo wallet').click()
  const left = card(again, scanName)
  await left.getByText('begun earlier').waitFor()
  await looked(again, 'hospital-left', pictures)
  // Another file of the same size is found out before anything of it is sent.
  const [whole, second] = [Buffer.from(dicomFile(marked, size, frames)), counter(context)]
  const changed = Buffer.from(whole)
  changed[1 << 20]! ^= 1
  await left.locator('input[type=file]').setInputFiles({ name: scanName, mimeType: '', buffer: changed })
  await left.getByText('this is not the file whose beginning was stored').waitFor()
  demand(second.bytes() === 0, 'something of another file was sent')
  await left.locator('input[type=file]').setInputFiles({ name: scanName, mimeType: '', buffer: whole })
  await signs(again)
  record = (await left.locator('output').innerText()).replace(/\/1$/, '')
  demand(second.bytes() > 0 && second.bytes() < whole.length - (7 << 20), `${second.bytes()} bytes were sent again, of ${whole.length}`)
  await left.getByText(/^(\d) of \1 copies are confirmed/).waitFor()
  await looked(again, 'hospital-stored', pictures)
})

await check('several files are stored one after another, go on after a failure, and are given up', async () => {
  const { context, page } = clerk
  await page.getByLabel('Patient number').fill(number)
  await page.getByLabel('Kind').selectOption({ label: 'document' })
  // The gateway has no room for a moment.
  await context.route('**/uploads', (route) => route.fulfill({ status: 429, json: { title: 'Too Many Requests', detail: 'you have 8 uploads under way' } }))
  await page.getByLabel('Choose files').setInputFiles([
    { name: 'letter.pdf', mimeType: 'application/pdf', buffer: pdfFile('Hello from page one', 'And from page two') },
    { name: 'skin.png', mimeType: 'image/png', buffer: pngFile(64, [200, 30, 60]) },
    { name: 'note.txt', mimeType: 'text/html', buffer: Buffer.from(`${marked}\nWundkontrolle in Woche 2`) },
    { name: 'heart.wav', mimeType: 'audio/wav', buffer: wavFile() },
    { name: 'model.bin', mimeType: '', buffer: Buffer.alloc(5000, 7) },
    { name: 'wrong.bin', mimeType: '', buffer: Buffer.alloc(5000, 8) },
  ])
  await card(page, 'wrong.bin').getByText('you have 8 uploads under way').waitFor()
  await card(page, 'wrong.bin').getByRole('button', { name: 'Give up' }).click()
  await card(page, 'wrong.bin').waitFor({ state: 'detached' })
  await context.unrouteAll()
  for (const name of ['letter.pdf', 'skin.png', 'note.txt', 'heart.wav', 'model.bin']) {
    await card(page, name).getByRole('button', { name: 'Go on', exact: true }).click()
    await signs(page)
    await card(page, name).locator('output').waitFor()
  }
})

await check('a doctor asks, an officer endorses, the patient approves, the doctor sees the picture', async () => {
  await doctor.page.getByRole('link', { name: 'Ask for records' }).first().click()
  await doctor.page.getByLabel('Records, one a line').fill(record)
  await doctor.page.getByLabel('Open for').selectOption({ label: '12 hours' })
  await looked(doctor.page, 'hospital-ask', pictures)
  await button(doctor.page, 'Ask').click()
  await signs(doctor.page)
  await heading(doctor.page, 'Your requests').waitFor()
  await doctor.page.getByText('waits for an officer of the hospital that keeps it').waitFor()
  await looked(doctor.page, 'hospital-requests', pictures)

  await officer.page.getByRole('heading', { name: `Hospital 0${er} asks` }).waitFor()
  await officer.page.getByText(number).waitFor()
  await looked(officer.page, 'hospital-queue', pictures)
  await button(officer.page, 'Endorse').click()
  const [shown = ''] = await signs(officer.page)
  demand(shown.includes('phrd/MsgEndorseUnlock'), `the wallet shows ${shown}`)
  await officer.page.getByText('Endorsed. Now it waits for the patient.').waitFor()
  await officer.page.getByText('Nothing waits for you.').waitFor()
  await doctor.page.getByText('waits for the patient').waitFor()

  await patient.page.getByRole('link', { name: 'Requests' }).click()
  await button(patient.page, 'Check this request').click()
  await button(patient.page, 'Approve').click()
  await signs(patient.page)

  await button(doctor.page, 'Open').click()
  await heading(doctor.page, scanName).waitFor()
  await doctor.page.getByText(marked, { exact: true }).waitFor()
  const picture = doctor.page.getByRole('img', { name: `Picture 1 of ${frames}` })
  await picture.waitFor()
  // Centre 1024 and width 2048 show 0 as black, 1022 as grey.
  await until(async () => (await shade(picture, size - 1)) > 100)
  demand((await shade(picture, 0)) === 0, 'the first value is black')
  const grey = await shade(picture, size - 1)
  await picture.press('ArrowUp')
  await until(async () => (await shade(picture, size - 1)) > grey)
  await picture.press('r')
  await until(async () => (await shade(picture, size - 1)) === grey)
  const box = (await picture.boundingBox()) ?? { x: 0, y: 0 }
  await doctor.page.mouse.move(box.x + 50, box.y + 50)
  await doctor.page.mouse.down()
  await doctor.page.mouse.move(box.x + 50, box.y + 20, { steps: 5 })
  await doctor.page.mouse.up()
  await until(async () => (await shade(picture, size - 1)) > grey)
  await doctor.page.getByRole('button', { name: 'Reset' }).click()
  await picture.press('End')
  const last = doctor.page.getByRole('img', { name: `Picture ${frames} of ${frames}` })
  await until(async () => (await shade(last, 0)) > 0)
  await last.hover()
  await doctor.page.mouse.wheel(0, -100)
  await doctor.page.getByRole('img', { name: `Picture ${frames - 1} of ${frames}` }).waitFor()
  await looked(doctor.page, 'hospital-dicom', pictures)
  const [saved] = await Promise.all([doctor.page.waitForEvent('download'), button(doctor.page, 'Download').click()])
  demand((await bytesOf(saved)).equals(Buffer.from(dicomFile(marked, size, frames))), 'what was downloaded is what was stored')
  await button(doctor.page, 'Close').click()
  await button(doctor.page, 'Done, close it').click()
  await signs(doctor.page)
  await doctor.page.getByText('closed', { exact: true }).waitFor()
})

await check('the patient looks at own records of every kind', async () => {
  const { page } = patient
  await page.getByRole('link', { name: 'Records' }).click()
  const seen = new Set<string>()
  const views = page.getByRole('button', { name: 'View' })
  for (let i = 0; i < 6; i++) {
    await until(async () => (await views.count()) === 6)
    await views.nth(i).click()
    await signs(page, 2)
    const viewer = page.locator('.viewer')
    const name = await viewer.getByRole('heading', { level: 1 }).innerText()
    seen.add(name)
    if (name === 'letter.pdf') {
      const sheet = viewer.getByRole('img', { name: 'letter.pdf, Page 1' })
      await viewer.getByText('Hello from page one').waitFor({ state: 'attached' })
      // Between 40 and 80 of 400 points from the left, and between 20 and 60 of 200 from below.
      const scanned = await sheet.evaluate((canvas: HTMLCanvasElement) => canvas.getContext('2d')?.getImageData(canvas.width * 0.15, canvas.height * 0.8, 1, 1).data[0])
      demand(scanned === 0, `what was scanned is black, not ${scanned}`)
      await button(page, 'Next page').click()
      await viewer.getByText('And from page two').waitFor({ state: 'attached' })
      await looked(page, 'hospital-pdf', pictures)
    } else if (name === 'skin.png') {
      await until(async () => viewer.locator('img').evaluate((img: HTMLImageElement) => img.naturalWidth === 64))
    } else if (name === 'note.txt') {
      await viewer.getByText('Wundkontrolle in Woche 2').waitFor()
      await looked(page, 'hospital-text', pictures)
    } else if (name === 'heart.wav') {
      await until(async () => viewer.locator('audio').evaluate((audio: HTMLAudioElement) => audio.duration === 1))
    } else if (name === 'model.bin') {
      await viewer.getByText('This kind of file is not shown here.').waitFor()
    } else {
      await viewer.getByRole('img', { name: `Picture 1 of ${frames}` }).waitFor()
    }
    await viewer.getByRole('button', { name: 'Close' }).click()
  }
  demand(seen.size === 6, `six files were seen: ${[...seen].join(', ')}`)
})

await check('an officer denies, and the doctor sees it', async () => {
  await doctor.page.getByRole('link', { name: 'Ask for records' }).first().click()
  await doctor.page.getByLabel('Records, one a line').fill(`${record}/1`)
  await button(doctor.page, 'Ask').click()
  await signs(doctor.page)
  await button(officer.page, 'Deny').click()
  await signs(officer.page)
  await doctor.page.getByText('denied', { exact: true }).waitFor()
  // What a patient has at other hospitals is shown to a clinician only where the patient agreed to emergencies.
  await doctor.page.getByRole('link', { name: 'Ask for records' }).first().click()
  await doctor.page.getByText('Look up what a patient has').click()
  await doctor.page.getByLabel('Patient number').fill(number)
  await button(doctor.page, 'List').click()
  await doctor.page.getByText('Of this patient you see only what your own hospital keeps').waitFor()
  await doctor.page.getByText('0 records', { exact: true }).waitFor()
})

await check('an admin sees members, votes and health, and deactivates somebody', async () => {
  const { page } = admin
  await page.getByRole('link', { name: 'Members' }).click()
  await page.getByText('(your hospital)').waitFor()
  const all = (await network.hospitals()).length
  demand((await page.getByRole('article').count()) === all, 'all members are shown')
  await looked(page, 'hospital-members', pictures)
  const { proposal } = await network.as(2, 'admin', 'hospital', 'propose', 'upgrade', 'next', '1000000')
  await page.getByRole('link', { name: 'Votes' }).click()
  const proposed = card(page, `Proposal ${String(proposal)}`)
  await proposed.getByText('MsgSoftwareUpgrade').waitFor()
  await proposed.getByText('1000000', { exact: true }).waitFor()
  await looked(page, 'hospital-votes', pictures)
  await button(page, 'Vote against it').click()
  const [shown = ''] = await signs(page)
  demand(shown.includes('phrd/MsgVote'), `the wallet shows ${shown}`)
  await page.getByText('Your hospital has voted.').waitFor()
  await button(page, 'Vote against it').waitFor({ state: 'detached' })
  await page.getByRole('link', { name: 'Health' }).click()
  await until(async () => (await page.getByText('Ready', { exact: true }).count()) === all)
  await looked(page, 'hospital-health', pictures)

  await page.getByRole('link', { name: 'Staff' }).click()
  const theirs = card(page, `clerk …${clerks.slice(-6)}`)
  await theirs.getByRole('button', { name: 'Deactivate' }).click()
  await signs(page)
  await theirs.getByText('Deactivated', { exact: true }).waitFor()
  // What made an invitation before makes none now.
  await clerk.page.getByRole('link', { name: 'Invite a patient' }).click()
  await button(clerk.page, 'Make an invitation').click()
  // Her hospital's gateway ends the login at once, or else the chain refuses what she signs.
  const [asked, refused] = [clerk.page.getByRole('dialog'), clerk.page.getByRole('alert')]
  await asked.or(refused).waitFor()
  if (await asked.isVisible()) await signs(clerk.page)
  await refused.waitFor()
  demand((await card(clerk.page, 'Invitation').count()) === 0, 'a clerk who was deactivated invites')
})

await check('the pages for a hospital’s people speak German, and run nothing that a name says', async () => {
  await doctor.page.getByLabel('Language').selectOption('de')
  await heading(doctor.page, 'Akten anfragen').waitFor()
  await doctor.page.emulateMedia({ colorScheme: 'dark' })
  await looked(doctor.page, 'hospital-german-dark', pictures)
  for (const person of [admin, clerk, officer, doctor, patient]) {
    demand(person.faults.length === 0, person.faults.join('\n'))
    demand((await person.page.evaluate(() => Reflect.get(window, 'wasRun'))) === undefined, 'a name was run')
    await person.context.close()
  }
})

/** counter counts what a browser sends of uploads. */
function counter(context: BrowserContext): { patches: () => number; bytes: () => number } {
  let [patches, bytes] = [0, 0]
  context.on('request', (request) => {
    if (request.method() !== 'PATCH') return
    patches++
    bytes += request.postDataBuffer()?.length ?? 0
  })
  return { patches: () => patches, bytes: () => bytes }
}

// A person's hand: the file is made in the page, as if it came from the desktop.
async function drop(page: Page, name: string): Promise<void> {
  const given = await page.evaluateHandle(
    `(() => { const data = new DataTransfer(); data.items.add(new File([(${dicomFile.toString()})(${JSON.stringify(marked)}, ${size}, ${frames})], ${JSON.stringify(name)})); return data })()`,
  )
  const place = page.locator('.drop')
  await place.dispatchEvent('dragover', { dataTransfer: given })
  await place.dispatchEvent('drop', { dataTransfer: given })
}

/** readQR reads the code that a page shows, as a camera would. */
async function readQR(page: Page): Promise<string> {
  const svg = page.locator('svg.qr')
  const [path, box] = await Promise.all([svg.locator('path').getAttribute('d'), svg.getAttribute('viewBox')])
  const modules = Number((box ?? '').split(' ')[2])
  const scale = 4
  const data = new Uint8Array((modules * scale) ** 2 * 4).fill(255)
  for (const [, x = 0, y = 0, length = 0] of (path ?? '').matchAll(/M(\d+) (\d+)h(\d+)/g)) {
    for (let dy = 0; dy < scale; dy++) {
      const from = ((Number(y) * scale + dy) * modules * scale + Number(x) * scale) * 4
      for (let i = 0; i < Number(length) * scale; i++) data.set([0, 0, 0], from + 4 * i)
    }
  }
  return decodeQR({ width: modules * scale, height: modules * scale, data })
}

/** shade is how bright a pixel on the diagonal is, 0 to 255. */
async function shade(picture: Locator, at: number): Promise<number> {
  return picture.evaluate((canvas: HTMLCanvasElement, at) => canvas.getContext('2d')?.getImageData(at, at, 1, 1).data[0] ?? -1, at)
}

async function bytesOf(download: { createReadStream(): Promise<AsyncIterable<Buffer>> }): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of await download.createReadStream()) parts.push(part)
  return Buffer.concat(parts)
}
